"""The audit log over GraphQL: content, hashes, filters and visibility by plant."""

import json
from hashlib import sha256

import pytest

from auth.actors import Role
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import Wrong
from schema.engine.node_ids import node_id
from tests.factories import MANAGER as LI_LEI
from tests.factories import Plant
from tests.plants.replicas import answer_next
from tests.schema.asking import AUDITOR, JSON, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group, chain

ENTRIES = """query($filter: LedgerFilter, $newest: Boolean, $first: Int, $after: String) {
  ledger(filter: $filter, newestFirst: $newest, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { index type key ledger plant { code } } } }"""
THERE = person(6, (2, Role.AUDITOR))
REQUEST = "0190b0a0-0000-7000-8000-000000000001"


async def listed(node: Served, actor: object = AUDITOR, **given: object) -> JSON:
    found = await node.ask(actor, ENTRIES, **given)  # type: ignore[arg-type]
    return dict(found["ledger"])


def indexes(found: JSON) -> list[int]:
    return [one["index"] for one in found["nodes"]]


async def test_entry_then_everything_that_was_written_and_the_hash_of_its_bytes(here: Plant, node: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1", supplier="S1", supplier_lot="L-7")
    written = here.do(receive_batch, order, request=REQUEST, reason="Tank 3 三号罐")
    document = """query($index: Int!) { entry(index: $index) {
      id index ledger plant { code } eventId type version occurredAt recordedAt
      logicalTime actor device key reason requestId payload body leafHash causes { index } differences { field }
      corrects { index } corrected { wrong } } }"""
    entry = (await node.ask(MANAGER, document, index=written.index))["entry"]
    body = entry.pop("body").encode()
    assert body == written.body
    assert sha256(b"\0" + body).hexdigest() == entry["leafHash"] == written.leaf.hex()
    assert json.loads(entry.pop("payload")) == written.payload
    envelope = written.envelope
    assert entry == {
        "id": node_id("entry", 1, written.index), "index": 10, "ledger": "PLANT", "plant": {"code": "SH1"},
        "eventId": envelope["id"], "type": "BatchReceived", "version": 1,
        "occurredAt": "2026-03-14T08:00:00.000000Z", "recordedAt": "2026-03-14T08:00:00.000000Z",
        "logicalTime": envelope["hlc"], "actor": "person-1", "device": None, "key": envelope["key"],
        "reason": "Tank 3 三号罐", "requestId": REQUEST, "leafHash": written.leaf.hex(), "causes": [],
        "differences": [], "corrects": None, "corrected": None,
    }  # fmt: skip
    again = await node.ask(
        MANAGER, "query($id: ID!) { node(id: $id) { id ... on LedgerEntry { type } } }", id=entry["id"]
    )
    assert again == {"node": {"id": entry["id"], "type": "BatchReceived"}}


async def test_pages_then_each_entry_once_in_either_order(here: Plant, node: Served) -> None:
    here.receive()
    for newest, expected in ((False, list(range(11))), (True, list(range(10, -1, -1)))):
        found: list[int] = []
        after, more = None, True
        while more:
            page = await listed(node, MANAGER, newest=newest, first=4, after=after)
            assert page["totalCount"] == 11
            found += indexes(page)
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert found == expected


async def test_filters_then_exactly_what_fits(here: Plant, node: Served) -> None:
    here.clock.advance(days=1)
    milk = here.receive()
    other = here.receive()
    here.clock.advance(hours=1)
    moved = here.do(move_batch, Move(milk, "A1", "B1", "10", "KGM"), actor=LI_LEI, request=REQUEST)
    first = moved.index - 2
    for wanted, expected in (
        ({"batchCode": milk}, [first, moved.index]),
        ({"batchCode": milk, "type": "BatchMoved"}, [moved.index]),
        ({"batchCode": other}, [first + 1]),
        ({"batchCode": "SH1-NONE"}, []),
        ({"key": "RM-MILK"}, [1]),
        ({"type": "BatchReceived"}, [first, first + 1]),
        ({"actor": "person-2"}, [moved.index]),
        ({"requestId": REQUEST.upper()}, [moved.index]),
        ({"recordedFrom": "2026-03-15T08:00:00Z", "recordedBefore": "2026-03-15T17:00:00+08:00"}, [first, first + 1]),
        ({"occurredFrom": "2026-03-15T09:00:00Z"}, [moved.index]),
        ({"occurredBefore": "2026-03-14T08:00:00Z"}, []),
        ({"plant": "SH1", "key": milk}, [first, moved.index] if moved.envelope["key"] == milk else [first]),
        ({"plant": "NB1"}, []),
        ({"ledger": "HUB"}, []),
        ({"ledger": "PLANT", "type": "BatchMoved"}, [moved.index]),
    ):
        found = await listed(node, MANAGER, filter=wanted, newest=False)
        assert (wanted, indexes(found), found["totalCount"]) == (wanted, expected, len(expected))


async def test_history_of_a_batch_then_what_both_plants_say_of_it(group: Group, hub: Served) -> None:
    goods = chain(group)
    document = (
        "query($code: BatchCode!) { batch(code: $code) { history { totalCount nodes { type plant { code } } } } }"
    )
    found = await hub.ask(AUDITOR, document, code=goods.yoghurt)
    assert found["batch"]["history"] == {
        "totalCount": 4,
        "nodes": [
            {"type": "ProductionRecorded", "plant": {"code": "SH1"}},
            {"type": "TransferDispatched", "plant": {"code": "SH1"}},
            {"type": "TransferReceived", "plant": {"code": "NB1"}},
            {"type": "BatchShipped", "plant": {"code": "NB1"}},
        ],
    }


async def test_corrected_entry_then_it_and_its_correction_name_each_other(here: Plant, node: Served) -> None:
    here.receive()
    wrong = here.entry()
    by = here.do(correct_entry, Correction(wrong.index, Wrong.DID_NOT_OCCUR, "Scanned twice"))
    document = """query($wrong: Int!, $by: Int!) {
      a: entry(index: $wrong) { corrects { index } corrected { wrong reason by { index } } }
      b: entry(index: $by) { corrects { index type } corrected { wrong } } }"""
    assert await node.ask(MANAGER, document, wrong=wrong.index, by=by.index) == {
        "a": {
            "corrects": None,
            "corrected": {"wrong": "DID_NOT_OCCUR", "reason": "Scanned twice", "by": {"index": by.index}},
        },
        "b": {"corrects": {"index": wrong.index, "type": "BatchReceived"}, "corrected": None},
    }


async def test_change_decided_at_the_hub_then_before_and_after_and_what_it_answers(group: Group, hub: Served) -> None:
    plant = group.here
    code = plant.receive()
    held = plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    asked = plant.do(request_change, ReleaseRequest(code, "Tested, good"))
    group.hears()
    decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED)
    group.hub.desk(plant).do(decide_change_at_hub, decision)
    group.hub.tells(plant)
    answer_next(plant)
    group.hears()
    document = """{ directive: entry(plant: "SH1", index: 0, ledger: DIRECTIVES) { ledger type plant { code }
        causes { origin index leafHash entry { type ledger } } }
      applied: ledger(filter: {type: "ChangeApplied"}) { nodes { differences { field before after } } }
      decided: ledger(filter: {type: "ChangeDecided", ledger: PLANT}) {
        nodes { actor causes { index entry { ledger type } } } } }"""
    found = await hub.ask(AUDITOR, document)
    assert found["directive"] == {
        "ledger": "DIRECTIVES", "type": "ChangeDecided", "plant": {"code": "SH1"},
        "causes": [
            {"origin": plant.origin, "index": asked.index, "leafHash": asked.leaf.hex(),
             "entry": {"type": "ChangeRequested", "ledger": "PLANT"}}
        ],
    }  # fmt: skip
    lifted = {"field": f"hold:{held.index}", "before": "QUALITY: Seal broken", "after": "LIFTED"}
    assert found["applied"]["nodes"] == [{"differences": [lifted]}]
    assert found["decided"]["nodes"] == [
        {"actor": "person-9", "causes": [{"index": 0, "entry": {"ledger": "DIRECTIVES", "type": "ChangeDecided"}}]}
    ]


async def test_the_hubs_own_ledger_then_only_the_group_sees_it(hub: Served) -> None:
    document = "{ entry(index: 0) { type ledger plant { code } } ledger(filter: {ledger: HUB}) { totalCount } }"
    assert await hub.ask(AUDITOR, document) == {
        "entry": {"type": "HubOpened", "ledger": "HUB", "plant": None}, "ledger": {"totalCount": 1},
    }  # fmt: skip
    assert await hub.ask(THERE, document) == {"entry": None, "ledger": {"totalCount": 0}}


@pytest.mark.parametrize("filter_", [{"plant": "SH1"}, {"plant": "XX9"}])
async def test_another_plants_ledger_then_answered_like_one_that_is_not(
    group: Group, hub: Served, filter_: JSON
) -> None:
    goods = chain(group)
    assert (await listed(hub, filter=filter_))["totalCount"] == (13 if filter_["plant"] == "SH1" else 0)
    nothing = await listed(hub, THERE, filter={"plant": "XX9"})
    assert await listed(hub, THERE, filter=filter_) == nothing
    assert await listed(hub, THERE, filter={"plant": "SH1", "batchCode": goods.milk}) == nothing
    assert await listed(hub, THERE, filter={"batchCode": goods.milk}) == await listed(
        hub, THERE, filter={"batchCode": "SH1-X"}
    )
    document = """query($plant: PlantCode!, $ids: [ID!]!) { entry(plant: $plant, index: 1) { type }
      nodes(ids: $ids) { id } }"""
    ids = [node_id("entry", 1, 1), node_id("entry", -1, 0)]
    seen = await hub.ask(THERE, document, plant=filter_["plant"], ids=ids)
    assert seen == {"entry": None, "nodes": [None, None]}
    everything = await listed(hub, THERE, newest=False)
    assert everything["totalCount"] == 12
    assert {one["plant"]["code"] for one in everything["nodes"]} == {"NB1"}


async def test_operator_then_no_entry_at_all(here: Plant, node: Served) -> None:
    code = here.receive()
    document = """query($code: BatchCode!) { entry(index: 0) { type } ledger { totalCount }
      batch(code: $code) { history { totalCount } } }"""
    assert await node.ask(OPERATOR, document, code=code) == {
        "entry": None, "ledger": {"totalCount": 0}, "batch": {"history": {"totalCount": 0}},
    }  # fmt: skip


async def test_index_that_is_not_there_then_null(node: Served) -> None:
    assert await node.ask(MANAGER, "{ a: entry(index: -1) { type } b: entry(index: 2147483647) { type } }") == {
        "a": None, "b": None,
    }  # fmt: skip


async def test_body_is_pruned_then_its_columns_are_told_and_the_rest_is_null(here: Plant, node: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1")
    written = here.do(receive_batch, order, request=REQUEST, reason="Tank 3 三号罐")
    with here.store.transaction() as session:
        session.run("UPDATE entries SET body = :nothing WHERE idx = :idx", {"nothing": b"", "idx": written.index})
        session.run("UPDATE logs SET pruned = :size", {"size": written.index + 1})
    document = """query($index: Int!) { entry(index: $index) {
      eventId type version occurredAt recordedAt logicalTime actor reason key requestId payload body pruned leafHash
      causes { index } differences { field } corrects { index } } }"""
    entry = (await node.ask(MANAGER, document, index=written.index))["entry"]
    assert entry == {
        "eventId": written.envelope["id"], "type": "BatchReceived", "version": None,
        "occurredAt": "2026-03-14T08:00:00.000000Z", "recordedAt": "2026-03-14T08:00:00.000000Z", "logicalTime": None,
        "actor": "person-1", "reason": None, "key": written.envelope["key"], "requestId": REQUEST, "payload": None,
        "body": None, "pruned": True, "leafHash": written.leaf.hex(), "causes": [], "differences": [], "corrects": None,
    }  # fmt: skip
    assert indexes(await listed(node, MANAGER, filter={"batchCode": written.envelope["key"]})) == [written.index]
    at_hand = await node.ask(MANAGER, "{ entry(index: 0) { pruned version } }")
    assert at_hand == {"entry": {"pruned": False, "version": 1}}


async def test_dispatch_is_pruned_then_the_label_says_so(here: Plant, node: Served) -> None:
    batch = here.receive()
    sent = here.do(dispatch_transfer, Dispatch("NB1", (StockLine(batch, "5", "KGM", "A1"),)))
    document = "query($id: ID!) { node(id: $id) { ... on Transfer { manifest } } }"
    wanted = node_id("transfer", sent.payload["transfer"])
    assert (await node.ask(MANAGER, document, id=wanted))["node"]["manifest"]
    with here.store.transaction() as session:
        session.run("UPDATE entries SET body = :nothing WHERE idx = :idx", {"nothing": b"", "idx": sent.index})
    answer = await node.answer(MANAGER, document, id=wanted)
    assert answer["errors"][0]["extensions"]["code"] == "ENTRY_PRUNED"
