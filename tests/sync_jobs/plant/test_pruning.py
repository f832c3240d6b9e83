"""A pruned plant still exchanges, is repaired, and restores its bodies; where it cannot, it stops."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.objects import FileObjects
from plants.commands.replication.pruning import PruningUnsafe
from plants.commands.replication.rebuild import rebuild
from plants.rules.values.instants import EPOCH
from plants.store.ledger.archive import Archive
from plants.store.ledger.pruning import BodyDamaged
from plants.store.ledger.verification import verify
from plants.store.monitoring.alarms import AlarmKind, alarms
from plants.store.projection.rebuilding import table_digests
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.plant.pruning import Busy, fetch_bodies, prunable, prune_bodies, receipt_of
from sync_jobs.protocol.wire import Parcel
from tests.sync_jobs.copies import backup, cut_hub, on_copy
from tests.sync_jobs.group import Group, column, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, last_payload, level, types

DAYS = 40
DAY_US = 86_400_000_000


@pytest.fixture
def hub(group: Group, tmp_path: Path) -> HubNode:
    return replace(group.hub.node, archive=Archive(FileObjects(tmp_path / "archive")))


def pruned_plant(group: Group, hub: HubNode, old: int = 23) -> PlantNode:
    """Return a plant whose old entries are cosigned, archived and pruned, and three recent ones that are not."""
    node = group.plant(1, "SH1")
    receive(node, old - 2)  # behind the three that the group begins a plant with.
    exchange(node)
    archive(hub)
    receive(node, 2)
    exchange(node)
    with node.store.transaction() as session:
        session.run(
            "UPDATE entries SET recorded_us = recorded_us - :us WHERE idx < :n", {"us": DAYS * DAY_US, "n": old}
        )
    done = prune_bodies(node, 1)
    assert (done.below, done.count, gone(node)) == (old, old, list(range(old)))
    return node


def archive(hub: HubNode) -> None:
    while archive_behind(hub, "test", forced=True):
        pass


def gone(node: PlantNode) -> list[int]:
    with node.store.transaction() as session:
        return [index for (index,) in session.rows("SELECT idx FROM entries WHERE length(body) = 0 ORDER BY idx")]


def bodies(node: PlantNode) -> list[tuple[Any, ...]]:
    with node.store.transaction() as session:
        return session.rows("SELECT log_id, idx, body, leaf FROM entries ORDER BY log_id, idx")


def alarm(node: PlantNode, kind: AlarmKind) -> str:
    with node.store.reading() as reads:
        (text,) = (one.text for one in alarms(reads) if one.kind == kind)
    return text


def test_pruned_then_it_goes_on_and_hub_and_plant_stay_level(group: Group, hub: HubNode) -> None:
    node = pruned_plant(group, hub)
    assert last_payload(node, "BodiesPruned") == {"below": 23, "archived": 24, "cosigned": 26}
    receive(node, 3)
    done = exchange(node)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 4)
    level(group, node)
    assert all(one.whole for one in verify(node.store))
    assert kinds(node.store) == set()


def test_fetched_then_everything_is_as_it_was(group: Group, hub: HubNode) -> None:
    node = group.plant(1, "SH1")
    receive(node, 23)
    exchange(node)
    archive(hub)
    exchange(node)
    with node.store.transaction() as session:
        session.run("UPDATE entries SET recorded_us = recorded_us - :us WHERE idx < 20", {"us": DAYS * DAY_US})
    before, digests = bodies(node), table_digests(node.store)
    found, count, size = prunable(node, 1)
    assert (found.safe, count, bodies(node)) == (20, 20, before)
    assert prune_bodies(node, 1).size == size
    seen: list[tuple[int, int]] = []
    assert fetch_bodies(node, progress=lambda done, total: seen.append((done, total))) == 20
    assert seen == [(20, 20)]
    assert bodies(node)[: len(before)] == before
    with node.store.transaction() as session:
        assert session.rows("SELECT pruned FROM logs WHERE log_id = 1") == [(0,)]
        rebuild(session)
    assert table_digests(node.store) == digests
    assert fetch_bodies(node) == 0


def test_fetching_breaks_off_then_the_next_goes_on(group: Group, hub: HubNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_jobs.plant.pruning.ENTRIES_MAX", 10)
    node = pruned_plant(group, hub)
    asked: list[tuple[int, int]] = []

    class Cut(HttpHubClient):
        def entries(self, origin: str, low: int, high: int) -> Parcel:
            asked.append((low, high))
            if len(asked) == 2:
                group.hub.stop()
            return super().entries(origin, low, high)

    with pytest.raises(Exception, match=r"(?i)connect|refused|answer"):
        fetch_bodies(replace(node, open_hub_client=Cut))
    assert (asked, gone(node)) == ([(13, 23), (3, 13)], list(range(13)))
    assert all(one.whole for one in verify(node.store))
    group.hub.start()
    assert fetch_bodies(node) == 13
    assert gone(node) == []


def test_hub_gives_other_bodies_then_none_is_taken(group: Group, hub: HubNode) -> None:
    node = pruned_plant(group, hub)
    before = bodies(node)

    class Lying(HttpHubClient):
        def entries(self, origin: str, low: int, high: int) -> Parcel:
            parcel = super().entries(origin, low, high)
            changed = parcel.bodies[5].replace(b"12.5", b"12.6")
            return replace(parcel, bodies=(*parcel.bodies[:5], changed, *parcel.bodies[6:]))

    with pytest.raises(BodyDamaged, match="entry 5"):
        fetch_bodies(replace(node, open_hub_client=Lying))
    assert bodies(node) == before


def test_hub_is_restored_to_before_the_mark_then_nothing_is_sent_and_a_person_is_told(
    group: Group, hub: HubNode
) -> None:
    node = pruned_plant(group, hub)
    before = stand(node.store, 1)
    cut_hub(group, 1, 3)
    done = exchange(node, forced=True)
    assert (done.state, done.sent, stand(node.store, 1)) == (ReplicationState.REFUSED, 0, before)
    assert "HubRegressed" not in types(node)
    text = alarm(node, AlarmKind.HUB_REGRESSED)
    assert "up to entry 3 only" in text
    assert "batchloom archive restore" in text
    assert stand(group.hub.node.store, 1)[0] == 3
    with pytest.raises(PruningUnsafe, match="REFUSED"):
        prune_bodies(node, 1)


def test_hub_is_restored_to_behind_the_mark_then_the_rest_is_sent_again(group: Group, hub: HubNode) -> None:
    node = pruned_plant(group, hub)
    receive(node, 2)
    exchange(node)
    cut_hub(group, 1, 26)
    done = exchange(node, forced=True)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 4)
    assert last_payload(node, "HubRegressed") == {"hub_size": 26, "receipt_size": 29}
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)
    assert gone(node) == list(range(23))


def test_ledgers_part_behind_the_mark_then_bodies_come_back_and_it_is_repaired(
    group: Group, hub: HubNode, tmp_path: Path
) -> None:
    node = pruned_plant(group, hub)
    old = backup(node, tmp_path / "old.db")
    receive(node, 2)
    exchange(node)
    node = on_copy(group, node, old)
    receive(node, 1)
    exchange(node, forced=True)
    done = exchange(node, forced=True)
    assert done.state is ReplicationState.IN_SYNC
    assert "LedgerRebased" in types(node)
    assert gone(node) == []
    level(group, node)
    assert all(one.whole for one in verify(node.store))


def test_ledgers_part_before_the_mark_then_it_stops_and_says_so(group: Group, hub: HubNode, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    receive(node, 3)
    exchange(node)
    early = backup(node, tmp_path / "early.db")
    receive(node, 20)
    exchange(node)
    archive(hub)
    exchange(node)
    with node.store.transaction() as session:
        session.run("UPDATE entries SET recorded_us = recorded_us - :us WHERE idx < 20", {"us": DAYS * DAY_US})
    assert prune_bodies(node, 1).below == 20
    cut_hub(group, 1, 6)
    other = on_copy(group, node, early)
    receive(other, 30)
    exchange(other, forced=True)
    before, digests = stand(node.store, 1), table_digests(node.store)
    with node.store.transaction() as session:
        session.run("UPDATE replication SET session = :s WHERE log_id = 1", {"s": column(other.store, 1, "session")})
    done = exchange(node, forced=True)
    assert (done.state, done.sent) == (ReplicationState.REFUSED, 0)
    assert "up to entry 6 only" in alarm(node, AlarmKind.HUB_REGRESSED)
    assert (stand(node.store, 1), table_digests(node.store)) == (before, digests)


def test_no_cosignature_of_the_hub_then_no_receipt(group: Group, hub: HubNode) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    with node.store.transaction() as session:
        kept = receipt_of(session, node)
        assert kept is not None
        assert (kept.size, kept.root) == stand(node.store, 1)
        lines = kept.note.decode().splitlines(keepends=True)
        own = "".join(line for line in lines if hub.signer.key.name not in line)
        status.keep_checkpoint(session, 1, kept.size, own.encode(), signed_at=None, received_at=EPOCH)
    with node.store.transaction() as session:
        assert receipt_of(session, node) is None
    with pytest.raises(PruningUnsafe, match="no receipt"):
        prune_bodies(node, 1)


def test_another_process_exchanges_then_it_waits_for_a_better_moment(group: Group, hub: HubNode) -> None:
    node = pruned_plant(group, hub)

    @contextmanager
    def nested(given: PlantNode) -> Iterator[HttpHubClient]:
        for work in (lambda: prune_bodies(node, 1), lambda: fetch_bodies(node)):
            with pytest.raises(Busy):
                work()
        with HttpHubClient(given) as client:
            yield client

    assert exchange(replace(node, open_hub_client=nested), forced=True).ran
