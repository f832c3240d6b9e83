"""Jobs in processes of their own, woken through Valkey: killed in the middle, nothing is lost or doubled."""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest

from infra.roles import Role
from plants.store.monitoring.alarms import AlarmKind, open_alarms
from plants.store.monitoring.job_runs import job_runs
from sync_jobs.celery.jobs import JOBS
from tests.patience import patient, wait_until
from tests.scenarios.preparing import PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import BATCHLOOM, HUB, Group
from tests.scenarios.shop_floor import check_equal, receive, wait_level
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(240)

CELERY: Final = (sys.executable, "-m", "celery", "-A", "sync_jobs.celery.worker")
COMMAND: Final = str(BATCHLOOM)
DATABASES = 16  # that a Valkey has unless told otherwise


@pytest.fixture(scope="module")
def separate(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Group]:
    """A group whose nodes run no jobs themselves; plant SH1 and the hub each have a worker and a beat."""
    broker = {"BATCHLOOM_BROKER_URL": f"{valkey_url}/{secrets.randbelow(DATABASES)}"}
    folder = tmp_path_factory.mktemp("workers")
    with copy_group(prepared, folder, {HUB: broker, "SH1": broker}) as group:
        group.start(HUB, "SH1")
        for code in (HUB, "SH1"):
            start_worker(group, code)
            group.aside(f"beat-{code}", code, COMMAND, "beat")
        yield group


def start_worker(group: Group, code: str) -> None:
    group.aside(f"worker-{code}", code, COMMAND, "worker", "--loglevel=WARNING")


def celery(group: Group, code: str, *words: str) -> str:
    """Return what a command of Celery prints about the workers of a node."""
    environment = {**group.nodes[code].process.environment, "BATCHLOOM_HOME": str(group.nodes[code].home)}
    done = subprocess.run(
        [*CELERY, *words], env=environment, cwd=group.folder, capture_output=True, text=True, check=False,
        timeout=patient(60),
    )  # fmt: skip
    return done.stdout + done.stderr


def is_online(group: Group, code: str, worker: str) -> bool:
    return f"{worker}@" in celery(group, code, "status")


def test_workers_run_then_celerys_own_commands_see_them_and_their_tasks(separate: Group) -> None:
    for code, role in ((HUB, Role.HUB), ("SH1", Role.PLANT)):
        worker = "hub" if code == HUB else code
        wait_until(partial(is_online, separate, code, worker), "the worker is online")
        registered = celery(separate, code, "inspect", "registered")
        tasks = set(re.findall(r"^ +\* (\S+)", registered, re.MULTILINE))
        assert tasks == {one.name for one in JOBS.values() if one.role is role}
    queues = celery(separate, HUB, "inspect", "active_queues")
    assert "sync.project" in queues, "projection has a queue of its own"


def test_workers_run_then_no_alarm_and_every_job_has_succeeded(separate: Group) -> None:
    for code in (HUB, "SH1"):
        wait_until(partial(succeeded, separate, code), "every job succeeded")
        with separate.store(code).reading() as reads:
            assert open_alarms(reads, AlarmKind.WORKERS_MISSING) == {}


def succeeded(group: Group, code: str) -> bool:
    """Tell whether every job of a node has succeeded at least once."""
    with group.store(code).reading() as reads:
        runs = job_runs(reads)
    return bool(runs) and all(one.succeeded is not None for one in runs)


def test_separate_workers_killed_in_the_middle_then_nothing_is_lost_or_doubled(separate: Group) -> None:
    """Last of the file: at the end every worker and beat is stopped in order."""
    store, wang = separate.store("SH1"), separate.at("SH1", WANG)
    wait_level(separate, ["SH1"])
    began, before = stand(store, PLANTS["SH1"])[0], stock_rows(separate)
    for killed in ("SH1", HUB, "SH1"):
        for number in range(40):
            receive(wang, "2.5")
            if number == 20:
                separate.others[f"worker-{killed}"].kill()
        assert separate.nodes["SH1"].is_ready(), "the plant does not need its worker"
        start_worker(separate, killed)
    wait_level(separate, ["SH1"])
    check_equal(separate, ["SH1"])
    size = stand(store, PLANTS["SH1"])[0]
    assert size == began + 3 * 40
    count, total = stock_rows(separate)
    assert (count - before[0], total - before[1]) == (120, 120 * 2_500_000)
    for process in separate.others.values():
        assert process.stop() == 0, process.tail()


def stock_rows(group: Group) -> tuple[int, int]:
    """Return how many rows of stock the hub has of SH1, and their sum in millionths."""
    with group.store(HUB).transaction() as session:
        row = session.row("SELECT count(*), coalesce(sum(quantity), 0) FROM stock WHERE plant_id = 1")
    assert row is not None
    return int(row[0]), int(row[1])
