"""Archiving the hub's ledgers, and recovering them from the archive."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from infra.clock import FixedClock
from infra.database import Store
from infra.objects import ARCHIVE_FAILED, ArchiveFailed, FileObjects
from infra.postgres import EmbeddedPostgres
from infra.writer import Writer
from migrations import upgrade
from plants.commands.replication.witnesses import witness_checkpoints
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.retention import DAYS_DEFAULT, RecordClass, Retention
from plants.rules.ledger.tiles import bundle_name
from plants.store.ledger.archive import Archive, archived_rows, folder
from plants.store.ledger.mirrors import frontier_at
from plants.store.monitoring.alarms import AlarmKind, alarms
from plants.store.projection.rebuilding import table_digests
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.archive.recover_hub import ArchiveDamaged, recover_hub
from sync_jobs.archive.recover_plant import restore_from_archive
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.sync_jobs.group import CLOCK, Group, receive, stand


class Failing(FileObjects):
    """A folder that rejects files after it has stored `left` of them."""

    left = 10**9

    def put_new(self, name: str, content: bytes, *, retain_until: datetime) -> None:
        if self.left <= 0:
            raise ArchiveFailed(ARCHIVE_FAILED, why="no answer")
        self.left -= 1
        super().put_new(name, content, retain_until=retain_until)


@pytest.fixture
def objects(tmp_path: Path) -> Failing:
    return Failing(tmp_path / "archive")


@pytest.fixture
def hub(group: Group, objects: Failing) -> HubNode:
    return replace(group.hub.node, archive=Archive(objects))


@pytest.fixture
def other_store(postgres_18: EmbeddedPostgres) -> Iterator[Store]:
    with closing(Store(migrated_database(postgres_18))) as store:
        yield store


def archive_all(hub: HubNode, bundles: int = 64) -> None:
    for _ in range(200):
        if not archive_behind(hub, "test", bundles=bundles):
            return
    raise AssertionError("it does not end")


def level(hub: HubNode, *plants: PlantNode) -> None:
    for plant in plants:
        exchange(plant, forced=True)
    while project_behind(hub.store, hub.clock, "test"):
        pass


def archived(hub: HubNode) -> dict[int, int]:
    with hub.store.reading() as reads:
        return {row.log_id: row.size for row in archived_rows(reads)}


def lasting(hub: HubNode) -> list[tuple[str, str, int]]:
    with hub.store.reading() as reads:
        return [(row.kind, row.about, row.times) for row in alarms(reads)]


def read_by_another_program(objects: FileObjects, root: Path, origin: str, size: int) -> bytes:
    """Return the root that an independent program computes from the tiles, after it has read every entry."""
    reader = TilesReader(LocalBackend(root / "objects" / folder(origin, 1)))
    reader.set_size(size)
    hashes = [leaf_hash(reader.get_entry(index)) for index in range(size)]
    assert Frontier().extend(hashes).root() == reader.calculate_root_hash()
    assert list(objects.names(f"{origin}/"))
    return reader.calculate_root_hash()


def test_every_ledger_then_another_program_reads_it_from_the_archive(
    group: Group, hub: HubNode, objects: Failing, tmp_path: Path
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 300)
    level(hub, plant)
    archive_all(hub)
    receive(plant, 300)
    level(hub, plant)
    archive_all(hub)

    size, root = stand(hub.store, 1)
    assert size > 600
    assert archived(hub)[1] == size
    assert read_by_another_program(objects, tmp_path / "archive", plant.origin, size) == root
    own, own_root = stand(hub.store, 0)
    assert read_by_another_program(objects, tmp_path / "archive", hub.origin, own) == own_root
    assert lasting(hub) == []


def test_nothing_new_then_nothing_is_written(group: Group, hub: HubNode, objects: Failing) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 3)
    level(hub, plant)
    archive_all(hub)
    before = list(objects.names(""))

    objects.left = 0
    archive_all(hub)

    assert list(objects.names("")) == before
    assert lasting(hub) == []


def test_cut_after_every_file_then_the_next_run_ends_with_the_same_files(
    group: Group, hub: HubNode, objects: Failing, tmp_path: Path
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 600)
    level(hub, plant)
    clock = FixedClock(CLOCK.now())
    cut = replace(hub, clock=clock)
    failures, lasted = 0, True
    while lasted:
        objects.left = failures
        archive_behind(cut, "test")
        clock.advance(hours=1)
        lasted = bool(lasting(hub))
        failures += lasted
    assert failures > 3
    assert archived(hub) == {0: stand(hub.store, 0)[0], 1: stand(hub.store, 1)[0]}

    size, root = stand(hub.store, 1)
    assert read_by_another_program(objects, tmp_path / "archive", plant.origin, size) == root
    whole = Failing(tmp_path / "whole")
    with hub.store.transaction() as session:
        session.run("DELETE FROM archived")
    archive_all(replace(hub, archive=Archive(whole)))
    assert [name for name in objects.names("") if "/checkpoints/" not in name] == [
        name for name in whole.names("") if "/checkpoints/" not in name
    ]


def test_archive_down_for_an_hour_then_nobody_waits_and_all_is_archived_after(
    group: Group, hub: HubNode, objects: Failing
) -> None:
    plant = group.plant(1, "SH1")
    clock = FixedClock(CLOCK.now())
    hub = replace(hub, clock=clock)
    objects.left = 0
    for minute in range(60):
        receive(plant)
        level(hub, plant)
        archive_behind(hub, "test")
        clock.advance(minutes=1)
        assert stand(hub.store, 1) == stand(plant.store, 1), minute
    ((kind, about, times),) = lasting(hub)
    assert (kind, about) == (AlarmKind.ARCHIVE_FAILING, "archive")
    # Waits grow to five minutes at most.
    assert 12 <= times <= 60
    assert archived(hub) == {}

    objects.left = 10**9
    clock.advance(minutes=6)
    archive_all(hub)

    assert archived(hub)[1] == stand(hub.store, 1)[0] > 60
    assert lasting(hub) == []


def test_another_disk_in_its_place_then_nothing_is_written_there(group: Group, hub: HubNode, tmp_path: Path) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 3)
    level(hub, plant)
    archive_all(hub)
    before = archived(hub)
    receive(plant, 3)
    level(hub, plant)
    # The folder at which a disk is mounted is there without the disk, and empty.
    empty = FileObjects(tmp_path / "unmounted")
    archive_behind(replace(hub, archive=Archive(empty)), "test", forced=True)
    assert [(kind, about) for kind, about, _ in lasting(hub)] == [(AlarmKind.ARCHIVE_FAILING, "archive")]
    with hub.store.reading() as reads:
        assert "Check that the right disk is mounted" in alarms(reads)[0].text
    assert archived(hub) == before
    assert list(empty.names("")) == []
    archive_behind(hub, "test", forced=True)
    assert lasting(hub) == []
    assert archived(hub)[1] == stand(hub.store, 1)[0]


def test_small_slices_then_all_is_archived_bit_by_bit(group: Group, hub: HubNode) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 700)
    level(hub, plant)

    assert archive_behind(hub, "test", bundles=2)
    assert archive_behind(hub, "test", bundles=1)
    assert archived(hub).get(1, 0) < stand(hub.store, 1)[0]
    archive_all(hub, bundles=1)

    assert archived(hub)[1] == stand(hub.store, 1)[0]


def test_retention_then_by_class_from_the_newest_record(group: Group, hub: HubNode, objects: Failing) -> None:
    days = {RecordClass.BATCH_RECORDS: 100, RecordClass.UNFINISHED: 10, RecordClass.CHECKPOINTS: 200}
    hub = replace(hub, archive=Archive(objects, Retention(days)))
    plant = group.plant(1, "SH1")
    entries = receive(plant, 300)
    level(hub, plant)
    archive_all(hub)

    place, size = folder(plant.origin, 1), stand(hub.store, 1)[0]
    with hub.store.reading() as reads:
        ((newest_us,),) = reads.rows("SELECT MAX(recorded_us) FROM entries WHERE log_id = 1 AND idx < 256", {})
    newest = datetime.fromtimestamp(newest_us / 1_000_000, UTC)
    full = objects.retained_until(f"{place}/{bundle_name(0)}")
    assert full is not None
    assert abs(full - newest - timedelta(days=100)) < timedelta(milliseconds=1)
    until = objects.retained_until(f"{place}/{bundle_name(1, size - 256)}")
    assert until == datetime.fromisoformat(entries[-1].envelope["recorded_at"]) + timedelta(days=10)
    (checkpoint,) = objects.names(f"{place}/checkpoints/")
    assert (objects.retained_until(checkpoint) or newest) > newest + timedelta(days=199)
    (own,) = objects.names(f"{folder(hub.origin, 1)}/tile/entries/000")
    assert (objects.retained_until(own) or newest) < newest + timedelta(days=11)
    assert Retention().until(RecordClass.GROUP_RECORDS, newest) == newest + timedelta(days=DAYS_DEFAULT)


def test_empty_store_then_the_archive_gives_back_every_ledger_and_table(
    group: Group, hub: HubNode, other_store: Store
) -> None:
    plants = [group.plant(1, "SH1"), group.plant(2, "SZ2")]
    for count, plant in zip((600, 3), plants, strict=True):
        receive(plant, count)
    level(hub, *plants)
    archive_all(hub)
    again = replace(hub, store=other_store)
    assert hub.archive is not None

    found = recover_hub(again, hub.archive)
    level(again)

    for log_id in (0, -1, 1, -2, 2):
        assert stand(other_store, log_id) == stand(hub.store, log_id)
    assert {one.log_id: one.size for one in found} == {
        log_id: stand(hub.store, log_id)[0] for log_id in (0, 1, 2) if stand(hub.store, log_id)[0]
    }
    assert table_digests(other_store) == table_digests(hub.store)
    assert archived(again) == {log_id: size for log_id, size in archived(hub).items() if size}
    with hub.store.reading() as ours, other_store.reading() as theirs:
        named = "SELECT origin, plant_number, code, kid, assertion_key, ledger_vkey FROM machines ORDER BY origin"
        assert theirs.rows(named, {}) == ours.rows(named, {})


def test_old_copy_then_only_what_is_missing_is_taken_back(group: Group, hub: HubNode, other_store: Store) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 10)
    level(hub, plant)
    archive_all(hub)
    again = replace(hub, store=other_store)
    assert hub.archive is not None
    recover_hub(again, hub.archive)
    receive(plant, 400)
    level(hub, plant)
    archive_all(hub)
    old = stand(other_store, 1)[0]

    found = recover_hub(again, hub.archive)
    level(again)

    assert (1, old, stand(hub.store, 1)[0]) in {(one.log_id, one.before, one.size) for one in found}
    assert stand(other_store, 1) == stand(hub.store, 1)
    assert table_digests(other_store) == table_digests(hub.store)
    archive_all(again)
    assert lasting(again) == []


def test_other_history_than_the_archive_then_both_are_kept(
    group: Group, hub: HubNode, other_store: Store, objects: Failing
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 10)
    level(hub, plant)
    archive_all(hub)
    assert hub.archive is not None
    again = replace(hub, store=other_store)
    recover_hub(again, hub.archive)
    receive(plant, 5)
    level(hub, plant)
    archive_all(hub)
    # The old copy of the hub goes on otherwise.
    with other_store.transaction() as session:
        assert witness_checkpoints(session, now=CLOCK.now()) is not None
    group.plant(2, "SZ2")
    archive_all(hub)
    archive_all(again)
    recover_hub(again, hub.archive)

    assert [kind for kind, _, _ in lasting(again)] == [AlarmKind.ARCHIVE_FORKED]
    assert objects.children(hub.origin) == ["b1", "b2"]
    assert archived(again)[0] == stand(other_store, 0)[0]
    assert stand(other_store, 1) == stand(hub.store, 1)


def test_file_in_the_archive_was_changed_then_nothing_is_taken_back(
    group: Group, hub: HubNode, other_store: Store, tmp_path: Path
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 300)
    level(hub, plant)
    archive_all(hub)
    path = tmp_path / "archive" / "objects" / folder(plant.origin, 1) / bundle_name(0)
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content.replace(b'"12.5"', b'"99.5"', 1))
    again = replace(hub, store=other_store)
    assert hub.archive is not None

    with pytest.raises(ArchiveDamaged, match="do not lead to the root"):
        recover_hub(again, hub.archive)

    assert stand(other_store, 1)[0] == 0
    assert stand(other_store, 0) == stand(hub.store, 0)


def test_forged_checkpoint_then_it_is_passed_over(
    group: Group, hub: HubNode, other_store: Store, objects: Failing
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 3)
    level(hub, plant)
    archive_all(hub)
    place = folder(plant.origin, 1)
    (name,) = objects.names(f"{place}/checkpoints/")
    forged = objects.get(name).replace(f"\n{stand(hub.store, 1)[0]}\n".encode(), b"\n9999\n")
    objects.put_new(f"{place}/checkpoints/0000000000009999-0", forged, retain_until=CLOCK.now())
    again = replace(hub, store=other_store)
    assert hub.archive is not None

    recover_hub(again, hub.archive)

    assert stand(other_store, 1) == stand(hub.store, 1)


def test_plant_with_an_empty_store_then_the_archive_gives_it_back(
    group: Group, hub: HubNode, objects: Failing, tmp_path: Path
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 300)
    level(hub, plant)
    archive_all(hub)
    known, root = stand(plant.store, 1)
    before = table_digests(plant.store)
    with closing(Store(f"sqlite:///{tmp_path}/new.db")) as store, closing(Writer(store)) as writer:
        upgrade(store)
        new = replace(plant, store=store, writer=writer)

        done = restore_from_archive(new, objects)

        assert (done.before, done.size) == (0, known + 1)
        with store.reading() as reads:
            assert frontier_at(reads, 1, known).root() == root
            last = reads.rows("SELECT type, body FROM entries WHERE log_id = 1 AND idx = :idx", {"idx": known})
        assert last[0][0] == "PlantRestored"
        assert json.loads(last[0][1])["payload"]["found"] == "ARCHIVE"
        after = table_digests(store)
        assert [name for name in before if before[name] != after[name]] == ["series"]
        assert receive(new)[0].index == known + 1
        level(hub, new)
        assert stand(hub.store, 1) == stand(store, 1)


def test_plant_that_went_on_otherwise_then_the_archive_changes_nothing(
    group: Group, hub: HubNode, objects: Failing, tmp_path: Path
) -> None:
    plant = group.plant(1, "SH1")
    receive(plant, 3)
    copied = tmp_path / "copy.db"
    with closing(sqlite.connect(tmp_path / "SH1.db")) as source:
        source.execute("VACUUM INTO ?", (str(copied),))
    receive(plant, 4)
    level(hub, plant)
    archive_all(hub)
    with closing(Store(f"sqlite:///{copied}")) as store, closing(Writer(store)) as writer:
        old = replace(plant, store=store, writer=writer)
        receive(old)
        before = stand(store, 1), table_digests(store)

        with pytest.raises(ArchiveDamaged, match="does not continue"):
            restore_from_archive(old, objects)

        assert (stand(store, 1), table_digests(store)) == before
