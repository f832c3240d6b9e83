"""Figures of a node: exact, readable by an independent parser, and only for whom the setting says."""

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api.http.metrics import Metrics
from infra.database import Session
from infra.messages import Notice
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from plants.store.monitoring.job_runs import record_succeeded
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from tests.api.serving import Serving, plant_node

ORDER = Delivery("RM-MILK", "12.5", "KGM", "A1")


def figures(served: Serving) -> dict[tuple[str, ...], float]:
    answer = served.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def test_figures_of_a_plant_then_each_is_what_the_store_says(plant: Serving) -> None:
    origin, before = plant.node.settings.origin, figures(plant)
    one = plant.plant()

    def work(session: Session) -> None:
        receive_batch(session, ORDER, actor=one.actor, call=one.call())
        status.ledger_status(session, 1)
        status.amend(
            session, 1, state=ReplicationState.UNREACHABLE, acknowledged=4, attempts=3, skew_ms=-1500,
            signed_at=plant.clock.now(),
        )  # fmt: skip
        raise_alarm(
            session, Alarm(AlarmKind.CLOCKS_DIFFER, origin, Notice("TEST", "Set the clock.")), plant.clock.now()
        )

    plant.node.writer.write(work)
    plant.clock.advance(seconds=90)
    assert plant.client.post("/graphql", json={"query": "{ viewer { name } }"}).status_code == 401
    assert plant.client.get("/nowhere/to/be/found").status_code == 404
    after = figures(plant)

    size = before["batchloom_ledger_entries", origin] + 1
    assert after["batchloom_ledger_entries", origin] == size
    assert after["batchloom_waiting_entries", origin] == size - 4
    assert after["batchloom_acknowledged_entries", origin] == 4
    assert after["batchloom_lag_seconds", origin] == 90
    assert after["batchloom_exchange_failures", origin] == 3
    assert after["batchloom_clock_skew_seconds", origin] == -1.5
    assert after["batchloom_fenced", origin] == 0
    assert after["batchloom_alarms", "CLOCKS_DIFFER"] == 1
    assert after["batchloom_requests_total", "graphql", "401"] == 1
    assert after["batchloom_requests_total", "other", "404"] == 1
    assert after["batchloom_requests_total", "metrics", "200"] == 1
    assert after["batchloom_commit_seconds_count",] == before["batchloom_commit_seconds_count",] + 1


def test_success_in_the_future_then_it_is_no_last_success(plant: Serving) -> None:
    last, now = "batchloom_job_last_success_timestamp_seconds", plant.clock.now()
    plant.node.writer.write(lambda session: record_succeeded(session, "ahead", 5, now + timedelta(days=1)))
    plant.node.writer.write(lambda session: record_succeeded(session, "right", 5, now))
    shown = figures(plant)
    assert (last, "ahead") not in shown
    assert shown[last, "right"] == now.timestamp()
    assert shown["batchloom_job_failures", "ahead"] == 0


def test_workers_rejected_messages_then_they_are_counted(plant: Serving) -> None:
    assert figures(plant)["batchloom_messages_rejected_total",] == 0
    assert b"\nbatchloom_messages_rejected_total 7.0\n" in Metrics(plant.node, lambda: 7).text()


def test_figures_of_a_hub_then_one_of_each_plant(hub: Serving) -> None:
    shown = figures(hub)
    sizes = {labels[1]: value for labels, value in shown.items() if labels[0] == "batchloom_ledger_entries"}
    assert {origin.split("/")[2] for origin in sizes} == {"SH1", "BJ2"}
    assert min(sizes.values()) > 0


def test_setting_then_who_may_read(tmp_path: Path) -> None:
    with plant_node(tmp_path / "a", metrics="nobody") as served:
        assert served.client.get("/metrics").status_code == 404
    with plant_node(tmp_path / "b") as served:
        assert served.client.get("/metrics").status_code == 200
        for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
            assert served.client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 404
    with plant_node(tmp_path / "c", metrics="everyone") as served:
        assert served.client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 200


def test_figures_then_no_secret_and_nothing_that_a_client_made_up(plant: Serving) -> None:
    for number in range(5):
        httpx2.get(f"{plant.url}/made-up-{number}")
    text = plant.client.get("/metrics").text
    assert "made-up" not in text
    assert "wang" not in text


@pytest.mark.parametrize("role", ["plant", "hub"])
def test_figures_then_the_text_ends_as_the_format_says(role: str, request: pytest.FixtureRequest) -> None:
    served: Serving = request.getfixturevalue(role)
    assert served.client.get("/metrics").text.endswith("# EOF\n")
