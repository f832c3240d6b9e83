"""Subscriptions: new entries and changes, in order, once each, resumed after a cursor, and only of visible plants."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auth.actors import Role
from infra.ids import new_id
from infra.messages import message
from infra.postgres import EmbeddedPostgres
from plants.commands.execution import CommandContext
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.ledger.events import Entry
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication.status import ReplicationState, amend
from schema.engine.context import Context
from schema.engine.limits import Limit
from tests.factories import OPERATOR as WANG_FANG
from tests.factories import Plant, plant_store, postgres_plant
from tests.patience import patient
from tests.schema.approvals.test_change_requests import decision, release_asked
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, QUALITY, Served, person
from tests.schema.group import Group, chain

ENTRIES = """subscription($filter: LedgerEntryFilter, $after: String) {
  ledgerEntries(filter: $filter, after: $after) { cursor entry { index type ledger plant { code } } } }"""
CHANGES = """subscription($filter: ChangeRequestFilter, $after: String) {
  changeRequests(filter: $filter, after: $after) { cursor changeRequest { index state plant { code } } } }"""
STATUS = """subscription($filter: ReplicationStatusFilter, $after: String) {
  replicationStatus(filter: $filter, after: $after) { cursor status {
    plant { code } replication { state size projected lagSeconds } } } }"""
ALARMS = """subscription($filter: AlarmFilter, $after: String) {
  alarms(filter: $filter, after: $after) { cursor alarm { kind about times endedAt } } }"""
SECONDS_MAX = 20
REQUESTED = {"state": {"eq": "REQUESTED"}}
THERE = person(6, (2, Role.AUDITOR))
NOTICE = message("TEST_ALARM", "Something is wrong.")


async def taken(events: AsyncIterator[JSON], count: int) -> list[JSON]:
    """Return the next events of a subscription."""
    async with asyncio.timeout(patient(SECONDS_MAX)):
        return [await anext(events) for _ in range(count)]


async def silent(events: AsyncIterator[JSON]) -> bool:
    """Tell whether nothing comes for as long as a commit elsewhere takes to be seen, and half as long again."""
    coming = asyncio.ensure_future(anext(events))
    done, _ = await asyncio.wait([coming], timeout=1.5)
    coming.cancel()
    await asyncio.wait([coming])
    return not done


async def begun(events: AsyncIterator[JSON]) -> "asyncio.Future[JSON]":
    """Begin a subscription: from here on each commit is new to it. Returns its first event, to come."""
    coming = asyncio.ensure_future(anext(events))
    await asyncio.sleep(patient(1))
    assert not coming.done()
    return coming


def receiving(plant: Plant) -> Callable[[Any], Entry]:
    def work(session: Any) -> Entry:
        call = CommandContext(plant.number, plant.clock.now(), request=new_id())
        return receive_batch(session, Delivery("RM-MILK", "1", "KGM", "A1"), actor=WANG_FANG, call=call)

    return work


def event(answer: JSON) -> JSON:
    """Return the one event of an answer."""
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return dict(found)


def place(answer: JSON) -> tuple[str | None, str, int]:
    """Return the plant, the kind of ledger and the index of an entry's event."""
    entry = event(answer)["entry"]
    return entry["plant"] and entry["plant"]["code"], entry["ledger"], entry["index"]


async def now(node: Served, actor: Any = MANAGER) -> str:
    return str((await node.ask(actor, "{ eventCursor }"))["eventCursor"])


async def test_entries_then_each_new_one_and_none_of_before(here: Plant, node: Served) -> None:
    async with aclosing(node.follow(MANAGER, ENTRIES)) as events:
        coming = await begun(events)
        await asyncio.wrap_future(node.writer.submit(receiving(here)))
        assert place(await coming) == ("SH1", "PLANT", 10)
        await asyncio.wrap_future(node.writer.submit(receiving(here)))
        assert [place(one) for one in await taken(events, 1)] == [("SH1", "PLANT", 11)]
        here.receive()  # by another process, which tells nobody
        assert [place(one) for one in await taken(events, 1)] == [("SH1", "PLANT", 12)]
        assert await silent(events)


async def test_cursor_of_now_at_a_plant_with_directives_then_none_of_them_again(group: Group, hub: Served) -> None:
    milk = chain(group).milk
    await hub.do(DIRECTOR, "placeHold", "... on Recorded { entry { index } }", batchCode=milk, reason="Glass")
    group.hub.tells(group.here)
    plant = Served(group.here.store, group.here.clock, group.here.number)
    try:
        async with aclosing(plant.follow(MANAGER, ENTRIES, after=await now(plant))) as events:
            assert await silent(events)
    finally:
        plant.close()


async def test_many_at_once_then_all_of_them_in_order(here: Plant, node: Served) -> None:
    after = await now(node)
    futures = [node.writer.submit(receiving(here)) for _ in range(250)]
    async with aclosing(node.follow(MANAGER, ENTRIES, after=after)) as events:
        found = await taken(events, 250)
        assert await silent(events)
    assert [place(one)[2] for one in found] == list(range(10, 260))
    assert all(future.done() for future in futures)


async def test_resumed_after_any_event_then_the_rest_once_each(here: Plant, node: Served) -> None:
    after = await now(node)
    for _ in range(5):
        here.receive()
    async with aclosing(node.follow(MANAGER, ENTRIES, after=after)) as events:
        cursors = [event(one)["cursor"] for one in await taken(events, 5)]
    here.receive()
    for number, cursor in enumerate(cursors):
        async with aclosing(node.follow(MANAGER, ENTRIES, after=cursor)) as events:
            found = await taken(events, 5 - number)
            assert [place(one)[2] for one in found] == list(range(11 + number, 16))
            assert number or await silent(events)


async def test_writers_at_once_on_postgresql_then_no_entry_is_missed(postgres_18: EmbeddedPostgres) -> None:
    plant = postgres_plant(postgres_18)
    node = Served(plant.store, plant.clock, 1)

    def write() -> None:
        for _ in range(20):
            plant.receive()

    first, after = plant.entry().index + 1, await now(node)
    try:
        with ThreadPoolExecutor(3) as pool:
            async with aclosing(node.follow(MANAGER, ENTRIES, after=after)) as events:
                writing = [pool.submit(write) for _ in range(3)]
                found = await taken(events, 60)
                assert await silent(events)
        for one in writing:
            one.result()
    finally:
        node.close()
        plant.close()
    assert [place(one)[2] for one in found] == list(range(first, first + 60))


async def test_hub_then_the_entries_of_every_plant_and_resumed_between_them(group: Group, hub: Served) -> None:
    after = await now(hub, AUDITOR)
    chain(group)
    async with aclosing(hub.follow(AUDITOR, ENTRIES, after=after)) as events:
        found = await taken(events, 5)
        assert await silent(events)
    places = [place(one) for one in found]
    assert places == [("SH1", "PLANT", n) for n in (10, 11, 12)] + [("NB1", "PLANT", n) for n in (10, 11)]
    for number, one in enumerate(found):
        rest = len(found) - number - 1
        async with aclosing(hub.follow(AUDITOR, ENTRIES, after=event(one)["cursor"])) as events:
            assert [place(another) for another in await taken(events, rest)] == places[number + 1 :]


async def test_filter_then_those_entries_alone_and_the_cursor_passes_the_others(group: Group, hub: Served) -> None:
    after = await now(hub, AUDITOR)
    chain(group)
    for given, places in (
        ({"plantCode": {"eq": "NB1"}}, [("NB1", "PLANT", 10), ("NB1", "PLANT", 11)]),
        ({"type": {"eq": "TransferDispatched"}}, [("SH1", "PLANT", 12)]),
        ({"plantCode": {"eq": "XX9"}}, []),
    ):
        async with aclosing(hub.follow(AUDITOR, ENTRIES, filter=given, after=after)) as events:
            found = await taken(events, len(places))
            assert [place(one) for one in found] == places
            assert await silent(events)
    async with aclosing(hub.follow(AUDITOR, ENTRIES, filter={"plantCode": {"eq": "SH1"}}, after=after)) as events:
        last = event((await taken(events, 3))[-1])["cursor"]
    async with aclosing(hub.follow(AUDITOR, ENTRIES, after=last)) as events:
        assert [place(one)[0] for one in await taken(events, 2)] == ["NB1", "NB1"]


async def test_plant_that_joins_later_then_its_ledger_from_the_beginning(
    group: Group, hub: Served, tmp_path: Path
) -> None:
    after = await now(hub, AUDITOR)
    new = plant_store(tmp_path, 3, "BJ2")
    group.hub.takes_in(new)
    group.hub.hears(new)
    async with aclosing(hub.follow(AUDITOR, ENTRIES, after=after)) as events:
        found = [place(one) for one in await taken(events, 10)]
        assert await silent(events)
    new.close()
    assert found == [("BJ2", "PLANT", n) for n in range(10)]


async def test_permission_taken_away_then_the_plants_entries_end_and_given_back_then_none_is_missed(
    group: Group, hub: Served
) -> None:
    context = Context(hub.services, AUDITOR, language="en", kept=False)
    after = await now(hub, AUDITOR)
    async with aclosing(hub.follow(AUDITOR, ENTRIES, context=context, after=after)) as events:
        group.here.receive()
        group.hears()
        assert [place(one) for one in await taken(events, 1)] == [("SH1", "PLANT", 10)]
        context.actor = THERE
        group.here.receive()
        group.there.receive()
        group.hears()
        assert [place(one) for one in await taken(events, 1)] == [("NB1", "PLANT", 10)]
        assert await silent(events)
    async with aclosing(hub.follow(AUDITOR, ENTRIES, context=context, after=after)) as events:
        await taken(events, 1)
        context.actor = AUDITOR
        assert [place(one) for one in await taken(events, 2)] == [("SH1", "PLANT", 10), ("SH1", "PLANT", 11)]
        context.actor = person(4)
        (ended,) = await taken(events, 1)
        assert ended["errors"][0]["extensions"] == {"code": "NOT_PERMITTED"}


async def test_nothing_to_see_then_not_permitted(hub: Served) -> None:
    for actor, document in ((OPERATOR, ENTRIES), (person(4), ENTRIES), (person(4), CHANGES)):
        async with aclosing(hub.follow(actor, document)) as events:
            (answer,) = await taken(events, 1)
            assert answer["errors"][0]["extensions"] == {"code": "NOT_PERMITTED"}


async def test_cursor_of_another_stream_list_or_node_then_refused(here: Plant, node: Served) -> None:
    here.receive()
    listed = await node.ask(MANAGER, "{ ledger(first: 1) { pageInfo { endCursor } } }")
    async with aclosing(node.follow(MANAGER, STATUS)) as events:
        status = event((await taken(events, 1))[0])["cursor"]
    cursor = await now(node)
    for document, wrong in (
        (ENTRIES, listed["ledger"]["pageInfo"]["endCursor"]),
        (ENTRIES, status),
        (STATUS, cursor),
        (CHANGES, cursor[:-2] + "AA"),
        (ENTRIES, "x"),
    ):
        async with aclosing(node.follow(MANAGER, document, after=wrong)) as events:
            (answer,) = await taken(events, 1)
            assert answer["errors"][0]["extensions"] == {"code": "CURSOR_INVALID"}, document


async def test_changes_then_one_event_for_each_step(here: Plant, node: Served) -> None:
    after = await now(node)
    asked = release_asked(here)
    async with aclosing(node.follow(MANAGER, CHANGES, after=after)) as events:
        (requested,) = await taken(events, 1)
        assert event(requested)["changeRequest"] == {
            "index": asked.index, "state": "REQUESTED", "plant": {"code": "SH1"},
        }  # fmt: skip
        await node.do(QUALITY, "decideChangeRequest", "", requestId=new_id(), comment="Good", **decision(asked))
        states = [event(one)["changeRequest"]["state"] for one in await taken(events, 2)]
        assert states == ["APPLIED", "APPLIED"]
        assert await silent(events)
    async with aclosing(node.follow(MANAGER, CHANGES, after=event(requested)["cursor"])) as events:
        assert len(await taken(events, 2)) == 2
        assert await silent(events)
    async with aclosing(node.follow(MANAGER, CHANGES, after=after, filter=REQUESTED)) as events:
        later = release_asked(here)
        assert [event(one)["changeRequest"]["index"] for one in await taken(events, 1)] == [later.index]


async def test_changes_of_plants_then_the_hub_streams_them(group: Group, hub: Served) -> None:
    after = await now(hub, AUDITOR)
    asked = release_asked(group.here), release_asked(group.there)
    group.hears()
    async with aclosing(hub.follow(DIRECTOR, CHANGES, after=after)) as events:
        found = [event(one)["changeRequest"] for one in await taken(events, 2)]
        assert [(one["plant"]["code"], one["index"]) for one in found] == [
            ("SH1", asked[0].index), ("NB1", asked[1].index),
        ]  # fmt: skip
        await hub.do(DIRECTOR, "decideChangeRequest", "", requestId=new_id(), comment="Good", **decision(asked[1]))
        assert event((await taken(events, 1))[0])["changeRequest"]["plant"] == {"code": "NB1"}
    async with aclosing(hub.follow(THERE, CHANGES, after=after)) as events:
        assert {event(one)["changeRequest"]["plant"]["code"] for one in await taken(events, 2)} == {"NB1"}


async def test_replication_then_every_plant_at_once_and_each_that_changes(group: Group, hub: Served) -> None:
    group.checkpointed()
    async with aclosing(hub.follow(DIRECTOR, STATUS)) as events:
        found = await taken(events, 2)
        assert [event(one)["status"] for one in found] == [
            {"plant": {"code": code}, "replication": {"state": "IN_SYNC", "size": 10, "projected": 10, "lagSeconds": 0}}
            for code in ("SH1", "NB1")
        ]
        group.here.clock.advance(minutes=5)
        assert await silent(events)
    first, last = (event(one)["cursor"] for one in found)
    there = {"plantCode": {"eq": "NB1"}}
    async with aclosing(hub.follow(DIRECTOR, STATUS, filter=there)) as events:
        await taken(events, 1)
        group.here.receive()
        group.there.receive()
        group.hears()
        (changed,) = await taken(events, 1)
        assert event(changed)["status"] == {
            "plant": {"code": "NB1"},
            "replication": {"state": "IN_SYNC", "size": 11, "projected": 11, "lagSeconds": 300},
        }
    for cursor in (first, last):
        async with aclosing(hub.follow(DIRECTOR, STATUS, after=cursor)) as events:
            again = [event(one)["status"]["plant"]["code"] for one in await taken(events, 2)]
            assert again == ["SH1", "NB1"]
            assert await silent(events)
    async with aclosing(hub.follow(DIRECTOR, STATUS, after=event(changed)["cursor"], filter=there)) as events:
        assert await silent(events)


async def test_replication_leaves_the_filter_and_returns_then_it_comes_again(group: Group, hub: Served) -> None:
    group.checkpointed()
    wanted = {"plantCode": {"eq": "NB1"}, "state": {"eq": "IN_SYNC"}}

    def change(state: ReplicationState) -> None:
        with group.hub.store.transaction() as session:
            amend(session, group.there.number, state=state)

    async with aclosing(hub.follow(DIRECTOR, STATUS, filter=wanted)) as events:
        (first,) = await taken(events, 1)
        coming = await begun(events)
        change(ReplicationState.UNREACHABLE)
        await asyncio.sleep(patient(1.5))
        assert not coming.done()
        change(ReplicationState.IN_SYNC)
        async with asyncio.timeout(patient(SECONDS_MAX)):
            assert event(await coming)["status"] == event(first)["status"]


async def test_replication_then_of_ones_own_plants_alone(hub: Served) -> None:
    async with aclosing(hub.follow(THERE, STATUS)) as events:
        (first,) = await taken(events, 1)
        assert event(first)["status"]["plant"] == {"code": "NB1"}
        assert await silent(events)
    for actor, given in ((THERE, {"plantCode": {"eq": "SH1"}}), (DIRECTOR, {"state": {"notIn": ["IN_SYNC"]}})):
        async with aclosing(hub.follow(actor, STATUS, filter=given)) as events:
            assert await silent(events) is (actor is THERE)


async def test_alarms_then_the_active_ones_and_each_that_is_raised_counted_or_ended(here: Plant, node: Served) -> None:
    def change(kind: AlarmKind, *, end: bool = False) -> None:
        with here.store.transaction() as session:
            if end:
                end_alarm(session, kind, "x", here.clock.now())
            else:
                raise_alarm(session, Alarm(kind, "x", NOTICE()), here.clock.now())

    change(AlarmKind.CLOCKS_DIFFER)
    change(AlarmKind.HUB_UNREACHED)
    change(AlarmKind.HUB_UNREACHED, end=True)
    async with aclosing(node.follow(MANAGER, ALARMS)) as events:
        (active,) = await taken(events, 1)
        assert event(active)["alarm"] == {"kind": "CLOCKS_DIFFER", "about": "x", "times": 1, "endedAt": None}
        here.clock.at += timedelta(seconds=1)
        change(AlarmKind.CLOCKS_DIFFER)
        assert event((await taken(events, 1))[0])["alarm"]["times"] == 2
        assert await silent(events)
    change(AlarmKind.CLOCKS_DIFFER, end=True)
    change(AlarmKind.JOB_OVERDUE)
    async with aclosing(node.follow(MANAGER, ALARMS, after=event(active)["cursor"])) as events:
        found = {event(one)["alarm"]["kind"]: event(one)["alarm"]["endedAt"] for one in await taken(events, 2)}
        assert found == {"CLOCKS_DIFFER": "2026-03-14T08:00:01.000000Z", "JOB_OVERDUE": None}
        assert await silent(events)
    async with aclosing(node.follow(MANAGER, ALARMS, filter={"kind": {"eq": "JOB_OVERDUE"}})) as events:
        assert event((await taken(events, 1))[0])["alarm"]["kind"] == "JOB_OVERDUE"
        assert await silent(events)
    async with aclosing(node.follow(person(4), ALARMS)) as events:
        assert (await anext(events))["errors"]


async def test_rows_of_many_events_then_each_has_those_of_one_answer(
    here: Plant, node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = await now(node)
    for _ in range(5):
        release_asked(here)
    monkeypatch.setattr("schema.engine.context.ROWS_MAX", Limit(3, "Rows."))
    document = """subscription($after: String) { changeRequests(after: $after) {
      cursor changeRequest { batch { history(first: 3) { nodes { index } } } } } }"""
    async with aclosing(node.follow(MANAGER, document, after=after)) as events:
        for one in await taken(events, 5):
            assert len(event(one)["changeRequest"]["batch"]["history"]["nodes"]) == 3
