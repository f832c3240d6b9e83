"""The hub's ledger begins once, and a plant's number and code are given once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.database import Store
from plants.commands.group.enrolment import Enrolment, enrol_plant, open_hub
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal
from tests.databases import migrated_file

NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
ADMIN = Author("zhao.min", "Zhao Min")
ORDER = Enrolment(
    number=3,
    code="SH1",
    name="Shanghai 1",
    origin="acme.example/plant/SH1/i1",
    directive_origin="acme.example/hub/to/SH1/i1",
    ledger_key="ledger",
    assertion_key="assertion",
)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Store]:
    store = Store(migrated_file(tmp_path / "hub.db"))
    with store.transaction() as session:
        open_hub(session, group="acme.example", origin="acme.example/hub/i1", now=NOW)
    yield store
    store.close()


def logs(store: Store) -> list[tuple[object, ...]]:
    with store.transaction() as session:
        return session.rows("SELECT log_id, origin, size, projected FROM logs ORDER BY log_id")


def test_hub_opened_twice_then_once(hub: Store) -> None:
    with hub.transaction() as session:
        again = open_hub(session, group="acme.example", origin="acme.example/hub/i1", now=NOW)
    assert (again.type, again.index) == ("HubOpened", 0)
    assert again.payload == {"group": "acme.example", "origin": "acme.example/hub/i1"}
    assert logs(hub) == [(0, "acme.example/hub/i1", 1, 1)]


def test_plant_enrolled_then_both_its_ledgers_are_open(hub: Store) -> None:
    with hub.transaction() as session:
        entry = enrol_plant(session, ORDER, actor=ADMIN, now=NOW)
    assert (entry.type, entry.index, entry.envelope["actor"]) == ("PlantEnrolled", 1, "zhao.min")
    assert (entry.payload["number"], entry.payload["code"]) == (3, "SH1")
    assert logs(hub) == [
        (-3, "acme.example/hub/to/SH1/i1", 0, 0),
        (0, "acme.example/hub/i1", 2, 2),
        (3, "acme.example/plant/SH1/i1", 0, 0),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "SZ2"},
        {"number": 4},
        {"code": "sz2", "number": 4},
        {"code": "SZ2", "number": 0},
        {"code": "SZ2", "number": 8192},
        {"code": "SZ2", "number": 4, "name": " "},
    ],
    ids=str,
)
def test_number_or_code_taken_or_wrong_then_refused_and_nothing_changed(hub: Store, wrong: dict[str, object]) -> None:
    with hub.transaction() as session:
        enrol_plant(session, ORDER, actor=ADMIN, now=NOW)
    before = logs(hub)
    with hub.transaction() as session, pytest.raises(Refusal):
        enrol_plant(session, replace(ORDER, **wrong), actor=ADMIN, now=NOW)  # type: ignore[arg-type]
    assert logs(hub) == before
