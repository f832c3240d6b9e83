"""Parked entries: attempts are counted first, alarms raised, operators decide, and rebuilds are excluded meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.clock import FixedClock
from infra.database import Session, Store
from infra.store_faults import STORE_FAILURES, StoreFault
from plants.commands.execution import CommandContext
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.parked_entries import ParkedEntry, retry_entry, skip_entry
from plants.commands.replication.rebuild import rebuild
from plants.rules.ledger.events import Entry
from plants.rules.replication.refusals import ENTRY_NOT_PARKED
from plants.rules.values.instants import micros
from plants.rules.values.refusals import TEXT_INVALID, Refusal
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import entry_at
from plants.store.monitoring.alarms import alarms
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from plants.store.projection import registry
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.parked_entries import skipped_entries
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection import parking, projecting, retrying
from sync_jobs.projection.projecting import project_behind, project_pending
from tests.patience import patient, wait_until
from tests.sync_jobs.group import CLOCK, LI, Group, receive, stand
from tests.sync_jobs.projection.test_projecting import contents_of, faults, projected, write_raw

WAIT_SECONDS_MAX = 60
ORIGIN = "acme.example/plant/SH1/i1"


class Killed(BaseException):
    """Ends the program, as seen by everything that it runs."""


def call_at_hub(reason: str | None = "wrong scale, see note 17", clock: Any = CLOCK) -> CommandContext:
    return CommandContext(0, clock.now(), reason=reason)


def told(store: Store) -> list[tuple[str, str, bool]]:
    with store.reading() as reads:
        return sorted((row.kind, row.about, row.over_at is None) for row in alarms(reads, over=True))


def seen(store: Store, *plants: int) -> list[AlarmSeen]:
    with store.reading() as reads:
        return alarms_seen(reads, PlantScope(frozenset(plants)))


def poison(node: PlantNode) -> tuple[Entry, Entry]:
    """Write an entry that cannot be applied and one that it blocks; returns both."""
    (good,) = receive(node, 1)
    broken = write_raw(node, "BatchMoved", "elsewhere", {"movements": [{"batch": good.payload["batches"][0]["id"]}]})
    with node.store.transaction() as session:
        order = Quarantine(good.envelope["key"], "seal")
        return broken, quarantine_batch(session, order, actor=LI, call=CommandContext(node.number, CLOCK.now()))


def shown(entry: Entry) -> ParkedEntry:
    return ParkedEntry(entry.envelope["plant"], entry.index, entry.leaf.hex())


def rebuilt(store: Store) -> dict[str, str]:
    with store.transaction() as session:
        rebuild(session)
    return table_digests(store)


def test_parked_entry_then_one_alarm_for_whoever_may_see_the_plant_and_for_nobody_else(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    broken, _ = poison(node)
    exchange(node)
    project_behind(hub.store, CLOCK, "test")
    for scope in ((0, 1), (0,), (1,)):
        (alarm,) = seen(hub.store, *scope)
        assert (alarm.kind, alarm.about, alarm.over_at) == ("ENTRY_PARKED", ORIGIN, None)
        assert alarm.said.text.startswith(f"2 entries of plant SH1 wait, the first is {broken.index} (BatchMoved): ")
        assert f"工厂 SH1 有 2 条条目等待投影，首条为 {broken.index}（BatchMoved）" in alarm.said.word("zh")
    assert seen(hub.store, 2) == []


def test_halted_projection_then_one_alarm_for_it(group: Group) -> None:
    group.plant(1, "SH1")
    hub = group.hub.node
    with hub.store.transaction() as session:
        parking.halt(session, 1, STORE_FAILURES[StoreFault.DISK_FULL](), CLOCK.now(), retry=False)
    (alarm,) = seen(hub.store, 1)
    assert (alarm.kind, alarm.about) == ("PROJECTION_HALTED", ORIGIN)
    assert alarm.said.text == "No more entries of plant SH1 are applied: the disk is full"
    assert alarm.said.word("zh") == "工厂 SH1 的投影已暂停：磁盘已满"
    with hub.store.transaction() as session:
        parking.unhalt(session, 1, CLOCK.now())
    assert seen(hub.store, 0, 1) == []


def test_skipped_by_a_person_then_followers_go_on_and_a_rebuild_gives_the_same(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    broken, waits = poison(node)
    exchange(node)
    project_behind(hub.store, CLOCK, "test")
    assert faults(group, 1) == [(1, broken.index, True), (1, waits.index, False)]
    assert told(hub.store) == [("ENTRY_PARKED", ORIGIN, True)]
    with hub.store.transaction() as session:
        entry = skip_entry(session, shown(broken), actor=LI, call=call_at_hub())
    assert (entry.type, entry.envelope["plant"], entry.envelope["reason"]) == (
        "EntrySkipped",
        0,
        "wrong scale, see note 17",
    )
    assert project_behind(hub.store, CLOCK, "test") == 1
    assert faults(group, 1) == []
    assert told(hub.store) == [("ENTRY_PARKED", ORIGIN, False)]
    with hub.store.reading() as reads:
        (row,) = skipped_entries(reads, PlantScope(frozenset({1})))
    assert (row.idx, row.leaf, row.type, row.skipped_by) == (broken.index, broken.leaf.hex(), "BatchMoved", "li.wei")
    assert (row.printed_name, row.reason) == ("Li Wei", "wrong scale, see note 17")
    with hub.store.transaction() as session:
        assert session.rows("SELECT hold_id FROM holds WHERE plant_id = 1") == [(waits.index,)]
    before = table_digests(hub.store)
    assert rebuilt(hub.store) == before
    assert stand(hub.store, 1) == stand(node.store, 1)


def test_decision_on_what_is_not_parked_then_refused_and_nothing_changed(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    broken, waits = poison(node)
    exchange(node)
    project_behind(hub.store, CLOCK, "test")
    before = faults(group, 1), stand(hub.store, 0), table_digests(hub.store)
    wrong_leaf = ParkedEntry(1, broken.index, waits.leaf.hex())
    for decide in (skip_entry, retry_entry):
        for order in (wrong_leaf, shown(waits), ParkedEntry(1, 10_000, "00"), ParkedEntry(7, 1, "00")):
            with pytest.raises(Refusal) as refused, hub.store.transaction() as session:
                decide(session, order, actor=LI, call=call_at_hub())
            assert refused.value.code is ENTRY_NOT_PARKED
        for reason in (None, "", " ", "a\nb"):
            with pytest.raises(Refusal) as refused, hub.store.transaction() as session:
                decide(session, shown(broken), actor=LI, call=call_at_hub(reason))
            assert refused.value.code is TEXT_INVALID
        with pytest.raises(Refusal) as refused, hub.store.transaction() as session:
            decide(session, wrong_leaf, actor=LI, call=call_at_hub("a\nb"))
        assert [one.code for one in (refused.value, *refused.value.further)] == [TEXT_INVALID, ENTRY_NOT_PARKED]
    assert (faults(group, 1), stand(hub.store, 0), table_digests(hub.store)) == before


def test_tried_too_often_then_a_person_has_it_tried_again(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    broken, _ = poison(node)
    exchange(node)
    clock = FixedClock(CLOCK.now())
    for _ in range(parking.TRIES_MAX + 2):
        project_behind(hub.store, clock, "test")
        clock.advance(hours=2)
    with hub.store.transaction() as session:
        row = session.row("SELECT attempts, next_attempt_us FROM projection_faults WHERE error IS NOT NULL")
    assert row == (parking.TRIES_MAX, None)
    monkeypatch.setitem(registry.PROJECTORS, ("BatchMoved", 1), registry.PROJECTORS["PlantEnrolled", 1])
    assert project_behind(hub.store, clock, "test") == 0
    with hub.store.transaction() as session:
        assert retry_entry(session, shown(broken), actor=LI, call=call_at_hub(clock=clock)).type == "EntryRetried"
    assert project_behind(hub.store, clock, "test") == 2
    assert faults(group, 1) == []
    assert rebuilt(hub.store) == table_digests(hub.store)


def test_program_ends_behind_the_entry_that_others_wait_for_then_those_go_on(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    _, waits = poison(node)
    exchange(node)
    clock = FixedClock(CLOCK.now())
    project_behind(hub.store, clock, "test")
    clock.advance(minutes=1)
    monkeypatch.setitem(registry.PROJECTORS, ("BatchMoved", 1), registry.PROJECTORS["PlantEnrolled", 1])

    def end(session: Session, log_id: int, index: int) -> Entry | None:
        if index == waits.index:
            raise Killed
        return entry_at(session, log_id, index)

    with monkeypatch.context() as between, pytest.raises(Killed):
        between.setattr(retrying, "entry_at", end)
        project_behind(hub.store, clock, "test")
    assert faults(group, 1) == [(1, waits.index, False)]
    clock.advance(minutes=1)
    assert project_behind(hub.store, clock, "test") == 1
    assert faults(group, 1) == []
    assert rebuilt(hub.store) == table_digests(hub.store)


def test_skipped_and_another_still_holds_up_what_waits_then_it_is_due_no_more(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    first, waits = poison(node)
    batch = first.payload["movements"][0]["batch"]
    second = write_raw(node, "BatchMoved", "elsewhere too", {"movements": [{"batch": batch}]})
    with node.store.transaction() as session:
        order = Quarantine(waits.envelope["key"], "seal")
        last = quarantine_batch(session, order, actor=LI, call=CommandContext(node.number, CLOCK.now()))
    exchange(node)
    project_behind(hub.store, CLOCK, "test")
    due = "SELECT idx FROM projection_faults WHERE next_attempt_us <= :now_us ORDER BY idx"
    with hub.store.transaction() as session:
        skip_entry(session, shown(first), actor=LI, call=call_at_hub())
        given = {"now_us": micros(CLOCK.now())}
        assert session.rows(due, given) == [(waits.index,), (second.index,), (last.index,)]
    assert project_behind(hub.store, CLOCK, "test") == 1
    assert faults(group, 1) == [(1, second.index, True), (1, last.index, False)]
    with hub.store.transaction() as session:
        assert session.rows(due, given) == []


def test_parked_by_a_clock_a_year_ahead_then_tried_again_when_it_is_right(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    poison(node)
    exchange(node)
    clock = FixedClock(CLOCK.now())
    clock.advance(days=365)
    project_behind(hub.store, clock, "test")
    monkeypatch.setitem(registry.PROJECTORS, ("BatchMoved", 1), registry.PROJECTORS["PlantEnrolled", 1])
    assert project_behind(hub.store, clock, "test") == 0
    assert project_behind(hub.store, CLOCK, "test") == 2
    assert faults(group, 1) == []


def test_one_bad_batch_among_two_thousand_then_all_others_are_applied(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    receive(node, 1000)
    broken, waits = poison(node)
    receive(node, 1000)
    while projected(hub.store, 1)[0] < 2006:
        exchange(node)
    applied = 0
    while count := project_behind(hub.store, CLOCK, "test"):
        applied += count
    assert applied == 2006 - 2
    assert faults(group, 1) == [(1, broken.index, True), (1, waits.index, False)]
    before = table_digests(hub.store)
    assert rebuilt(hub.store) == before


def test_entry_that_ends_the_program_then_it_is_found_and_parked(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    receive(node, 40)
    broken = write_raw(node, "BatchExploded", "bang", {})
    receive(node, 40)
    exchange(node)

    def explode(*_given: object) -> None:
        raise Killed

    monkeypatch.setitem(registry.PROJECTORS, ("BatchExploded", 1), explode)
    clock, deaths = FixedClock(CLOCK.now()), 0
    while projected(hub.store, 1)[1] < projected(hub.store, 1)[0]:
        try:
            project_pending(hub.store, 1, clock=clock, holder="test")
        except Killed:
            deaths += 1
        assert deaths <= 30
        clock.advance(minutes=1)
    assert faults(group, 1) == [(1, broken.index, True)]
    assert parking.TRIES_MAX < deaths < 20
    assert contents_of(hub.store, 1) == contents_of(node.store, 1)
    # Retried automatically; each attempt is counted before it is made, so that it cannot crash programs forever.
    with hub.store.transaction() as session:
        retry_entry(session, shown(broken), actor=LI, call=call_at_hub(clock=clock))
    for _ in range(parking.TRIES_MAX):
        with pytest.raises(Killed):
            project_pending(hub.store, 1, clock=clock, holder="test")
        clock.advance(hours=2)
    assert project_pending(hub.store, 1, clock=clock, holder="test") == 0
    with hub.store.transaction() as session:
        row = session.row("SELECT error, attempts, next_attempt_us FROM projection_faults")
    assert row == (parking.PROGRAM_ENDED, parking.TRIES_MAX, None)


def test_halted_then_the_alarm_lasts_until_it_goes_on(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    monkeypatch.setattr(parking, "PARKED_MAX", 2)
    for number in range(4):
        write_raw(node, "BatchTeleported", f"T-{number}", {})
    exchange(node)
    project_behind(hub.store, CLOCK, "test")
    assert told(hub.store) == [("ENTRY_PARKED", ORIGIN, True), ("PROJECTION_HALTED", ORIGIN, True)]
    monkeypatch.setitem(registry.PROJECTORS, ("BatchTeleported", 1), registry.PROJECTORS["PlantEnrolled", 1])
    assert project_behind(hub.store, CLOCK, "test") == 4
    assert told(hub.store) == [("ENTRY_PARKED", ORIGIN, False), ("PROJECTION_HALTED", ORIGIN, False)]


@contextmanager
def running(work: Any) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(patient(WAIT_SECONDS_MAX))
    assert not thread.is_alive()


def until_somebody_waits(store: Store) -> None:
    def waiting() -> bool:
        with store.transaction() as session:
            return bool(session.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

    wait_until(waiting, "somebody waits for a lock")


def test_rebuild_meets_a_slice_under_way_then_it_waits_and_both_are_whole(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    receive(node, 20)
    exchange(node)
    real, inside, go_on = projecting.Slice.run, threading.Event(), threading.Event()
    done: list[int] = []

    def slowly(one: Any, tried: Any) -> int:
        # In the middle of a slice: rows are written, and the watermark has not moved yet.
        one.session.run("UPDATE plants SET name = name")
        inside.set()
        assert go_on.wait(patient(WAIT_SECONDS_MAX))
        return real(one, tried)

    def rebuild_now() -> None:
        with hub.store.transaction() as session:
            done.append(rebuild(session))

    monkeypatch.setattr(projecting.Slice, "run", slowly)
    with running(lambda: done.append(project_behind(hub.store, CLOCK, "test"))):
        assert inside.wait(patient(WAIT_SECONDS_MAX))
        with running(rebuild_now):
            until_somebody_waits(hub.store)
            go_on.set()
    assert done[0] == 23
    assert projected(hub.store, 1) == (23, 23)
    assert faults(group, 1) == []
    assert contents_of(hub.store, 1) == contents_of(node.store, 1)


def test_slice_meets_a_rebuild_under_way_then_it_waits_and_both_are_whole(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    receive(node, 20)
    exchange(node)
    done: list[int] = []
    with hub.store.transaction() as session:
        rebuild(session)
        thread = threading.Thread(target=lambda: done.append(project_behind(hub.store, CLOCK, "test")))
        thread.start()
        until_somebody_waits(hub.store)
        assert done == []
    thread.join(patient(WAIT_SECONDS_MAX))
    assert done == [23]
    assert faults(group, 1) == []
    assert contents_of(hub.store, 1) == contents_of(node.store, 1)
