"""A plant or a hub restored from an old backup: acknowledged entries return without an operator."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.database import Store
from infra.messages import word
from migrations import upgrade
from plants.commands.execution import CommandContext
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.ledger.events import decode
from plants.store.monitoring.alarms import alarms
from plants.store.projection.rebuilding import table_digests
from plants.store.replication import leases
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import restoring
from sync_jobs.plant.exchange import NotRestored, exchange, restore_from_hub
from sync_jobs.plant.exchange_context import LEASE
from sync_jobs.projection.projecting import project_pending
from tests.sync_jobs.copies import backup, cut_hub, on_copy
from tests.sync_jobs.group import CLOCK, LI, Group, column, receive, stand

REQUEST = "0199aaaa-0000-7000-8000-000000000001"


def kinds(store: Store, *, over: bool = False) -> set[str]:
    """Return the kinds of the open alarms at a node, or of all alarms it ever had."""
    with store.reading() as reads:
        return {alarm.kind for alarm in alarms(reads, over=over)}


def types(node: PlantNode) -> list[str]:
    """Return the types of a plant's entries in order."""
    with node.store.transaction() as session:
        return [row[0] for row in session.rows("SELECT type FROM entries WHERE log_id = 1 ORDER BY idx")]


def last_payload(node: PlantNode, event: str) -> dict[str, object]:
    """Return the payload of the last entry of a type."""
    with node.store.transaction() as session:
        rows = session.rows("SELECT body FROM entries WHERE log_id = 1 AND type = :type ORDER BY idx", {"type": event})
    payload = decode(rows[-1][0])["payload"]
    assert isinstance(payload, dict)
    return payload


def level(group: Group, node: PlantNode) -> None:
    """Assert that plant and hub hold the same ledger and the same tables."""
    hub = group.hub.node.store
    assert stand(hub, 1) == stand(node.store, 1)
    project_pending(hub, 1, clock=CLOCK, holder="test")
    assert table_digests(hub, plant=1) == table_digests(node.store, plant=1)


def test_plant_restored_then_its_tail_comes_back_in_the_same_exchange(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    order, call = Delivery("MILK", "12.5", "KGM", "A1"), CommandContext(1, CLOCK.now(), request=REQUEST)
    with node.store.transaction() as session:
        first = receive_batch(session, order, actor=LI, call=call)
    receive(node, 3)
    exchange(node)
    node = on_copy(group, node, old)
    done = exchange(node)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 1)
    assert types(node)[-1] == "PlantRestored"
    payload = last_payload(node, "PlantRestored")
    assert (payload["found"], payload["size_before"], payload["size"]) == ("HUB", 3, 7)
    level(group, node)
    assert (kinds(node.store), kinds(node.store, over=True)) == (set(), {"PLANT_RESTORED"})
    assert kinds(group.hub.node.store, over=True) >= {"PLANT_RESTORED", "PLANT_FENCED"}
    with node.store.transaction() as session:
        assert receive_batch(session, order, actor=LI, call=call).leaf == first.leaf, "a retry does nothing again"


def test_plant_restored_then_numbers_go_on_beyond_what_may_be_printed(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    old = backup(node, tmp_path / "old.db")
    receive(node, 2)
    exchange(node)
    receive(node, 5)  # printed, and lost with the disk before they reached the hub.
    node = on_copy(group, node, old)
    exchange(node)
    (entry,) = receive(node)
    assert entry.payload["batches"][0]["id"] == (1 << 40) + 503
    assert entry.envelope["key"].split("-")[2].startswith("0053")


def test_new_hardware_then_the_whole_plant_comes_back_from_nothing(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    receive(node, 9)
    exchange(node)
    digests = table_digests(node.store, plant=1)
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    seen: list[tuple[int, int]] = []
    done = restore_from_hub(fresh, progress=lambda at, of: seen.append((at, of)))
    assert done == 12
    assert seen[-1] == (12, 12)
    payload = last_payload(fresh, "PlantRestored")
    assert (payload["size_before"], payload["size"]) == (0, 12)
    after = table_digests(fresh.store, plant=1)
    assert {name for name in digests if digests[name] != after[name]} == {"series"}
    level(group, fresh)


def test_restore_cut_in_the_middle_then_the_next_exchange_goes_on(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    old = backup(node, tmp_path / "old.db")
    receive(node, 30)
    exchange(node)
    limits = group.hub.node.limits.model_copy(update={"max_entries": 7})
    group.hub.node = replace(group.hub.node, limits=limits)
    group.hub.stop()
    group.hub.start()
    node = on_copy(group, node, old)
    first = exchange(node, slice_seconds=0)
    assert (first.state, first.more) == (ReplicationState.RESTORED, True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restoring, "ENTRIES_MAX", 11)
        assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    with node.store.transaction() as session:
        assert session.rows("SELECT 1 FROM staged_entries") == []


def test_hub_gives_back_something_else_then_nothing_is_taken_in(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    receive(node, 3)
    exchange(node)
    with group.hub.node.store.transaction() as session:
        session.run("UPDATE entries SET body = replace(encode(body, 'escape'), '12.5', '99.5')::bytea WHERE idx = 4")
    node = on_copy(group, node, old)
    before = stand(node.store, 1)
    assert exchange(node).state is ReplicationState.REFUSED
    assert stand(node.store, 1) == before
    assert kinds(node.store) == {"REPLICATION_REFUSED"}
    assert "do not have the root that it announced" in str(column(node.store, 1, "alarm"))


def test_hub_gives_back_something_else_then_the_refused_recovery_is_worded_in_each_language(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    receive(node, 3)
    exchange(node)
    with group.hub.node.store.transaction() as session:
        session.run("UPDATE entries SET body = replace(encode(body, 'escape'), '12.5', '99.5')::bytea WHERE idx = 4")
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    with pytest.raises(NotRestored) as refused:
        restore_from_hub(fresh)
    assert stand(fresh.store, 1)[0] == 0
    assert "do not have the root that it announced" in word(refused.value, "en")
    assert word(refused.value, "zh").endswith("与其公布的根哈希不符，均未保存。请在总部运行 batchloom verify。")


def test_hub_down_then_the_recovery_says_that_it_was_not_reached(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    group.hub.stop()
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    with pytest.raises(NotRestored, match=r"^The hub was not reached \(.*ConnectError"):
        restore_from_hub(fresh)
    assert stand(fresh.store, 1)[0] == 0


def test_another_exchange_runs_then_the_recovery_says_so(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    with fresh.store.transaction() as session:
        assert leases.take(session, LEASE, "another", now=fresh.clock.now()) is not None
    with pytest.raises(NotRestored) as refused:
        restore_from_hub(fresh)
    assert refused.value.code == "RESTORE_NOT_BEGUN"
    assert stand(fresh.store, 1)[0] == 0


def test_hub_restored_then_it_gets_everything_again(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 4)
    exchange(node)
    cut_hub(group, 1, 3)
    done = exchange(node, forced=True)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 5)
    assert last_payload(node, "HubRegressed") == {"hub_size": 3, "receipt_size": 7}
    assert kinds(node.store, over=True) == {"HUB_REGRESSED"}
    assert kinds(node.store) == set()
    assert "HUB_REGRESSED" in kinds(group.hub.node.store, over=True)
    exchange(node, forced=True)
    assert types(node).count("HubRegressed") == 1
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)


def test_both_restored_then_what_one_of_them_has_is_kept(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    receive(node, 2)
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    receive(node, 4)
    exchange(node)
    cut_hub(group, 1, 3)
    node = on_copy(group, node, old)
    assert exchange(node).state is ReplicationState.IN_SYNC
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)
    assert len(types(node)) == 5 + 1
