"""The hub records how far it holds the plants' ledgers; plants check and cosign the hub's own ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from auth.notes import NoteSigner, generate_key
from infra.database import Row, Store
from infra.ids import new_id
from plants.commands.replication.rebuild import rebuild
from plants.commands.replication.witnesses import witness_checkpoints
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier, consistency_proof, growth_proof, leaf_hash
from plants.rules.ledger.notes import Checkpoint, Note
from plants.rules.values.instants import format_instant
from plants.store.ledger import mirrors
from plants.store.ledger.entries import HUB_LOG, Head, entries_between
from plants.store.monitoring.alarms import AlarmKind, AlarmRow, alarms
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.status import checkpoint_at, ledger_status
from plants.store.replication.witnesses import ContradictionRow
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.hub.witnessing import HubCheckpoint, witness_plants
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.witnessing import accept_hub_ledger
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Hello, Position, Welcome
from tests.sync_jobs.group import CLOCK, Group, receive, stand


def rows(store: Store, sql: str) -> list[Row]:
    with store.transaction() as session:
        return session.rows(sql)


def hub_ledger(group: Group) -> list[Entry]:
    with group.hub.node.store.transaction() as session:
        return list(entries_between(session, HUB_LOG, 0, Head(session, HUB_LOG).size))


def held(node: PlantNode) -> Checkpoint | None:
    """Return the hub's checkpoint that a plant has cosigned."""
    with node.store.transaction() as session:
        note = ledger_status(session, HUB_LOG).checkpoint
    return None if note is None else Checkpoint.parse(Note.parse(note).text)


def lasting(store: Store) -> list[AlarmRow]:
    with store.reading() as reads:
        return [one for one in alarms(reads) if one.kind in {AlarmKind.HUB_LEDGER_FORKED, AlarmKind.HUB_REGRESSED}]


def evidence(store: Store) -> list[ContradictionRow]:
    with store.reading() as reads:
        row = ContradictionRow
        return list(reads.exec(select(row).order_by(col(row.seen_at).desc(), col(row.id))))


def write_something(group: Group, name: str) -> None:
    """Append an entry to the hub's own ledger."""
    now = CLOCK.now()
    with group.hub.node.store.transaction() as session:
        Head(session, HUB_LOG).append(
            {
                "id": new_id(), "type": "HubOpened", "version": 1, "plant": 0, "index": 0, "hlc": "",
                "occurred_at": format_instant(now), "recorded_at": "", "actor": "system", "key": name,
                "payload": {"group": name, "origin": name},
            },
            now,
        )  # fmt: skip


def restore_to(group: Group, size: int) -> None:
    """Restore the hub's own ledger to that of an old copy of its store."""
    entries = hub_ledger(group)[:size]
    frontier = Frontier().extend(entry.leaf for entry in entries)
    with group.hub.node.store.transaction() as session:
        session.run("DELETE FROM entries WHERE log_id = 0 AND idx >= :size", {"size": size})
        session.run("DELETE FROM checkpoints WHERE log_id = 0 AND size > :size", {"size": size})
        session.run("DELETE FROM replication WHERE log_id = 0")
        values = {"size": size, "frontier": frontier.to_bytes()}
        session.run("UPDATE logs SET size = :size, projected = :size, frontier = :frontier WHERE log_id = 0", values)


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_proof_from_a_known_frontier_is_the_proof_of_the_whole_tree(one: int, other: int) -> None:
    old, new = sorted((one, other))
    leaves = [leaf_hash(bytes([number % 251, number // 251])) for number in range(new)]

    def read(low: int, high: int) -> list[bytes]:
        assert low >= old
        return leaves[low:high]

    assert growth_proof(Frontier().extend(leaves[:old]), read, new) == consistency_proof(leaves, old, new)


def test_a_proof_back_to_a_smaller_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot come before"):
        growth_proof(Frontier().append(leaf_hash(b"")), [], 0)


def test_plants_that_grew_are_written_into_the_hubs_ledger_once(group: Group) -> None:
    plants = [group.plant(1, "SH1"), group.plant(2, "NB1")]
    for node in plants:
        receive(node, 3)
        assert exchange(node).sent == stand(node.store, node.number)[0]
    before = len(hub_ledger(group))
    assert witness_plants(group.hub.node) == 1
    assert witness_plants(group.hub.node) == 0
    (entry,) = hub_ledger(group)[before:]
    seen = entry.payload["checkpoints"]
    said = [(one["origin"], one["size"], bytes.fromhex(one["root"])) for one in seen]
    assert said == [(node.origin, *stand(node.store, node.number)) for node in plants]
    for one, node in zip(seen, plants, strict=True):
        keys = (*checkpoints.keys_of(node.signer.key), *checkpoints.keys_of(node.hub_key))
        signed = checkpoints.read(one["note"].encode(), node.origin, keys)
        assert signed.checkpoint == Checkpoint(node.origin, one["size"], bytes.fromhex(one["root"]))
        assert signed.cosigned_by(node.hub_key.name) is not None
    receive(plants[1])
    exchange(plants[1])
    assert witness_plants(group.hub.node) == 1
    assert [one["origin"] for one in hub_ledger(group)[-1].payload["checkpoints"]] == [plants[1].origin]


def test_what_the_hub_witnessed_is_made_again_from_its_ledger(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    witness_plants(group.hub.node)
    store = group.hub.node.store
    size, root = stand(node.store, 1)
    found = rows(store, "SELECT plant_id, origin, size, root, entry_idx FROM witnessed")
    assert found == [(0, node.origin, size, root.hex(), 2)]
    before = table_digests(store)
    with store.transaction() as session:
        rebuild(session)
    assert table_digests(store) == before


def test_many_plants_take_more_entries_than_one(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, code in ((1, "SH1"), (2, "NB1"), (3, "US3")):
        exchange(group.plant(number, code))
    monkeypatch.setattr("plants.commands.replication.witnesses.WITNESSED_BYTES_MAX", 10)
    assert witness_plants(group.hub.node) == 3
    assert [len(entry.payload["checkpoints"]) for entry in hub_ledger(group)[-3:]] == [1, 1, 1]


def test_nothing_grew_then_nothing_is_written(group: Group) -> None:
    group.plant(1, "SH1")
    with group.hub.node.store.transaction() as session:
        assert witness_checkpoints(session, now=CLOCK.now()) is None
    assert [entry.type for entry in hub_ledger(group)] == ["HubOpened", "PlantEnrolled"]


def test_a_plant_cosigns_the_hubs_ledger_and_the_hub_keeps_it_through_its_next_signing(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    sign_own_ledgers(hub)
    exchange(node)
    size, root = stand(hub.store, HUB_LOG)
    assert held(node) == Checkpoint(hub.origin, size, root)
    exchange(node, forced=True)  # sends the cosignature
    sign_own_ledgers(hub)
    with hub.store.transaction() as session:
        note = checkpoint_at(session, HUB_LOG, size)
    assert note is not None
    keys = (*checkpoints.keys_of(hub.signer.key), *checkpoints.keys_of(node.signer.key))
    assert checkpoints.read(note, hub.origin, keys).cosigned_by(node.origin) is not None
    assert len(Note.parse(note).signatures) == 3  # the hub's two, and the plant's


def test_the_hubs_ledger_grows_then_the_plant_follows_by_its_proof(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    for number in range(1, 6):
        for one in range(number):
            write_something(group, f"{number}.{one}")
        sign_own_ledgers(hub)
        exchange(node, forced=True)
        size, root = stand(hub.store, HUB_LOG)
        assert held(node) == Checkpoint(hub.origin, size, root)
    assert (lasting(node.store), lasting(hub.store)) == ([], [])
    assert (evidence(node.store), evidence(hub.store)) == ([], [])


def test_a_hub_restored_from_an_old_copy_that_wrote_something_else_then_both_sides_know(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    old = len(hub_ledger(group))
    write_something(group, "first history")
    sign_own_ledgers(hub)
    exchange(node)
    seen = held(node)
    restore_to(group, old)
    for one in range(3):
        write_something(group, f"second history {one}")
    sign_own_ledgers(hub)
    receive(node, 2)
    shown = Checkpoint(hub.origin, *stand(hub.store, HUB_LOG))
    ended = exchange(node, forced=True)

    assert ended.sent == 2  # replication of the plant's own ledger continues
    assert held(node) == seen
    (alarm,) = lasting(node.store)
    assert (alarm.kind, alarm.about) == (AlarmKind.HUB_LEDGER_FORKED, hub.origin)
    (kept,) = evidence(node.store)
    keys = checkpoints.keys_of(hub.signer.key)
    assert [checkpoints.read(note, hub.origin, keys).checkpoint for note in (kept.held, kept.shown)] == [seen, shown]
    (alarm,) = lasting(hub.store)
    assert (alarm.kind, alarm.about) == (AlarmKind.HUB_LEDGER_FORKED, f"{hub.origin} {node.origin}")
    assert len(evidence(hub.store)) == 1

    exchange(node, forced=True)
    sign_own_ledgers(hub)
    exchange(node, forced=True)
    assert len(evidence(node.store)) == 1  # the same pair, signed again, is the same evidence
    assert lasting(node.store)[0].times == 3

    with node.store.transaction() as session:
        assert accept_hub_ledger(session, node)
    assert (held(node), lasting(node.store)) == (shown, [])
    write_something(group, "later")
    sign_own_ledgers(hub)
    exchange(node, forced=True)
    assert held(node) == Checkpoint(hub.origin, *stand(hub.store, HUB_LOG))
    assert (lasting(node.store), lasting(hub.store)) == ([], [])
    assert len(evidence(node.store)) == 1


def test_a_smaller_hub_ledger_then_an_alarm_until_it_shows_the_whole_again(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    old = len(hub_ledger(group))
    write_something(group, "one more")
    sign_own_ledgers(hub)
    exchange(node)
    seen, lost = held(node), hub_ledger(group)[old:]
    restore_to(group, old)
    sign_own_ledgers(hub)
    exchange(node, forced=True)
    assert held(node) == seen
    assert [one.kind for one in lasting(node.store)] == [AlarmKind.HUB_LEDGER_FORKED]
    assert [one.kind for one in lasting(hub.store)] == [AlarmKind.HUB_REGRESSED]

    with hub.store.transaction() as session:
        head = Head(session, HUB_LOG)
        mirrors.extend(session, head, lost, head.frontier.extend(entry.leaf for entry in lost))
    sign_own_ledgers(hub)
    exchange(node, forced=True)
    assert (lasting(node.store), lasting(hub.store)) == ([], [])


def test_nothing_to_accept_then_nothing_changes(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    seen = held(node)
    with node.store.transaction() as session:
        assert not accept_hub_ledger(session, node)
    assert held(node) == seen


def test_a_hub_and_a_plant_of_the_release_before_then_the_exchange_goes_on(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = group.plant(1, "SH1")
    older = {"hub_checkpoint", "hub_proof", "hub_ledger"}
    for message in (Hello, Welcome):
        monkeypatch.setattr(
            message, "to_bytes", lambda self: self.model_dump_json(exclude=older).encode(), raising=True
        )
    receive(node)
    assert exchange(node).sent == stand(node.store, 1)[0]
    assert (held(node), lasting(node.store)) == (None, [])


def test_another_than_the_hub_signed_then_an_alarm_and_nothing_is_cosigned(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = group.plant(1, "SH1")
    stranger = NoteSigner(node.hub_key.name, generate_key())

    def show(*_: object) -> HubCheckpoint:
        note = checkpoints.sign(stranger.name, Position(1, bytes(32)), stranger, CLOCK.now())
        return HubCheckpoint(bytes(note).decode())

    monkeypatch.setattr("sync_jobs.hub.witnessing.show_hub_checkpoint", show)
    exchange(node)
    assert held(node) is None
    assert [one.kind for one in lasting(node.store)] == [AlarmKind.HUB_LEDGER_FORKED]
