"""A store that takes no writes, and threads that do not run: /readyz and /metrics say so from memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api.http.background_jobs import BackgroundJobs
from api.http.metrics import Metrics
from api.http.readiness import STORE, unready
from auth.notes import NoteSigner, generate_key
from infra.messages import word
from infra.settings import hub_origin
from infra.store_faults import StoreFault, store_fault
from plants.store.monitoring.alarms import AlarmKind, alarms
from sync_jobs.celery import jobs
from tests.api.serving import Serving, plant_node
from tests.factories import GROUP
from tests.patience import wait_until
from tests.scenarios.faults.disks import Disk, small_disk
from tests.sync_jobs.group import free_port

WRITES_MAX = 3_000  # until a full disk is noticed
DISK_MEGABYTES = 24
FULL = (503, {"ready": False, "reason": "The store takes no writes: the disk is full. Run `batchloom doctor`."})
FULL_IN_CHINESE = "存储无法写入：磁盘已满。请运行 `batchloom doctor`。"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        yield disk


def ready(served: Serving, language: str = "en") -> tuple[int, dict[str, object]]:
    answer = served.client.get("/readyz", headers={"Accept-Language": language})
    return answer.status_code, answer.json()


def figures(text: str, name: str) -> dict[str, float]:
    """Return the samples of a figure by their label."""
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {label: sample.value for sample in samples for label in sample.labels.values()}


def alarms_counted(served: Serving) -> dict[str, float]:
    """Return the figures of alarms, without that of the new home, which had no marks."""
    found = figures(served.client.get("/metrics").text, "batchloom_alarms")
    return {kind: count for kind, count in found.items() if kind != AlarmKind.MARKS_LOST}


def write_until_refused(served: Serving) -> StoreFault | None:
    for _ in range(WRITES_MAX):
        try:
            served.plant().receive()
        except Exception as error:  # noqa: BLE001 -- each driver has its own kinds.
            return store_fault(error)
    pytest.fail("the fault was never noticed")


def history(served: Serving) -> list[tuple[AlarmKind, str, bool]]:
    with served.node.store.reading() as reads:
        return [
            (one.kind, one.about, one.over_at is not None)
            for one in alarms(reads, over=True)
            if one.kind is not AlarmKind.MARKS_LOST
        ]


def test_disk_full_then_not_ready_and_an_alarm_until_there_is_room(disk: Disk) -> None:
    with plant_node(disk.place) as served:
        assert (ready(served), alarms_counted(served)) == ((200, {"ready": True}), {})
        disk.fill()
        assert write_until_refused(served) is StoreFault.DISK_FULL
        for _ in range(2):
            assert (ready(served), alarms_counted(served)) == (FULL, {"STORE_UNWRITABLE": 1})
        assert ready(served, "zh")[1]["reason"] == FULL_IN_CHINESE
        assert history(served) == [], "reading goes on, and nothing was written"
        disk.free()
        assert (ready(served), alarms_counted(served)) == ((200, {"ready": True}), {})
        assert history(served) == [(AlarmKind.STORE_UNWRITABLE, STORE, True)]
        served.plant().receive()


REFUSE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'cannot execute in a read-only transaction' USING ERRCODE = '25006'; END $$"""


def test_postgresql_read_only_then_not_ready_until_it_takes_writes(hub: Serving) -> None:
    """The server answers writes as one does that is read-only, for example a standby."""

    def run(*statements: str) -> None:
        with hub.node.store.transaction() as session:
            for one in statements:
                session.run(one)

    tables = ("entries", "alarms")
    assert ready(hub) == (200, {"ready": True})
    run(REFUSE, *(f"CREATE TRIGGER refused BEFORE INSERT ON {one} EXECUTE FUNCTION refuse()" for one in tables))
    assert write_until_refused(hub) is StoreFault.READ_ONLY
    reason = "The store takes no writes: the disk can only be read. Run `batchloom doctor`."
    assert ready(hub) == (503, {"ready": False, "reason": reason})
    assert alarms_counted(hub) == {"STORE_UNWRITABLE": 1}
    run(*(f"DROP TRIGGER refused ON {one}" for one in tables))
    assert (ready(hub), alarms_counted(hub)) == ((200, {"ready": True}), {})
    assert history(hub) == [(AlarmKind.STORE_UNWRITABLE, STORE, True)]


def test_jobs_cannot_store_that_they_fail_then_figures_count_it_from_memory(
    disk: Disk,
) -> None:
    key = str(NoteSigner(hub_origin(GROUP), generate_key()).key)
    url = f"http://127.0.0.1:{free_port()}"
    with (
        plant_node(disk.place, hub_url=url, hub_key=key, push_seconds=1) as served,
        BackgroundJobs(served.node) as work,
    ):
        figure = Metrics(served.node, work)

        def counted(name: str) -> dict[str, float]:
            return figures(figure.text().decode(), name)

        wait_until(lambda: jobs.pull.name in counted("batchloom_job_last_success_timestamp_seconds"))
        disk.fill()
        write_until_refused(served)
        served.clock.advance(minutes=10)
        wait_until(lambda: counted("batchloom_job_failures")[jobs.pull.name] > 1)
        assert counted("batchloom_alarms")["JOB_OVERDUE"] > 1
        assert "JOB_OVERDUE" not in {kind for kind, _, _ in history(served)}
        disk.free()
        wait_until(lambda: counted("batchloom_job_failures")[jobs.pull.name] == 0)
        wait_until(lambda: "JOB_OVERDUE" not in counted("batchloom_alarms"))


def test_monitor_of_the_jobs_does_not_run_then_not_ready(plant: Serving) -> None:
    with BackgroundJobs(plant.node) as work:
        (monitor,) = work.threads
        assert unready(plant.node, work) is None
        monitor.stop(5)
        why = unready(plant.node, work)
        assert why is not None
        assert word(why, "en").startswith("The thread job-monitor of the node does not run.")
        assert word(why, "zh").startswith("本节点的线程 job-monitor")
