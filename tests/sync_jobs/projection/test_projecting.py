"""The hub applies the entries that it stored; an entry that cannot be applied blocks only its own keys."""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import SQLModel, col, select

from infra.clock import FixedClock
from infra.database import Session, Store
from infra.ids import new_id
from plants.commands.execution import CommandContext
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.ledger.events import Entry
from plants.rules.values.instants import format_instant
from plants.rules.values.scope import PlantScope
from plants.store.inventory import batches, movements
from plants.store.ledger.entries import Head
from plants.store.materials import series
from plants.store.materials.plants import Plant
from plants.store.projection import registry
from plants.store.quality import holds
from plants.store.replication import leases
from plants.store.replication.projection_faults import HALTED, ProjectionFault
from plants.store.replication.status import replication_status
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection import parking, projecting
from sync_jobs.projection.parking import touched_keys
from sync_jobs.projection.projecting import project_behind, project_pending
from sync_jobs.projection.retrying import retry_now
from tests.sync_jobs.group import CLOCK, LI, Group, receive, stand

KINDS = (
    batches.Batch,
    batches.Alias,
    holds.HoldRow,
    movements.Stock,
    movements.MovementRow,
    series.Series,
    Plant,
)


def write_raw(node: PlantNode, kind: str, key: str, payload: Any, version: int = 1) -> Entry:
    """Append an event as a newer or broken program would, without applying it at the plant."""
    now = CLOCK.now()
    with node.store.transaction() as session:
        return Head(session, node.number).append(
            {
                "id": new_id(),
                "type": kind,
                "version": version,
                "plant": node.number,
                "index": 0,
                "hlc": "",
                "occurred_at": format_instant(now),
                "recorded_at": "",
                "actor": "li.wei",
                "key": key,
                "payload": payload,
            },
            now,
        )


def contents(session: Session, plant: int) -> dict[str, list[Any]]:
    """Return all rows of a plant in the tables that these tests write."""
    found = {}
    for kind in KINDS:
        names = ", ".join(column.name for column in SQLModel.metadata.tables[str(kind.__tablename__)].columns)
        rows = session.rows(f"SELECT {names} FROM {kind.__tablename__} WHERE plant_id = :plant", {"plant": plant})
        found[str(kind.__tablename__)] = sorted(rows, key=repr)
    return found


def contents_of(store: Store, plant: int) -> dict[str, list[Any]]:
    with store.transaction() as session:
        return contents(session, plant)


def projected(store: Store, plant: int) -> tuple[int, int]:
    with store.transaction() as session:
        row = session.row("SELECT size, projected FROM logs WHERE log_id = :plant", {"plant": plant})
    assert row is not None
    return row[0], row[1]


def faults(group: Group, *plants: int) -> list[tuple[int, int, bool]]:
    with group.hub.node.store.reading() as reads:
        ours = select(ProjectionFault).where(col(ProjectionFault.log_id).in_(plants))
        found = reads.exec(ours.order_by(col(ProjectionFault.log_id), col(ProjectionFault.idx)))
        return [(fault.log_id, fault.idx, fault.error is not None) for fault in found]


def test_entries_taken_in_then_applied_in_slices_as_at_the_plant(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    receive(node, 40)
    exchange(node)
    assert projected(hub.store, 1) == (43, 0)
    assert project_pending(hub.store, 1, clock=CLOCK, holder="test", limit=15) == 15
    assert projected(hub.store, 1) == (43, 15)
    assert project_behind(hub.store, CLOCK, "test") == 28
    assert project_behind(hub.store, CLOCK, "test") == 0
    assert contents_of(hub.store, 1) == contents_of(node.store, 1)


def test_lease_held_by_another_then_nothing_is_applied(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    exchange(node)
    with hub.store.transaction() as session:
        held = leases.take(session, "project/1", "another", now=CLOCK.now())
    assert held is not None
    assert project_pending(hub.store, 1, clock=CLOCK, holder="test") == 0
    with hub.store.transaction() as session:
        held.end(session)
    assert project_pending(hub.store, 1, clock=CLOCK, holder="test") == 3


def test_poison_then_it_parks_with_what_touches_it_and_all_else_goes_on(group: Group) -> None:
    one, two, hub = group.plant(1, "SH1"), group.plant(2, "SZ2"), group.hub.node
    poisoned, healthy = receive(one, 2)
    batch = poisoned.payload["batches"][0]["id"]
    broken = write_raw(one, "BatchMoved", "elsewhere", {"movements": [{"batch": batch}]})
    call = CommandContext(1, CLOCK.now())
    with one.store.transaction() as session:
        waits = quarantine_batch(session, Quarantine(poisoned.envelope["key"], "seal"), actor=LI, call=call)
        goes_on = quarantine_batch(session, Quarantine(healthy.envelope["key"], "seal"), actor=LI, call=call)
    receive(one, 3)
    receive(two, 3)
    for node in (one, two):
        exchange(node)
        assert stand(hub.store, node.number) == stand(node.store, node.number)
    assert project_behind(hub.store, CLOCK, "test") == 9 + 6
    assert projected(hub.store, 1)[0] == projected(hub.store, 1)[1]
    assert faults(group, 1, 2) == [(1, broken.index, True), (1, waits.index, False)]
    assert faults(group, 2) == []
    with hub.store.transaction() as session:
        held = [batch for (batch,) in session.rows("SELECT batch_id FROM holds WHERE plant_id = 1")]
    assert held == [healthy.payload["batches"][0]["id"]]
    assert goes_on.index not in {index for _, index, _ in faults(group, 1)}
    with hub.store.reading() as reads:
        (status,) = replication_status(reads, PlantScope(frozenset({1})), now=CLOCK.now())
    assert (status.faults, status.parked) == (1, 2)


def test_type_of_a_newer_program_then_replayed_after_the_upgrade(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    first, second = receive(node, 2)
    later = write_raw(node, "BatchReceived", first.envelope["key"], {"holds": []}, version=7)
    receive(node, 1)
    by_id = write_raw(node, "BatchTeleported", "T-1", {"goods": first.payload["batches"][0]["id"]})
    alone = write_raw(node, "BatchTeleported", "T-2", {"goods": 5})
    exchange(node)
    clock = FixedClock(CLOCK.now())
    assert project_pending(hub.store, 1, clock=clock, holder="test") == 6
    assert faults(group, 1) == [(1, later.index, True), (1, by_id.index, False), (1, alone.index, True)]
    for _ in range(10):
        clock.advance(hours=2)
        assert project_pending(hub.store, 1, clock=clock, holder="test") == 0
    with hub.store.transaction() as session:
        tries = session.rows("SELECT attempts, next_attempt_us, needs_version FROM projection_faults ORDER BY idx")
    assert tries == [(0, None, 7), (0, None, None), (0, None, 1)]
    nothing = registry.PROJECTORS["PlantEnrolled", 1]
    monkeypatch.setitem(registry.PROJECTORS, ("BatchReceived", 7), nothing)
    monkeypatch.setitem(registry.PROJECTORS, ("BatchTeleported", 1), nothing)
    assert project_behind(hub.store, clock, "test") == 3
    assert faults(group, 1) == []
    assert second.index < later.index
    assert contents_of(hub.store, 1) == contents_of(node.store, 1)


def test_applied_out_of_turn_then_the_tables_are_those_of_a_rebuild(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    call = CommandContext(1, CLOCK.now())
    for entry in receive(node, 6):
        with node.store.transaction() as session:
            quarantine_batch(session, Quarantine(entry.envelope["key"], "seal"), actor=LI, call=call)
    exchange(node)
    real = registry.PROJECTORS["BatchReceived", 1]
    chance = secrets.SystemRandom()
    failing = set(chance.sample(range(3, 9), 3))

    def sometimes(writes: Any, log_id: int, entry: Entry) -> None:
        if entry.index in failing:
            raise RuntimeError("planted")
        real(writes, log_id, entry)

    clock = FixedClock(CLOCK.now())
    with monkeypatch.context() as patch:
        patch.setitem(registry.PROJECTORS, ("BatchReceived", 1), sometimes)
        project_pending(hub.store, 1, clock=clock, holder="test")
        assert len(faults(group, 1)) == 6, failing
    clock.advance(seconds=10)
    assert project_pending(hub.store, 1, clock=clock, holder="test") == 6
    assert contents_of(hub.store, 1) == contents_of(node.store, 1), failing


def test_too_much_waits_then_the_plant_halts_and_says_so(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, hub = group.plant(1, "SH1"), group.plant(2, "SZ2"), group.hub.node
    monkeypatch.setattr(parking, "PARKED_MAX", 3)
    for number in range(5):
        write_raw(one, "BatchTeleported", f"T-{number}", {})
    receive(one, 1)
    exchange(one)
    exchange(two)
    assert project_behind(hub.store, CLOCK, "test") == 4 + 3
    receive(one, 2)
    exchange(one)
    assert stand(hub.store, 1) == stand(one.store, 1)
    assert project_behind(hub.store, CLOCK, "test") == 0
    with hub.store.transaction() as session:
        assert session.rows("SELECT key FROM projection_faults WHERE log_id = 1 ORDER BY idx")[-1] == (HALTED,)
    nothing = registry.PROJECTORS["PlantEnrolled", 1]
    monkeypatch.setitem(registry.PROJECTORS, ("BatchTeleported", 1), nothing)
    with hub.store.transaction() as session:
        retry_now(session, CLOCK.now(), 1)
    assert project_behind(hub.store, CLOCK, "test") == 5 + 2
    assert faults(group, 1) == []
    assert contents_of(hub.store, 1) == contents_of(one.store, 1)


def test_two_plants_behind_then_the_shorter_way_goes_first(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, hub = group.plant(1, "SH1"), group.plant(2, "BJ1"), group.hub.node
    receive(one, 20)
    receive(two, 1)
    exchange(one)
    exchange(two)
    turns = []

    def watched(store: Store, log_id: int, **given: Any) -> int:
        turns.append(log_id)
        return project_pending(store, log_id, **given)

    monkeypatch.setattr(projecting, "project_pending", watched)
    assert project_behind(hub.store, CLOCK, "test") == 23 + 4
    assert turns == [2, 1]


def test_what_an_entry_touches_then_its_key_and_every_node_id_wherever_it_stands() -> None:
    batch, process, other = (1 << 40) + 5, (2 << 40) + 6, (3 << 40) + 7
    payload = {
        "lifted": [[batch, 3]],
        "dispositions": {str(other): "BLOCKED"},
        "movements": [{"put_in": f"process:{process}", "amount": "12.5"}],
        "small": 77,
        "flag": True,
        "text": "order 1234567890123 is no id",
    }
    with_payload = replace(ENTRY, envelope={**ENTRY.envelope, "payload": payload})
    assert touched_keys(with_payload) == {"key K", str(batch), str(process), str(other)}


ENTRY = Entry(
    {
        "id": "x",
        "type": "T",
        "version": 1,
        "plant": 1,
        "index": 0,
        "hlc": "0" * 16,
        "occurred_at": "",
        "recorded_at": "",
        "actor": "a",
        "key": "K",
        "payload": None,
    },
    b"",
    b"",
)
