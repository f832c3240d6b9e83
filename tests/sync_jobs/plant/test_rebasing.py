"""Diverged ledgers: the fork is found, the hub's entries come first, and every entry of the plant is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.execution import Command, CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.inventory.stock import StockDifference, adjust_stock
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.disputes import Settlement, settle_dispute
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry, decode
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.replication.disputes import disputes
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.rebasing import RootsAt, find_fork
from sync_jobs.projection.projecting import project_pending
from sync_jobs.protocol.wire import ROOTS_MAX
from tests.sync_jobs.copies import backup, cut_hub, on_copy
from tests.sync_jobs.group import CLOCK, LI, Group, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, last_payload, level, types

WANG = Author("wang.fang", "Wang Fang")
ONE = "0199aaaa-0000-7000-8000-000000000001"


@dataclass
class Parted:
    """A plant restored from an old backup, and its entries before and after the restore."""

    node: PlantNode
    goods: Entry  # received before the backup: known to both
    lost: list[Entry]  # written after the backup, at the hub


def part(group: Group, tmp_path: Path, lost: int = 3) -> Parted:
    """Restore a plant from a backup that is older than the hub's copy."""
    node = group.plant(1, "SH1")
    (goods,) = receive(node)
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    written = receive(node, lost)
    exchange(node)
    return Parted(on_copy(group, node, old), goods, written)


def run(
    node: PlantNode,
    work: Command[Any],
    order: object,
    *,
    actor: Author = LI,
    request: str | None = None,
    reason: str | None = None,
) -> Entry:
    """Run a command at the plant."""
    with node.store.transaction() as session:
        return work(session, order, actor=actor, call=CommandContext(1, CLOCK.now(), request=request, reason=reason))


def worklist(node: PlantNode, *, settled: bool = False) -> list[tuple[str, list[str], str | None]]:
    """Return type, collisions and settlement of each disputed entry."""
    with node.store.reading() as reads:
        found = disputes(reads, PlantScope(frozenset({1})), settled=settled)
    return [(one.type, [each["code"] for each in one.collisions], one.settlement) for one in found]


def repaired(group: Group, node: PlantNode) -> None:
    """Exchange, and assert that both sides then have the same ledger and tables."""
    done = exchange(node, forced=True)
    assert done.state in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}
    if done.more:
        exchange(node, forced=True)
    level(group, node)


def ids(node: PlantNode) -> list[str]:
    """Return the ids of all entries of the plant's ledger."""
    with node.store.transaction() as session:
        return [row[0] for row in session.rows("SELECT event_id FROM entries WHERE log_id = 1 ORDER BY idx")]


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 800))
def test_any_fork_then_found_within_few_rounds(fork: int, ours: int, theirs: int, likely: int) -> None:
    ours, theirs = ours + 1, theirs + 1
    rounds = 0

    def mine(sizes: Sequence[int]) -> Sequence[bytes]:
        return [b"same" if size <= fork else b"mine" for size in sizes]

    def hubs(sizes: Sequence[int]) -> Sequence[bytes]:
        nonlocal rounds
        rounds += 1
        assert 0 < len(sizes) <= ROOTS_MAX
        assert list(sizes) == sorted(set(sizes))
        return [b"same" if size <= fork else b"hubs" for size in sizes]

    high = fork + min(ours, theirs)
    assert find_fork(mine, hubs, high, likely) == fork
    assert rounds <= 4


def test_fork_in_a_million_then_found_in_four_requests() -> None:
    asked: list[int] = []

    def roots(name: bytes) -> RootsAt:
        def at(sizes: Sequence[int]) -> Sequence[bytes]:
            asked.append(len(sizes))
            return [b"same" if size <= 777_777 else name for size in sizes]

        return at

    assert find_fork(roots(b"a"), roots(b"b"), 1_000_000, 0) == 777_777
    assert len(asked) // 2 == 4


def test_own_entries_that_collide_with_nothing_then_appended_again(group: Group, tmp_path: Path) -> None:
    parted = part(group, tmp_path)
    node, code = parted.node, parted.goods.envelope["key"]
    with node.store.transaction() as session:
        session.run("UPDATE series SET next = next + 100")  # as high-water marks would have it.
    moved = run(node, adjust_stock, StockDifference(code, "A1", "-0.1"), reason="spilt", request=ONE)
    own = receive(node, 2)
    repaired(group, node)
    assert last_payload(node, "LedgerRebased").items() >= {"fork": 4, "adopted": 3, "again": 3, "disputed": 0}.items()
    assert types(node)[7:10] == ["StockAdjusted", "BatchReceived", "BatchReceived"]
    assert ids(node)[7:10] == [entry.envelope["id"] for entry in (moved, *own)]
    assert worklist(node, settled=True) == []
    assert run(node, adjust_stock, StockDifference(code, "A1", "-0.1"), reason="spilt", request=ONE).index == 7
    with node.store.transaction() as session:
        row = session.row("SELECT body FROM entries WHERE log_id = 1 AND idx = 7")
        kept = session.rows("SELECT body FROM set_aside_entries WHERE log_id = 1 ORDER BY idx")
    assert row is not None
    envelope = decode(row[0])
    assert envelope["rebased_from"] == {
        "index": moved.index,
        "leaf": moved.leaf.hex(),
        "recorded_at": moved.envelope["recorded_at"],
    }
    assert {name: envelope[name] for name in ("id", "occurred_at", "actor", "key", "payload", "request")} == {
        name: moved.envelope[name] for name in ("id", "occurred_at", "actor", "key", "payload", "request")
    }
    assert [bytes(body) for (body,) in kept] == [entry.body for entry in (moved, *own)]


def test_same_codes_on_both_sides_then_disputed_whole_and_later_numbers_are_new(group: Group, tmp_path: Path) -> None:
    parted = part(group, tmp_path, lost=2)
    node = parted.node
    own = receive(node, 3)
    assert [entry.envelope["key"] for entry in own[:2]] == [entry.envelope["key"] for entry in parted.lost]
    repaired(group, node)
    assert [(event, found[0]) for event, found, _ in worklist(node)] == [("BatchReceived", "BATCH_TAKEN")] * 2
    assert types(node)[6:] == ["EntryDisputed", "EntryDisputed", "BatchReceived", "LedgerRebased"]
    disputed = last_payload(node, "EntryDisputed")
    assert disputed["entry"] == own[1].envelope
    assert leaf_hash(own[1].body).hex() == disputed["leaf"]
    assert kinds(node.store) == {"ENTRY_DISPUTED"}
    (fresh,) = receive(node)
    assert fresh.envelope["key"] not in {entry.envelope["key"] for entry in (*own, *parted.lost)}
    before = stand(node.store, 1)
    with pytest.raises(Refusal) as refused:
        run(node, settle_dispute, Settlement(5, "no such"))
    assert (refused.value.code, stand(node.store, 1)) == (DISPUTE_UNKNOWN, before)
    run(node, settle_dispute, Settlement(6, "relabelled as a new batch"))
    assert kinds(node.store) == {"ENTRY_DISPUTED"}
    run(node, settle_dispute, Settlement(7, "relabelled as a new batch"))
    assert kinds(node.store) == set()
    assert worklist(node) == []
    before = stand(node.store, 1)
    with pytest.raises(Refusal) as refused:
        run(node, settle_dispute, Settlement(7, "twice"))
    assert (refused.value.code, stand(node.store, 1)) == (DISPUTE_SETTLED, before)
    repaired(group, node)


def test_more_taken_than_there_is_then_disputed_and_nothing_goes_below_zero(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    (goods,) = receive(node)
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    process = run(node, open_process, ProcessOrder())
    line = StockLine(goods.envelope["key"], "10", "KGM", "A1")
    run(node, feed_process, Feed(process.payload["process"]["id"], (line,)))
    exchange(node)
    node = on_copy(group, node, old)
    with node.store.transaction() as session:
        session.run("INSERT INTO series (plant_id, name, next) VALUES (1, 'x', 1) ON CONFLICT DO NOTHING")
        session.run("UPDATE series SET next = next + 100")
    other = run(node, open_process, ProcessOrder())
    run(node, feed_process, Feed(other.payload["process"]["id"], (line,)))
    run(node, close_process, Closing(other.payload["process"]["id"]))
    exchange(node, forced=True)
    assert worklist(node) == [("ProcessFed", ["STOCK_SHORT"], None), ("ProcessClosed", ["PROCESS_CHANGED"], None)]
    with node.store.transaction() as session:
        assert session.rows(
            "SELECT quantity FROM stock WHERE batch_id = :id", {"id": goods.payload["batches"][0]["id"]}
        ) == [(2_500_000,)]


def test_goods_held_in_between_then_what_used_them_is_disputed(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    (goods,) = receive(node)
    code = goods.envelope["key"]
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    run(node, quarantine_batch, Quarantine(code, "broken seal"))
    exchange(node)
    node = on_copy(group, node, old)
    with node.store.transaction() as session:
        session.run("UPDATE series SET next = next + 100")
    process = run(node, open_process, ProcessOrder())
    run(node, feed_process, Feed(process.payload["process"]["id"], (StockLine(code, "1", "KGM", "A1"),)))
    repaired(group, node)
    assert worklist(node) == [("ProcessFed", ["BATCH_ON_HOLD"], None)]


def test_hold_correction_and_decision_then_positions_are_renumbered_and_decisions_asked_again(
    group: Group, tmp_path: Path
) -> None:
    parted = part(group, tmp_path)
    node, code = parted.node, parted.goods.envelope["key"]
    with node.store.transaction() as session:
        session.run("UPDATE series SET next = next + 100")
    (fresh,) = receive(node)
    run(node, correct_entry, Correction(fresh.index, CorrectionReason.DID_NOT_OCCUR, "scanned by mistake"))
    run(node, quarantine_batch, Quarantine(code, "broken seal"))
    asked = run(node, request_change, ReleaseRequest(code, "seal was fine"))
    decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
    run(node, decide_change, decision, actor=WANG)
    repaired(group, node)
    assert last_payload(node, "EntryCorrected")["entry"] == 7
    assert [event for event, _, _ in worklist(node)] == ["ChangeRequested", "ChangeDecided", "ChangeApplied"]
    with node.store.transaction() as session:
        assert session.rows("SELECT hold_id, lifted_idx FROM holds") == [(9, None)]
        assert session.rows("SELECT entry_idx, corrected_by FROM corrections") == [(7, 8)]
        assert session.rows("SELECT 1 FROM change_requests") == []


def test_same_request_on_both_sides_then_settled_at_once(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    order = Delivery("MILK", "12.5", "KGM", "A1")
    first = run(node, receive_batch, order, request=ONE)
    exchange(node)
    node = on_copy(group, node, old)
    again = run(node, receive_batch, order, request=ONE)
    assert again.envelope["key"] == first.envelope["key"]
    run(node, adjust_stock, StockDifference(first.envelope["key"], "A1", "-0.1"), reason="spilt")
    repaired(group, node)
    assert worklist(node) == []
    assert worklist(node, settled=True) == [("BatchReceived", ["ALREADY_RECORDED"], "ALREADY_RECORDED")]
    assert types(node)[3:] == ["BatchReceived", "EntryDisputed", "StockAdjusted", "LedgerRebased"]
    assert kinds(node.store) == set()
    assert run(node, receive_batch, order, request=ONE).leaf == first.leaf


def test_directive_answered_on_both_sides_then_it_counts_once(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    hub = group.hub.node
    (goods,) = receive(node)
    run(node, quarantine_batch, Quarantine(goods.envelope["key"], "broken seal"))
    asked = run(node, request_change, ReleaseRequest(goods.envelope["key"], "seal was fine"))
    exchange(node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")
    old = backup(node, tmp_path / "old.db")
    with hub.store.transaction() as session:
        decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
        decide_change_at_hub(session, decision, actor=WANG, call=CommandContext(1, CLOCK.now()))
    assert exchange(node).applied == 1
    cut_copy = backup(node, tmp_path / "answered.db")
    exchange(node, forced=True)  # the hub has its answer.
    answered = on_copy(group, node, cut_copy)
    receive(answered, 1)  # both ledgers have the answer; a new entry makes them diverge from the copy below.
    node = on_copy(group, node, old)
    receive(node, 1)
    exchange(node, forced=True)
    with node.store.transaction() as session:
        rows = session.rows(
            "SELECT type FROM entries WHERE log_id = 1 AND type IN ('ChangeApplied', 'DirectiveApplied')"
        )
        assert rows == [("ChangeApplied",), ("DirectiveApplied",)]
    assert "ChangeDecided" not in [event for event, _, _ in worklist(node, settled=True)]
    level(group, node)


def test_answer_that_only_the_plant_has_then_answered_again_once(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    hub = group.hub.node
    (goods,) = receive(node)
    run(node, quarantine_batch, Quarantine(goods.envelope["key"], "broken seal"))
    asked = run(node, request_change, ReleaseRequest(goods.envelope["key"], "seal was fine"))
    exchange(node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")
    old = backup(node, tmp_path / "old.db")
    receive(node, 1)
    exchange(node)
    node = on_copy(group, node, old)
    with hub.store.transaction() as session:
        decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
        decide_change_at_hub(session, decision, actor=WANG, call=CommandContext(1, CLOCK.now()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync_jobs.plant.exchange.REPAIRS", {})
        patch.setattr("sync_jobs.protocol.handshake.Decision.may_sign", property(lambda _self: True))
        patch.setattr("sync_jobs.plant.exchange.push", lambda *_: 0)
        assert exchange(node, forced=True).applied == 1  # as a plant that went offline right after the fetch.
    repaired(group, node)
    assert {(event, settled) for event, _, settled in worklist(node, settled=True)} == {
        ("ChangeDecided", "ANSWERED_AGAIN"),
        ("ChangeApplied", "ANSWERED_AGAIN"),
        ("DirectiveApplied", "ANSWERED_AGAIN"),
    }
    assert [types(node).count(event) for event in ("ChangeDecided", "ChangeApplied", "DirectiveApplied")] == [1, 1, 1]
    with node.store.transaction() as session:
        assert session.rows("SELECT state FROM change_requests") == [("APPLIED",)]


def test_repair_that_was_itself_restored_then_nothing_is_doubled(group: Group, tmp_path: Path) -> None:
    parted = part(group, tmp_path)
    node = parted.node
    own = receive(node, 2)
    again = backup(node, tmp_path / "again.db")
    repaired(group, node)
    node = on_copy(group, node, again)
    (late,) = receive(node, 1)
    repaired(group, node)
    found = ids(node)
    assert len(found) == len(set(found))
    assert {entry.envelope["id"] for entry in (*own, late)} <= set(found)


def test_hub_lost_everything_of_a_plant_then_it_gets_it_all_again(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 2)
    exchange(node)
    cut_hub(group, 1, 0)
    exchange(node, forced=True)
    level(group, node)


def test_hub_lost_directives_and_made_others_then_its_own_lost_ones_come_first(group: Group) -> None:
    node = group.plant(1, "SH1")
    hub = group.hub.node
    asked = []
    for goods in receive(node, 3):
        code = goods.envelope["key"]
        run(node, quarantine_batch, Quarantine(code, "broken seal"))
        asked.append(run(node, request_change, ReleaseRequest(code, "seal was fine")))
    exchange(node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")

    def decide(change: Entry) -> Entry:
        with hub.store.transaction() as session:
            decision = Decision(change.index, change.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
            return decide_change_at_hub(session, decision, actor=WANG, call=CommandContext(1, CLOCK.now()))

    first, second = decide(asked[0]), decide(asked[1])
    assert exchange(node, forced=True).applied == 2
    exchange(node, forced=True)
    cut_hub(group, -1, 0)
    with hub.store.transaction() as session:
        session.run("DELETE FROM change_decisions WHERE log_id = -1")
    third = decide(asked[2])
    done = exchange(node, forced=True)
    assert (done.received, done.applied) == (1, 1)
    assert stand(node.store, -1) == stand(hub.store, -1)
    with hub.store.transaction() as session:
        rows = session.rows("SELECT event_id FROM entries WHERE log_id = -1 ORDER BY idx")
    assert [row[0] for row in rows] == [entry.envelope["id"] for entry in (first, second, third)]
    exchange(node, forced=True)
    level(group, node)
    assert kinds(node.store) == set()
    with node.store.transaction() as session:
        assert session.rows("SELECT state FROM change_requests") == [("APPLIED",)] * 3


def test_hub_lost_directives_then_they_are_handed_back(group: Group) -> None:
    node = group.plant(1, "SH1")
    hub = group.hub.node
    (goods,) = receive(node)
    run(node, quarantine_batch, Quarantine(goods.envelope["key"], "broken seal"))
    asked = run(node, request_change, ReleaseRequest(goods.envelope["key"], "seal was fine"))
    exchange(node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")
    with hub.store.transaction() as session:
        decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
        decide_change_at_hub(session, decision, actor=WANG, call=CommandContext(1, CLOCK.now()))
    exchange(node, forced=True)
    kept = stand(hub.store, -1)
    cut_hub(group, -1, 0)
    done = exchange(node, forced=True)
    assert (done.state, done.received) == (ReplicationState.IN_SYNC, 0)
    assert stand(hub.store, -1) == kept == stand(node.store, -1)
    assert "HUB_REGRESSED" in kinds(hub.store, over=True)
