"""Recovery of a plant's tail from the archive while a user writes: nothing is appended after the user's entries."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from infra.database import Session
from infra.objects import FileObjects
from infra.writer import Writing
from plants.commands.replication import restores as restoring
from plants.rules.ledger.events import Entry
from plants.store.ledger.archive import Archive
from plants.store.ledger.verification import verify
from plants.store.projection.rebuilding import table_digests
from sync_jobs.archive.recover_plant import LedgerChanged, restore_from_archive
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from tests.sync_jobs.archive.test_archiving import archive_all, level
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import Group, receive, stand

T = TypeVar("T")
BACK = 250
AT_ONCE = 100
FIRST_WRITES = 2  # beginning, and one chunk staged; there are no directives to write
LAST_WRITES = 4  # the proof of what was staged, and three moves


@dataclass
class Between:
    """A plant's writer that lets another process append an entry before its n-th write."""

    writer: Writing
    node: PlantNode
    number: int
    written: list[Entry] = field(default_factory=list)

    def write(self, work: Callable[[Session], T]) -> T:
        self.number -= 1
        if self.number == 0:
            self.written += receive(self.node)
        return self.writer.write(work)


def parted(group: Group, tmp_path: Path) -> tuple[PlantNode, FileObjects]:
    """Return a plant restored from an old backup, and the archive of the entries that it lacks."""
    objects = FileObjects(tmp_path / "archive")
    hub = replace(group.hub.node, archive=Archive(objects))
    plant = group.plant(1, "SH1")
    receive(plant)
    level(hub, plant)
    old = backup(plant, tmp_path / "old.db")
    receive(plant, BACK)
    level(hub, plant)
    archive_all(hub)
    return on_copy(group, plant, old), objects


def test_nothing_written_meanwhile_then_all_of_it_comes_back(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "ENTRIES_AT_ONCE", AT_ONCE)
    plant, objects = parted(group, tmp_path)
    size, _ = stand(plant.store, 1)
    between = Between(plant.writer, plant, number=FIRST_WRITES + LAST_WRITES + 1)

    done = restore_from_archive(replace(plant, writer=between), objects)

    assert (done.before, done.size) == (size, size + BACK + 1)
    assert between.written == []


@pytest.mark.parametrize("before_the_end", range(LAST_WRITES))
def test_entry_written_at_any_step_then_no_archived_entry_comes_behind_it(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_the_end: int
) -> None:
    monkeypatch.setattr(restoring, "ENTRIES_AT_ONCE", AT_ONCE)
    plant, objects = parted(group, tmp_path)
    size, _ = stand(plant.store, 1)
    between = Between(plant.writer, plant, number=FIRST_WRITES + before_the_end + 1)
    with pytest.raises(LedgerChanged, match="meanwhile"):
        restore_from_archive(replace(plant, writer=between), objects)
    (own,) = between.written
    moved = AT_ONCE * max(0, before_the_end - 1)
    assert own.index == size + moved
    assert stand(plant.store, 1)[0] == own.index + 1, "what was written is the last entry"
    assert all(one.whole for one in verify(plant.store))
    with plant.store.reading() as reads:
        assert reads.rows("SELECT COUNT(*) FROM staged_entries") == [(0,)]
    exchange(plant, forced=True)
    exchange(plant, forced=True)
    assert stand(plant.store, 1) == stand(group.hub.node.store, 1)
    level(group.hub.node, plant)
    assert table_digests(plant.store, plant=1) == table_digests(group.hub.node.store, plant=1)
