"""Subscriptions: existing and new entries, in order, once each, and only of visible plants."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from auth.actors import Role
from infra.ids import new_id
from plants.commands.execution import CommandContext
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.ledger.events import Entry
from tests.factories import OPERATOR as WANG_FANG
from tests.factories import Plant
from tests.patience import patient
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group, chain

ENTRIES = """subscription($plant: PlantCode, $from: Int! = 0, $ledger: LedgerKind! = PLANT) {
  ledgerEntries(plant: $plant, fromIndex: $from, ledger: $ledger) { index type plant { code } } }"""
STATUS = """subscription($plant: PlantCode) { replicationStatus(plant: $plant) {
  plant { code } replication { state size projected lagSeconds } } }"""
SECONDS_MAX = 20


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


def receiving(plant: Plant) -> Callable[[Any], Entry]:
    def work(session: Any) -> Entry:
        call = CommandContext(plant.number, plant.clock.now(), request=new_id())
        return receive_batch(session, Delivery("RM-MILK", "1", "KGM", "A1"), actor=WANG_FANG, call=call)

    return work


def received(index: int) -> JSON:
    return {"data": {"ledgerEntries": {"index": index, "type": "BatchReceived", "plant": {"code": "SH1"}}}}


async def test_entries_then_those_there_and_each_that_comes_once(here: Plant, node: Served) -> None:
    async with aclosing(node.follow(MANAGER, ENTRIES)) as events:
        found = await taken(events, 10)
        assert [one["data"]["ledgerEntries"]["index"] for one in found] == list(range(10))
        for index in (10, 11):
            await asyncio.wrap_future(node.writer.submit(receiving(here)))
            assert await taken(events, 1) == [received(index)]
        here.receive()  # by another process, which tells nobody
        assert await taken(events, 1) == [received(12)]
        assert await silent(events)


async def test_many_at_once_then_all_of_them_in_order(here: Plant, node: Served) -> None:
    futures = [node.writer.submit(receiving(here)) for _ in range(250)]
    async with aclosing(node.follow(MANAGER, ENTRIES, **{"from": 10})) as events:
        found = await taken(events, 250)
    assert found == [received(index) for index in range(10, 260)]
    assert all(future.done() for future in futures)


async def test_from_an_index_beyond_the_end_then_nothing_until_it_is_there(here: Plant, node: Served) -> None:
    async with aclosing(node.follow(MANAGER, ENTRIES, **{"from": 11})) as events:
        coming = asyncio.ensure_future(taken(events, 1))
        for _ in range(2):
            await asyncio.wrap_future(node.writer.submit(receiving(here)))
        assert await coming == [received(11)]


async def test_hub_then_the_entries_of_a_plant_as_they_arrive(group: Group, hub: Served) -> None:
    async with aclosing(hub.follow(AUDITOR, ENTRIES, plant="SH1", **{"from": 10})) as events:
        goods = chain(group)
        found = await taken(events, 3)
        types = [one["data"]["ledgerEntries"]["type"] for one in found]
        assert types == ["BatchReceived", "ProductionRecorded", "TransferDispatched"]
        assert goods.milk
    async with aclosing(hub.follow(AUDITOR, ENTRIES)) as events:
        (first,) = await taken(events, 1)
        assert first["data"]["ledgerEntries"] == {"index": 0, "type": "HubOpened", "plant": None}


async def test_what_one_may_not_see_then_refused_like_what_is_not(hub: Served) -> None:
    there = person(6, (2, Role.AUDITOR))
    answers = []
    for actor, given in (
        (there, {"plant": "SH1"}),
        (there, {"plant": "XX9"}),
        (there, {"plant": "SH1", "ledger": "DIRECTIVES"}),
        (there, {}),
        (there, {"ledger": "HUB"}),
        (AUDITOR, {"plant": "XX9"}),
        (OPERATOR, {"plant": "SH1"}),
    ):
        async with aclosing(hub.follow(actor, ENTRIES, **given)) as events:
            answers += await taken(events, 1)
    assert [one["errors"][0]["extensions"] for one in answers] == [{"code": "NOT_PERMITTED"}] * len(answers)
    assert len({one["errors"][0]["message"] for one in answers}) == 1


async def test_replication_then_every_plant_at_once_and_each_that_changes(group: Group, hub: Served) -> None:
    group.checkpointed()
    async with aclosing(hub.follow(DIRECTOR, STATUS)) as events:
        found = await taken(events, 2)
        assert [one["data"]["replicationStatus"] for one in found] == [
            {"plant": {"code": code}, "replication": {"state": "IN_SYNC", "size": 10, "projected": 10, "lagSeconds": 0}}
            for code in ("SH1", "NB1")
        ]
        group.here.clock.advance(minutes=5)
        assert await silent(events)
    async with aclosing(hub.follow(DIRECTOR, STATUS, plant="NB1")) as events:
        await taken(events, 1)
        group.here.receive()
        group.there.receive()
        group.hears()
        (changed,) = await taken(events, 1)
        assert changed["data"]["replicationStatus"] == {
            "plant": {"code": "NB1"},
            "replication": {"state": "IN_SYNC", "size": 11, "projected": 11, "lagSeconds": 300},
        }


async def test_replication_then_of_ones_own_plants_alone(hub: Served) -> None:
    async with aclosing(hub.follow(person(6, (2, Role.AUDITOR)), STATUS)) as events:
        (first,) = await taken(events, 1)
        assert first["data"]["replicationStatus"]["plant"] == {"code": "NB1"}
        assert await silent(events)
    for actor, given in ((person(6, (2, Role.AUDITOR)), {"plant": "SH1"}), (person(4), {})):
        async with aclosing(hub.follow(actor, STATUS, **given)) as events:
            assert await silent(events)
