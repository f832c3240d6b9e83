"""The things that ledger entries are about, their histories, and what was corrected away."""

from collections.abc import Iterator

import pytest

from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.production.process_records import ProcessOrder, open_process
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry
from plants.rules.production.process_records import RunKind
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import AUDITOR, JSON, OPERATOR, Served, served
from tests.schema.group import Group, chain, hold_at_hub

REQUEST = "0190b0a0-0000-7000-8000-00000000000a"
ENTRY = """fragment Entry on LedgerEntry { id index ledger eventId type version occurredAt recordedAt logicalTime
  actor { id code kind } device about { id __typename } reason requestId payload body pruned leafHash plant { code }
  causes { origin index leafHash } corrects { id } correction { correctionReason reason entry { id } }
  differences { field before after } }"""
ALL = "query($filter: LedgerEntryFilter) { ledger(filter: $filter, first: 200) { nodes { ...Entry } } }" + ENTRY
ABOUT = """query($id: ID!) { ledger(filter: {aboutId: {eq: $id}}, orderBy: {field: RECORDED}) {
  totalCount nodes { id type about { id } } } }"""
HISTORY = """query($id: ID!) { node(id: $id) { __typename
  ... on ProcessRecord { history { totalCount nodes { id } } }
  ... on Shipment { history { totalCount nodes { id } } }
  ... on Transfer { history { totalCount nodes { id } } }
  ... on Batch { history { totalCount nodes { id } } }
  ... on Material { history { totalCount nodes { id } } }
  ... on Unit { history { totalCount nodes { id } } }
  ... on Supplier { history { totalCount nodes { id } } }
  ... on Location { history { totalCount nodes { id } } } } }"""


@pytest.fixture
def node_here(group: Group) -> Iterator[Served]:
    """The node of the first plant of the group."""
    node = served(group.here)
    yield node
    node.close()


def correct(plant: Plant, entry: Entry) -> Entry:
    return plant.do(correct_entry, Correction(entry.index, CorrectionReason.DID_NOT_OCCUR, "Scanned twice"))


def played(group: Group) -> None:
    """Let each kind of thing be written about, and the hub hear of it."""
    goods = chain(group)
    here = group.here
    held = here.do(quarantine_batch, Quarantine(goods.milk, "Seal broken"))
    here.do(request_change, ReleaseRequest(goods.milk, "Tested, good", held.index))
    other = here.receive()
    correct(here, here.do(split_batch, Split(other, "A1", (SplitPart("10", "B1"),))))
    correct(here, here.do(ship_batch, Shipment("C1", (StockLine(other, "5", "KGM", "A1"),), "PO-1")))
    correct(here, here.do(open_process, ProcessOrder(RunKind.PRODUCTION)))
    group.hears()


async def test_each_entry_of_a_plant_then_plant_and_hub_answer_the_same(
    group: Group, node_here: Served, hub: Served
) -> None:
    played(group)
    plant = {"filter": {"plantCode": {"eq": "SH1"}, "ledger": {"eq": "PLANT"}}}
    there = (await node_here.ask(AUDITOR, ALL, **plant))["ledger"]["nodes"]
    assert len({one["type"] for one in there}) >= 15
    assert (await hub.ask(AUDITOR, ALL, **plant))["ledger"]["nodes"] == there


async def test_each_thing_of_an_entry_then_the_ledger_and_its_history_find_the_entry(group: Group, hub: Served) -> None:
    played(group)
    entries = (await hub.ask(AUDITOR, ALL))["ledger"]["nodes"]
    kinds = {one["type"]: one["about"] and one["about"]["__typename"] for one in entries}
    assert kinds == kinds | {
        "BatchReceived": "Batch", "BatchSplit": "Batch", "ProductionRecorded": "ProcessRecord",
        "ProcessOpened": "ProcessRecord", "BatchShipped": "Shipment", "TransferDispatched": "Transfer",
        "TransferReceived": "Transfer", "ChangeRequested": "ChangeRequest", "MaterialDefined": "Material",
        "LocationDefined": "Location", "PlantOpened": "Plant", "HubOpened": None,
    }  # fmt: skip
    for one in entries:
        if one["about"] is not None:
            found = (await hub.ask(AUDITOR, ABOUT, id=one["about"]["id"]))["ledger"]
            assert one["id"] in {each["id"] for each in found["nodes"]}, one
            shown = (await hub.ask(AUDITOR, HISTORY, id=one["about"]["id"]))["node"]
            if "history" in shown:
                assert shown["history"]["totalCount"] == found["totalCount"]
                assert {each["id"] for each in shown["history"]["nodes"]} == {each["id"] for each in found["nodes"]}


async def test_correction_then_it_is_about_the_thing_of_the_wrong_entry(here: Plant, node: Served) -> None:
    batch = here.receive()
    split = here.do(split_batch, Split(batch, "A1", (SplitPart("10", "B1"),)))
    by = correct(here, split)
    process = node_id("process", split.payload["process"]["id"])
    found = (await node.ask(AUDITOR, ABOUT, id=process))["ledger"]
    of_batch = {"id": node_id("batch", here.batch_id(batch))}
    assert found == {
        "totalCount": 2,
        "nodes": [
            {"id": node_id("entry", 1, split.index), "type": "BatchSplit", "about": of_batch},
            {"id": node_id("entry", 1, by.index), "type": "EntryCorrected", "about": of_batch},
        ],
    }


async def test_hold_and_change_request_then_the_entries_of_each(here: Plant, node: Served) -> None:
    code = here.receive()
    held = here.do(quarantine_batch, Quarantine(code, "Seal broken"))
    asked = here.do(request_change, ReleaseRequest(code, "Tested, good", held.index))
    hold = node_id("hold", 1, here.batch_id(code), str(held.index))
    for id_, expected in ((hold, held), (node_id("change", 1, asked.index), asked)):
        found = (await node.ask(AUDITOR, ABOUT, id=id_))["ledger"]
        assert [one["id"] for one in found["nodes"]] == [node_id("entry", 1, expected.index)]


async def test_directives_about_a_batch_then_they_are_in_its_history_at_the_hub(group: Group, hub: Served) -> None:
    code = group.here.receive()
    group.hears()
    hold_at_hub(group, code)
    batch = {"id": node_id("batch", group.here.batch_id(code))}

    found = (await hub.ask(AUDITOR, ABOUT, **batch))["ledger"]
    shown = (await hub.ask(AUDITOR, HISTORY, **batch))["node"]["history"]

    assert sorted(one["type"] for one in found["nodes"]) == ["BatchReceived", "HoldDirected"]
    assert [one["about"] for one in found["nodes"] if one["type"] == "BatchReceived"] == [batch]
    assert (found["totalCount"], shown["totalCount"]) == (2, 2)
    assert {one["id"] for one in shown["nodes"]} == {one["id"] for one in found["nodes"]}


async def test_other_plant_corrects_its_entry_of_the_same_index_then_it_is_not_in_the_history(
    group: Group, hub: Served
) -> None:
    here, there = group.here, group.there
    while len(here.entries()) != len(there.entries()):
        min(here, there, key=lambda plant: len(plant.entries())).receive()
    opened, other = here.do(open_process, ProcessOrder()), there.do(open_process, ProcessOrder())
    assert opened.index == other.index
    by = correct(there, other)
    group.hears()

    for plant, entry, indexes in ((1, opened, [opened.index]), (2, other, [other.index, by.index])):
        found = await hub.ask(AUDITOR, ABOUT, id=node_id("process", entry.payload["process"]["id"]))
        assert found["ledger"]["totalCount"] == len(indexes)
        assert [one["id"] for one in found["ledger"]["nodes"]] == [node_id("entry", plant, index) for index in indexes]


async def test_request_of_a_plant_then_the_hub_finds_its_entry_in_either_case(group: Group, hub: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1")
    written = group.here.do(receive_batch, order, request=REQUEST)
    group.hears()
    document = "query($id: UUID!) { ledger(filter: {requestId: {eq: $id}}) { totalCount nodes { id requestId } } }"
    for text in (REQUEST, REQUEST.upper()):
        assert (await hub.ask(AUDITOR, document, id=text))["ledger"] == {
            "totalCount": 1,
            "nodes": [{"id": node_id("entry", 1, written.index), "requestId": REQUEST}],
        }


LISTS = """query($wanted: Boolean) {
  shipments(filter: {corrected: $wanted}) { totalCount nodes { id corrected correction { reason entry { type } } } }
  processRecords(filter: {corrected: $wanted}) { totalCount nodes { id corrected correction { reason } } }
  batches(filter: {corrected: $wanted}) { totalCount nodes { code corrected correction { reason } } } }"""


async def test_corrected_shipment_split_and_opening_then_each_says_so_at_plant_and_hub(
    group: Group, node_here: Served, hub: Served
) -> None:
    played(group)

    def marked(found: JSON) -> dict[str, list[JSON]]:
        return {name: [one for one in there["nodes"] if one["corrected"]] for name, there in found.items()}

    for one in (node_here, hub):
        wrong, right, both = [await one.ask(AUDITOR, LISTS, wanted=wanted) for wanted in (True, False, None)]
        assert {name: there["totalCount"] for name, there in wrong.items()} == {
            "shipments": 1, "processRecords": 2, "batches": 1,
        }  # fmt: skip
        assert marked(wrong) == marked(both) == {name: there["nodes"] for name, there in wrong.items()}
        assert marked(right) == {"shipments": [], "processRecords": [], "batches": []}
        assert wrong["shipments"]["nodes"][0]["correction"] == {
            "reason": "Scanned twice", "entry": {"type": "EntryCorrected"},
        }  # fmt: skip
        for name, there in both.items():
            assert there["totalCount"] == wrong[name]["totalCount"] + right[name]["totalCount"]


async def test_operator_then_sees_that_it_was_corrected_and_not_by_whom(group: Group, node_here: Served) -> None:
    played(group)
    found = (await node_here.ask(OPERATOR, LISTS, wanted=True))["shipments"]["nodes"]
    assert [(one["corrected"], one["correction"]) for one in found] == [(True, None)]
