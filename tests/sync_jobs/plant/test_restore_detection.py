"""High-water marks: a store that is behind its marks never reuses a number."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from infra import writer
from infra.clock import FixedClock
from infra.high_water_marks import FILE_NAME, FileMarks, HighWaterMarks, MarkKeeper, MarksUnreadable, PendingMarks
from infra.sqlite_engine import StoreUnfit
from migrations import upgrade
from plants.rules.identification.codes import reserved_ahead
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange, restore_from_hub
from sync_jobs.plant.restore_detection import check_origin, compare_with_marks
from tests.patience import wait_until
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import CLOCK, Group, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, last_payload, level, types

ROOT = b"\1" * 32
NODE = 1 << 40


class Counted(FileMarks):
    """High-water marks in a file that counts its writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written = 0

    def replace(self, content: bytes) -> None:
        self.written += 1
        super().replace(content)


def opened(node: PlantNode, home: Path) -> Counted:
    """Open a plant's store with the marks of a home, as a node does."""
    file = Counted(home / FILE_NAME)
    compare_with_marks(node.store, file, plant=node.number, origin=node.origin, clock=node.clock)
    file.written = 0
    return file


def marks_in(home: Path) -> HighWaterMarks:
    return HighWaterMarks.read((home / FILE_NAME).read_bytes())


def test_numbers_drawn_then_many_are_reserved_by_one_write(tmp_path: Path) -> None:
    clock, file = FixedClock(), Counted(tmp_path / FILE_NAME)
    keeper = MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead)
    for number in range(1, 502):
        keeper.before_commit(PendingMarks({"node": number}))
    assert (file.written, keeper.reserved) == (1, {"node": 501})
    keeper.before_commit(PendingMarks({"node": 502, "batch/SH1/260314": 2}))
    assert (file.written, keeper.reserved) == (2, {"node": 1002, "batch/SH1/260314": 52})
    assert marks_in(tmp_path).series == keeper.reserved


def test_position_then_written_ten_seconds_late_and_at_close(tmp_path: Path) -> None:
    clock, file = FixedClock(), Counted(tmp_path / FILE_NAME)
    keeper = MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead)
    keeper.committed(PendingMarks(position=(3, lambda: ROOT)))
    assert file.written == 0
    clock.advance(seconds=10)
    keeper.committed(PendingMarks(position=(4, lambda: ROOT)))
    assert (file.written, marks_in(tmp_path).size) == (1, 4)
    keeper.committed(PendingMarks(position=(5, lambda: ROOT)))
    keeper.close()
    assert (marks_in(tmp_path).size, marks_in(tmp_path).root) == (5, ROOT.hex())


def test_last_entry_before_a_quiet_time_then_a_commit_without_entries_writes_it_down_once(tmp_path: Path) -> None:
    clock, file = FixedClock(), Counted(tmp_path / FILE_NAME)
    keeper = MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead)
    keeper.committed(PendingMarks(position=(3, lambda: ROOT)))
    clock.advance(seconds=10)
    keeper.committed(PendingMarks())
    assert (file.written, marks_in(tmp_path).size) == (1, 3)
    clock.advance(seconds=10)
    keeper.committed(PendingMarks())
    assert file.written == 1


def test_nobody_commits_any_more_then_the_last_entry_is_written_down_all_the_same(tmp_path: Path) -> None:
    clock, file = FixedClock(), Counted(tmp_path / FILE_NAME)
    keeper = MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead)
    clock.advance(seconds=20)
    pending = PendingMarks({"node": 2}, (3, lambda: ROOT))
    keeper.before_commit(pending)
    assert (file.written, marks_in(tmp_path).size) == (1, 0)
    keeper.committed(pending)  # to reserve numbers made the file new, but not its size.
    assert (file.written, marks_in(tmp_path).size) == (2, 3)
    keeper.committed(PendingMarks(position=(4, lambda: ROOT)))
    keeper.catch_up()
    assert (file.written, marks_in(tmp_path).size) == (2, 3)
    clock.advance(seconds=10)
    keeper.catch_up()
    keeper.catch_up()
    assert (file.written, marks_in(tmp_path).size) == (3, 4)


def test_writer_has_nothing_to_do_then_it_has_the_second_memory_catch_up(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock()
    node = replace(group.plant(1, "SH1"), clock=clock)
    opened(node, tmp_path)
    monkeypatch.setattr(writer, "REFRESHED_AFTER", timedelta(milliseconds=20))
    idle = writer.Writer(node.store)
    try:
        receive(node, 1)
        known, size = marks_in(tmp_path).size, stand(node.store, 1)[0]
        assert known < size
        clock.advance(seconds=10)
        wait_until(lambda: marks_in(tmp_path).size == size, "the file names the last entry")
    finally:
        idle.close()


def test_entries_taken_away_and_others_appended_then_the_new_position_is_written_at_once(tmp_path: Path) -> None:
    """Before that write the file names the fork, which older stores also contain."""
    clock, file = FixedClock(), Counted(tmp_path / FILE_NAME)
    keeper = MarkKeeper(file, HighWaterMarks("o", 50, ROOT.hex()), clock, reserved_ahead)
    pending = PendingMarks(truncated_to=(40, lambda: ROOT), position=(60, lambda: ROOT))
    keeper.before_commit(pending)
    assert marks_in(tmp_path).size == 40
    keeper.committed(pending)
    assert marks_in(tmp_path).size == 60


def test_marks_behind_the_store_at_its_opening_then_they_catch_up_at_once(group: Group, tmp_path: Path) -> None:
    """A crash may come between the commit and the file."""
    node = group.plant(1, "SH1")
    size = stand(node.store, 1)[0]
    FileMarks(tmp_path / FILE_NAME).replace(HighWaterMarks(node.origin).to_bytes())
    opened(node, tmp_path)
    assert marks_in(tmp_path).size == size
    assert kinds(node.store) == set()


def test_two_processes_then_neither_takes_back_what_the_other_reserved(tmp_path: Path) -> None:
    clock, file = FixedClock(), FileMarks(tmp_path / FILE_NAME)
    one, two = (MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead) for _ in range(2))
    one.before_commit(PendingMarks({"node": 700}))
    two.before_commit(PendingMarks({"node": 2, "batch/A/1": 2}))
    assert marks_in(tmp_path).series == {"node": 1200, "batch/A/1": 52}


def test_entries_taken_away_then_a_stale_position_of_another_process_is_not_written(tmp_path: Path) -> None:
    clock, file = FixedClock(), FileMarks(tmp_path / FILE_NAME)
    one, two = (MarkKeeper(file, HighWaterMarks("o"), clock, reserved_ahead) for _ in range(2))
    two.committed(PendingMarks(position=(90, lambda: ROOT)))
    one.before_commit(PendingMarks(position=(40, lambda: ROOT), truncated_to=(40, lambda: ROOT)))
    two.close()
    assert (marks_in(tmp_path).size, marks_in(tmp_path).turn) == (0, 1)


def test_file_that_cannot_be_written_then_the_number_is_not_given(group: Group, tmp_path: Path) -> None:
    class Full(FileMarks):
        def replace(self, content: bytes) -> None:
            if content:
                raise OSError(28, "No space left on device")

    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    before = stand(node.store, 1)
    node.store.keeper = MarkKeeper(Full(tmp_path / FILE_NAME), marks_in(tmp_path), CLOCK, reserved_ahead)
    with pytest.raises(OSError, match="No space"):
        receive(node)
    assert stand(node.store, 1) == before


def test_content_that_is_no_marks_then_unreadable() -> None:
    for raw in (b"", b"[]", b"{}", b'{"origin": 1, "size": "x", "root": "", "series": {}, "turn": 0}', b"\xff"):
        with pytest.raises(MarksUnreadable):
            HighWaterMarks.read(raw)


def test_store_restored_then_noticed_before_a_number_is_printed_twice(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    receive(node, 2)
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    printed = {entry.envelope["key"] for entry in receive(node, 5)}
    exchange(node)
    printed |= {entry.envelope["key"] for entry in receive(node, 3)}  # which never reached the hub.
    node.store.close()
    node = on_copy(group, node, old)
    opened(node, tmp_path)
    assert types(node)[-1] == "PlantRestored"
    payload = last_payload(node, "PlantRestored")
    assert (payload["found"], payload["size_before"], payload["size"]) == ("MARKS", 5, 13)
    assert kinds(node.store) == {"PLANT_RESTORED"}
    anew = receive(node, 4)
    assert {entry.envelope["key"] for entry in anew}.isdisjoint(printed)
    assert anew[0].payload["batches"][0]["id"] >= NODE + 11
    exchange(node)
    level(group, node)
    assert types(node)[-1] == "LedgerRebased"
    assert last_payload(node, "LedgerRebased") == {"fork": 5, "adopted": 5, "again": 5, "disputed": 0, "series": {}}
    assert kinds(node.store) == set()


def test_store_restored_then_it_is_said_once(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    old = backup(node, tmp_path / "old.db")
    receive(node, 5)
    node.store.close()
    node = on_copy(group, node, old)
    for _ in range(3):
        opened(node, tmp_path)
        node.store.close()
    assert types(node).count("PlantRestored") == 1


def test_store_continued_by_another_process_then_nothing_is_noticed(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    receive(node, 2)
    node.store.keeper = None  # a crash: the marks are older than the store.
    receive(node, 2)
    opened(node, tmp_path)
    assert "PlantRestored" not in types(node)
    assert kinds(node.store, over=True) == {"MARKS_LOST"}


def test_marks_lost_then_made_again_under_an_alarm(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    assert kinds(node.store) == {"MARKS_LOST"}, "the plant wrote before it had any"
    receive(node, 2)
    node.store.close()
    for content in (None, b"{"):
        (tmp_path / FILE_NAME).unlink()
        if content is not None:
            (tmp_path / FILE_NAME).write_bytes(content)
        opened(node, tmp_path)
        size, root = stand(node.store, 1)
        assert (marks_in(tmp_path).size, marks_in(tmp_path).root) == (size, root.hex())
        assert marks_in(tmp_path).series["node"] == 503


def test_database_lost_and_marks_kept_then_the_whole_plant_comes_back(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    opened(node, tmp_path)
    receive(node, 2)
    exchange(node)
    printed = receive(node, 600)  # which never reached the hub.
    node.store.close()
    node = on_copy(group, node, tmp_path / "new.db")
    upgrade(node.store)
    opened(node, tmp_path)
    assert restore_from_hub(node) == 5
    (entry,) = receive(node)
    assert entry.payload["batches"][0]["id"] > printed[-1].payload["batches"][0]["id"]
    exchange(node)
    level(group, node)


def test_file_or_store_of_another_plant_then_refused(group: Group, tmp_path: Path) -> None:
    one, two = group.plant(1, "SH1"), group.plant(2, "SZ2")
    opened(one, tmp_path)
    before = stand(two.store, 2), marks_in(tmp_path)
    with pytest.raises(StoreUnfit, match=r"acme.example/plant/SH1/i1, not to acme.example/plant/SZ2/i1"):
        opened(two, tmp_path)
    with pytest.raises(StoreUnfit, match=r"belongs to acme.example/plant/SZ2/i1"):
        opened(replace(one, store=two.store), tmp_path)
    with pytest.raises(StoreUnfit, match=r"belongs to acme.example/hub/i1"):
        opened(replace(one, store=group.hub.node.store), tmp_path)
    check_origin(group.hub.node.store, 0, group.hub.node.origin)
    with pytest.raises(StoreUnfit, match=r"belongs to acme.example/plant/SH1/i1"):
        check_origin(one.store, 0, group.hub.node.origin)
    assert (stand(two.store, 2), marks_in(tmp_path)) == before


def test_many_writes_then_the_file_is_written_rarely(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    file = opened(replace(node, clock=FixedClock(CLOCK.now() + timedelta(seconds=1))), tmp_path)
    for _ in range(20):
        receive(node, 10)
    assert file.written <= 5, "200 codes of one day are reserved by fifties"
