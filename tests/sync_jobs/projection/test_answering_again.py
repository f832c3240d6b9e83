"""A directive that is answered again after an upgrade and a restore or divergence takes effect once."""

from pathlib import Path

import pytest

from plants.commands.directives.directives import HoldDirection, direct_hold
from plants.commands.directives.outcomes import APPLIERS
from plants.rules.ledger.events import decode
from simulation.ledger_replay import LedgerState
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_pending
from tests.sync_jobs.copies import backup, cut_hub, on_copy
from tests.sync_jobs.group import CLOCK, Group, receive
from tests.sync_jobs.plant.test_restoring import level, types
from tests.sync_jobs.test_directing import directs, open_holds, states


def refused(group: Group) -> PlantNode:
    """Return a plant whose older program rejected a hold, and whose current program is the newer one."""
    node = group.plant(1, "SH1")
    (goods,) = receive(node)
    exchange(node)
    project_pending(group.hub.node.store, 1, clock=CLOCK, holder="test")
    directs(group, direct_hold, HoldDirection(str(goods.envelope["key"]), "Glass"))
    with pytest.MonkeyPatch.context() as upgraded:
        upgraded.delitem(APPLIERS, ("HoldDirected", 1))
        assert exchange(node, forced=True).applied == 1
        assert exchange(node, forced=True).applied == 0
    assert states(group) == []
    return node


def answers_offline(node: PlantNode) -> None:
    """Let the plant answer as if it went offline right after the fetch, whatever the hub has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync_jobs.plant.exchange.REPAIRS", {})
        patch.setattr("sync_jobs.protocol.handshake.Decision.may_sign", property(lambda _self: True))
        patch.setattr("sync_jobs.plant.exchange.push", lambda *_: 0)
        assert exchange(node, forced=True).applied == 1


def in_force_once(group: Group, node: PlantNode) -> None:
    """Assert that the hold is in force on both sides, and that the simulator's reference model agrees."""
    exchange(node, forced=True)
    level(group, node)
    assert states(group) == [(1, 0, 1)]
    assert len(open_holds(node)) == 1
    assert [types(node).count(event) for event in ("DirectiveRejected", "DirectiveApplied")] == [1, 1]
    books = LedgerState(1)
    with node.store.transaction() as session:
        rows = session.rows("SELECT body FROM entries WHERE log_id = 1 ORDER BY idx")
    for index, (body,) in enumerate(rows):
        books.fold(index, dict(decode(bytes(body))))
    assert books.unsupported == {}
    assert list(books.answered) == [0]


def test_plant_restored_to_before_its_second_answer_then_it_comes_back_and_there_is_no_third(
    group: Group, tmp_path: Path
) -> None:
    node = refused(group)
    old = backup(node, tmp_path / "old.db")
    assert exchange(node, forced=True).applied == 1
    exchange(node, forced=True)
    node = on_copy(group, node, old)
    assert exchange(node, forced=True).applied == 0
    in_force_once(group, node)


def test_second_answer_that_only_a_lost_branch_has_then_answered_once_more_behind_the_hubs_entries(
    group: Group, tmp_path: Path
) -> None:
    node = refused(group)
    old = backup(node, tmp_path / "old.db")
    receive(node, 2)
    exchange(node, forced=True)
    node = on_copy(group, node, old)
    answers_offline(node)
    assert types(node)[-2:] == ["BatchQuarantined", "DirectiveApplied"]
    exchange(node, forced=True)
    in_force_once(group, node)
    assert types(node)[5:] == [
        "BatchReceived", "BatchReceived", "EntryDisputed", "EntryDisputed", "LedgerRebased",
        "BatchQuarantined", "DirectiveApplied",
    ]  # fmt: skip


def test_both_branches_answered_a_second_time_then_it_counts_once(group: Group, tmp_path: Path) -> None:
    node = refused(group)
    old = backup(node, tmp_path / "old.db")
    assert exchange(node, forced=True).applied == 1
    exchange(node, forced=True)
    node = on_copy(group, node, old)
    answers_offline(node)
    exchange(node, forced=True)
    in_force_once(group, node)


def test_hub_restored_to_before_the_answers_then_it_gets_both_in_order(group: Group) -> None:
    node = refused(group)
    assert exchange(node, forced=True).applied == 1
    exchange(node, forced=True)
    cut_hub(group, 1, 4)
    in_force_once(group, node)
