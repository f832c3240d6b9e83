"""The audit log over GraphQL: content, hashes, filters and visibility by plant."""

import json
from datetime import timedelta
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
from plants.rules.audit.corrections import CorrectionReason
from schema.engine.node_ids import node_id
from tests.factories import MANAGER as LI_LEI
from tests.factories import Plant
from tests.plants.replicas import answer_next
from tests.schema.asking import AUDITOR, JSON, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group, chain

ENTRIES = """query($filter: LedgerEntryFilter, $order: LedgerEntryOrder, $first: Int, $after: String) {
  ledger(filter: $filter, orderBy: $order, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { index type ledger plant { code } } } }"""
THERE = person(6, (2, Role.AUDITOR))
OLDEST_FIRST = {"field": "RECORDED"}
NEWEST_FIRST = {"field": "RECORDED", "direction": "DESCENDING"}
REQUEST = "0190b0a0-0000-7000-8000-000000000001"


async def listed(node: Served, actor: object = AUDITOR, **given: object) -> JSON:
    found = await node.ask(actor, ENTRIES, **given)  # type: ignore[arg-type]
    return dict(found["ledger"])


def indexes(found: JSON) -> list[int]:
    return [one["index"] for one in found["nodes"]]


async def test_entry_then_everything_that_was_written_and_the_hash_of_its_bytes(here: Plant, node: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1", supplier="S1", supplier_lot="L-7")
    written = here.do(receive_batch, order, request=REQUEST, reason="Tank 3 三号罐")
    document = """query($id: ID!) { ledgerEntry(id: $id) {
      id index ledger plant { code } eventId type version occurredAt recordedAt
      logicalTime actor { code } device about { id } reason requestId payload body leafHash causes { index }
      differences { field } corrects { index } correction { reason } } }"""
    entry = (await node.ask(MANAGER, document, id=node_id("entry", 1, written.index)))["ledgerEntry"]
    body = entry.pop("body").encode()
    assert body == written.body
    assert sha256(b"\0" + body).hexdigest() == entry["leafHash"] == written.leaf.hex()
    assert json.loads(entry.pop("payload")) == written.payload
    envelope = written.envelope
    assert entry == {
        "id": node_id("entry", 1, written.index), "index": 10, "ledger": "PLANT", "plant": {"code": "SH1"},
        "eventId": envelope["id"], "type": "BatchReceived", "version": 1,
        "occurredAt": "2026-03-14T08:00:00.000000Z", "recordedAt": "2026-03-14T08:00:00.000000Z",
        "logicalTime": envelope["hlc"], "actor": {"code": "person-1"}, "device": None,
        "about": {"id": node_id("batch", written.payload["batches"][0]["id"])},
        "reason": "Tank 3 三号罐", "requestId": REQUEST, "leafHash": written.leaf.hex(), "causes": [],
        "differences": [], "corrects": None, "correction": None,
    }  # fmt: skip
    again = await node.ask(
        MANAGER, "query($id: ID!) { node(id: $id) { id ... on LedgerEntry { type } } }", id=entry["id"]
    )
    assert again == {"node": {"id": entry["id"], "type": "BatchReceived"}}


async def test_pages_then_each_entry_once_in_either_order(here: Plant, node: Served) -> None:
    here.receive()
    backwards = list(range(10, -1, -1))
    for order, expected in ((OLDEST_FIRST, list(range(11))), (NEWEST_FIRST, backwards), (None, backwards)):
        found: list[int] = []
        after, more = None, True
        while more:
            page = await listed(node, MANAGER, order=order, first=4, after=after)
            assert page["totalCount"] == 11
            found += indexes(page)
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert found == expected


async def test_filters_then_exactly_what_fits(here: Plant, node: Served) -> None:
    here.clock.advance(days=1)
    milk = here.receive()
    other = here.receive()
    here.clock.advance(hours=1)
    at = here.clock.now() - timedelta(minutes=30)
    move = Move(milk, "A1", "B1", "10", "KGM")
    moved = here.do(move_batch, move, actor=LI_LEI, request=REQUEST, occurred_at=at)
    first = moved.index - 2
    ids = [node_id("batch", here.batch_id(code)) for code in (milk, other)]
    for wanted, expected in (
        ({"aboutId": {"eq": ids[0]}}, [first, moved.index]),
        ({"aboutId": {"eq": ids[0]}, "type": {"eq": "BatchMoved"}}, [moved.index]),
        ({"aboutId": {"in": [ids[1], "nothing", node_id("stock", 1, 1, "A1")]}}, [first + 1]),
        ({"aboutId": {"in": []}}, []),
        ({"aboutId": {"eq": ids[0], "in": ids[1:]}}, []),
        ({"aboutId": {}, "type": {"eq": "BatchMoved"}}, [moved.index]),
        ({"aboutId": {"eq": node_id("material", 1, "RM-MILK")}}, [1]),
        ({"type": {"in": ["BatchReceived", "BatchShipped"]}}, [first, first + 1]),
        ({"actorCode": {"eq": "person-2"}}, [moved.index]),
        ({"requestId": {"eq": REQUEST}}, [moved.index]),
        ({"requestId": {"in": [REQUEST.upper()]}}, [moved.index]),
        ({"recordedAt": {"from": "2026-03-15T08:00:00Z", "before": "2026-03-15T17:00:00+08:00"}}, [first, first + 1]),
        ({"recordedAt": {"from": "2026-03-15T09:00:00Z"}}, [moved.index]),
        ({"occurredAt": {"from": "2026-03-15T08:30:00Z", "before": "2026-03-15T09:00:00Z"}}, [moved.index]),
        ({"occurredAt": {"from": "2026-03-15T09:00:00Z"}}, []),
        ({"occurredAt": {"before": "2026-03-14T08:00:00Z"}}, []),
        ({"index": {"from": first + 1}}, [first + 1, moved.index]),
        ({"index": {"from": 1, "before": 2}}, [1]),
        ({"plantCode": {"eq": "SH1"}, "aboutId": {"eq": ids[0]}}, [first, moved.index]),
        ({"plantCode": {"eq": "NB1"}}, []),
        ({"ledger": {"eq": "HUB"}}, []),
        ({"ledger": {"notIn": ["HUB", "DIRECTIVES"]}, "type": {"eq": "BatchMoved"}}, [moved.index]),
    ):
        found = await listed(node, MANAGER, filter=wanted, order=OLDEST_FIRST)
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
    by = here.do(correct_entry, Correction(wrong.index, CorrectionReason.DID_NOT_OCCUR, "Scanned twice"))
    document = """query($wrong: ID!, $by: ID!) {
      a: ledgerEntry(id: $wrong) { corrects { index } correction { correctionReason reason entry { index } } }
      b: ledgerEntry(id: $by) { corrects { index type } correction { reason } } }"""
    ids = {"wrong": node_id("entry", 1, wrong.index), "by": node_id("entry", 1, by.index)}
    assert await node.ask(MANAGER, document, **ids) == {
        "a": {
            "corrects": None,
            "correction": {
                "correctionReason": "DID_NOT_OCCUR",
                "reason": "Scanned twice",
                "entry": {"index": by.index},
            },
        },
        "b": {"corrects": {"index": wrong.index, "type": "BatchReceived"}, "correction": None},
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
    document = """query($id: ID!) { directive: ledgerEntry(id: $id) { ledger type plant { code }
        causes { origin index leafHash entry { type ledger } } }
      applied: ledger(filter: {type: {eq: "ChangeApplied"}}) { nodes { differences { field before after } } }
      decided: ledger(filter: {type: {eq: "ChangeDecided"}, ledger: {eq: PLANT}}) {
        nodes { actor { code } causes { index entry { ledger type } } } } }"""
    found = await hub.ask(AUDITOR, document, id=node_id("entry", -1, 0))
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
        {
            "actor": {"code": "person-9"},
            "causes": [{"index": 0, "entry": {"ledger": "DIRECTIVES", "type": "ChangeDecided"}}],
        }
    ]


async def test_the_hubs_own_ledger_then_only_the_group_sees_it(hub: Served) -> None:
    document = """query($id: ID!) { ledgerEntry(id: $id) { type ledger plant { code } }
      ledger(filter: {ledger: {eq: HUB}}) { totalCount } }"""
    first = node_id("entry", 0, 0)
    assert await hub.ask(AUDITOR, document, id=first) == {
        "ledgerEntry": {"type": "HubOpened", "ledger": "HUB", "plant": None}, "ledger": {"totalCount": 1},
    }  # fmt: skip
    assert await hub.ask(THERE, document, id=first) == {"ledgerEntry": None, "ledger": {"totalCount": 0}}


@pytest.mark.parametrize("code", ["SH1", "XX9"])
async def test_another_plants_ledger_then_answered_like_one_that_is_not(group: Group, hub: Served, code: str) -> None:
    filter_ = {"plantCode": {"eq": code}}
    milk = node_id("batch", group.here.batch_id(chain(group).milk))
    assert (await listed(hub, filter=filter_))["totalCount"] == (13 if code == "SH1" else 0)
    nothing = await listed(hub, THERE, filter={"plantCode": {"eq": "XX9"}})
    assert await listed(hub, THERE, filter=filter_) == nothing
    assert await listed(hub, THERE, filter=filter_ | {"aboutId": {"eq": milk}}) == nothing
    assert await listed(hub, THERE, filter={"aboutId": {"eq": milk}}) == nothing
    document = "query($id: ID!, $ids: [ID!]!) { ledgerEntry(id: $id) { type } nodes(ids: $ids) { id } }"
    ids = [node_id("entry", 1, 1), node_id("entry", -1, 0)]
    seen = await hub.ask(THERE, document, id=ids[0], ids=ids)
    assert seen == {"ledgerEntry": None, "nodes": [None, None]}
    everything = await listed(hub, THERE, order=OLDEST_FIRST)
    assert everything["totalCount"] == 12
    assert {one["plant"]["code"] for one in everything["nodes"]} == {"NB1"}


async def test_operator_then_no_entry_at_all(here: Plant, node: Served) -> None:
    code = here.receive()
    document = "query($id: ID!) { ledgerEntry(id: $id) { type } }"
    assert await node.ask(OPERATOR, document, id=node_id("entry", 1, 0)) == {"ledgerEntry": None}
    assert await node.refuses(OPERATOR, "{ ledger { totalCount } }") == ["ledger"]
    history = "query($code: BatchCode!) { batch(code: $code) { history { totalCount } } }"
    assert await node.refuses(OPERATOR, history, code=code) == ["batch", "history"]


@pytest.mark.parametrize(
    "id_", [node_id("entry", 1, -1), node_id("entry", 1, 2**31), node_id("entry", 9, 0), node_id("plant", 1), "nothing"]
)
async def test_entry_that_is_not_there_then_null(node: Served, id_: str) -> None:
    found = await node.ask(MANAGER, "query($id: ID!) { ledgerEntry(id: $id) { type } }", id=id_)
    assert found == {"ledgerEntry": None}


async def test_body_is_pruned_then_its_columns_are_told_and_the_rest_is_null(here: Plant, node: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1")
    written = here.do(receive_batch, order, request=REQUEST, reason="Tank 3 三号罐")
    with here.store.transaction() as session:
        session.run("UPDATE entries SET body = :nothing WHERE idx = :idx", {"nothing": b"", "idx": written.index})
        session.run("UPDATE logs SET pruned = :size", {"size": written.index + 1})
    document = """query($id: ID!) { ledgerEntry(id: $id) {
      eventId type version occurredAt recordedAt logicalTime actor { code } reason about { id } requestId payload body
      pruned leafHash causes { index } differences { field } corrects { index } } }"""
    entry = (await node.ask(MANAGER, document, id=node_id("entry", 1, written.index)))["ledgerEntry"]
    assert entry == {
        "eventId": written.envelope["id"], "type": "BatchReceived", "version": None,
        "occurredAt": "2026-03-14T08:00:00.000000Z", "recordedAt": "2026-03-14T08:00:00.000000Z", "logicalTime": None,
        "actor": {"code": "person-1"}, "reason": None, "requestId": REQUEST,
        "about": {"id": node_id("batch", written.payload["batches"][0]["id"])},
        "payload": None, "body": None, "pruned": True, "leafHash": written.leaf.hex(), "causes": [],
        "differences": [], "corrects": None,
    }  # fmt: skip
    entry_about = entry["about"]["id"]
    assert indexes(await listed(node, MANAGER, filter={"aboutId": {"eq": entry_about}})) == [written.index]
    document = "query($id: ID!) { ledgerEntry(id: $id) { pruned version } }"
    at_hand = await node.ask(MANAGER, document, id=node_id("entry", 1, 0))
    assert at_hand == {"ledgerEntry": {"pruned": False, "version": 1}}


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
