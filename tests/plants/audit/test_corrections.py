"""Wrong entries are answered by corrections: their effect is reversed, and both stay readable."""

import pytest

from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.audit.refusals import CORRECTION_IMPOSSIBLE, ENTRY_ALREADY_CORRECTED, ENTRY_BUILT_ON
from plants.rules.inventory.refusals import ALIAS_TAKEN, STOCK_SHORT
from plants.rules.ledger.events import Entry
from plants.rules.ledger.refusals import ENTRY_UNKNOWN
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.production.refusals import PROCESS_CLOSED
from plants.rules.values.instants import format_instant
from plants.rules.values.refusals import TEXT_INVALID
from tests.factories import Plant

REQUEST = "0190b0a0-0000-7000-8000-000000000004"
FULL = Delivery(
    "RM-MILK",
    "100",
    "KGM",
    "A1",
    supplier="S1",
    supplier_lot="L-77",
    aliases=(AliasOrder("SSCC", "000123"),),
    quarantine="Seal broken",
)


def wrong(entry: Entry, why: CorrectionReason = CorrectionReason.DID_NOT_OCCUR) -> Correction:
    return Correction(entry.index, why, "Typed twice 重复录入")


def correct(plant: Plant, entry: Entry) -> Entry:
    return plant.do(correct_entry, wrong(entry))


def line(batch: str, amount: str, location: str = "A1") -> StockLine:
    return StockLine(batch, amount, "KGM", location)


def run(plant: Plant) -> tuple[int, Entry]:
    opened = plant.do(open_process, ProcessOrder())
    return opened.payload["process"]["id"], opened


def edge_count(plant: Plant) -> int:
    return int(plant.rows("SELECT COUNT(*) FROM edges")[0][0])


def test_receipt_corrected_then_nothing_on_hand_and_batch_closed(plant: Plant) -> None:
    entry = plant.do(receive_batch, FULL)
    code, batch = str(entry.envelope["key"]), entry.payload["batches"][0]["id"]
    corrected = correct(plant, entry)
    assert corrected.type == "EntryCorrected"
    assert corrected.envelope["key"] == code
    assert corrected.envelope["reason"] == "Typed twice 重复录入"
    assert corrected.payload == {
        "entry": entry.index,
        "wrong": "DID_NOT_OCCUR",
        "retracted": [],
        "movements": [
            {"batch": batch, "amount": "100", "unit": "KGM", "taken_from": "stock:A1", "put_in": "supplier:S1"}
        ],
        "dispositions": {str(batch): "CLOSED"},
        "lifted": [[batch, entry.index]],
        "ended_aliases": entry.payload["aliases"],
    }
    assert plant.stock() == {}
    assert plant.batch(code)["disposition"] == "CLOSED"
    assert plant.batch(code)["version"] == corrected.index
    assert plant.rows("SELECT lifted_idx FROM holds") == [(corrected.index,)]
    assert plant.rows("SELECT DISTINCT ended_idx FROM aliases") == [(corrected.index,)]
    assert plant.rows("SELECT * FROM corrections") == [
        (1, entry.index, corrected.index, "DID_NOT_OCCUR", "Typed twice 重复录入")
    ]
    assert plant.entry(entry.index).body == entry.body
    again = plant.do(receive_batch, FULL)
    assert again.envelope["key"] != code


def test_receipt_of_goods_used_since_then_refused_as_short(plant: Plant) -> None:
    received = plant.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1"))
    code = str(received.envelope["key"])
    process, _ = run(plant)
    fed = plant.do(feed_process, Feed(process, (line(code, "30"),)))
    data = plant.refuses(correct_entry, wrong(received), STOCK_SHORT)
    assert data == {"batch": code, "location": "A1", "available": "70", "wanted": "100", "unit": "KGM"}
    correct(plant, fed)
    correct(plant, received)
    assert plant.stock() == {}


def test_receipt_that_later_entries_build_on_then_refused_by_name(here: Plant) -> None:
    received = here.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1"))
    code = str(received.envelope["key"])
    counted = here.do(adjust_stock, Count(code, "A1", "101"), reason="Counted")
    data = here.refuses(correct_entry, wrong(received), ENTRY_BUILT_ON)
    assert data == {"entry": str(received.index), "by": str(counted.index)}
    correct(here, counted)
    assert here.stock() == {(code, "A1"): "100"}
    correct(here, received)
    assert here.stock() == {}


def test_move_corrected_then_back_where_it_was(plant: Plant) -> None:
    code = plant.receive()
    moved = plant.do(move_batch, Move(code, "A1", "B1", "40", "KGM"))
    back = plant.do(move_batch, Move(code, "B1", "A1", "10", "KGM"))
    data = plant.refuses(correct_entry, wrong(moved), STOCK_SHORT)
    assert (data["location"], data["available"], data["wanted"]) == ("B1", "30", "40")
    correct(plant, back)
    correct(plant, moved)
    assert plant.stock() == {(code, "A1"): "100"}


def test_feed_corrected_then_stock_back_and_edges_gone(plant: Plant) -> None:
    milk, sugar = plant.receive(), plant.receive("RM-SUGAR")
    process, _ = run(plant)
    fed = plant.do(feed_process, Feed(process, (line(milk, "30"), line(sugar, "5"))))
    right = plant.do(feed_process, Feed(process, (line(milk, "3"),)))
    corrected = plant.do(correct_entry, wrong(fed, CorrectionReason.INCORRECT_DATA))
    assert corrected.payload["retracted"] == [[fed.index, 0], [fed.index, 1]]
    assert corrected.payload["wrong"] == "INCORRECT_DATA"
    assert plant.movements(corrected) == [
        (plant.batch_id(milk), "30", f"process:{process}", "stock:A1"),
        (plant.batch_id(sugar), "5", f"process:{process}", "stock:A1"),
    ]
    assert plant.stock() == {(milk, "A1"): "97", (sugar, "A1"): "100"}
    assert plant.edges(fed) == []
    assert plant.edges(right) == [(plant.batch_id(milk), process, "3", "KGM", "CONSUMED")]
    assert plant.edges(corrected) == []


def test_feed_of_goods_that_came_back_since_then_refused_by_name(plant: Plant) -> None:
    milk, sugar = plant.receive(), plant.receive("RM-SUGAR")
    process, _ = run(plant)
    fed = plant.do(feed_process, Feed(process, (line(milk, "30"), line(sugar, "5"))))
    back = plant.do(yield_process, Yield(process, returns=(line(milk, "4"),)))
    assert plant.refuses(correct_entry, wrong(fed), ENTRY_BUILT_ON) == {
        "entry": str(fed.index),
        "by": str(back.index),
    }
    more = plant.do(feed_process, Feed(process, (line(milk, "3"),)))
    plant.refuses(correct_entry, wrong(fed), ENTRY_BUILT_ON)
    correct(plant, more)
    plant.refuses(yield_process, Yield(process, returns=(line(milk, "26.1"),)), STOCK_SHORT)
    correct(plant, back)
    correct(plant, fed)
    assert plant.stock() == {(milk, "A1"): "100", (sugar, "A1"): "100"}
    assert edge_count(plant) == 0
    plant.refuses(yield_process, Yield(process, returns=(line(milk, "1"),)), STOCK_SHORT)


def test_closed_process_then_its_closing_is_corrected_first(plant: Plant) -> None:
    milk = plant.receive()
    process, opened = run(plant)
    fed = plant.do(feed_process, Feed(process, (line(milk, "30"),)))
    yielded = plant.do(yield_process, Yield(process, (Output("FP-YOG", "29", "KGM", "B1"),)))
    closing = plant.do(close_process, Closing(process))
    for entry in (opened, fed, yielded):
        data = plant.refuses(correct_entry, wrong(entry), PROCESS_CLOSED)
        assert data == {"process": str(process)}
    correct(plant, closing)
    row = plant.process(process)
    assert (row["state"], row["closed_us"], row["loss"]) == ("OPEN", None, "{}")
    assert plant.refuses(correct_entry, wrong(opened), ENTRY_BUILT_ON) == {
        "entry": str(opened.index),
        "by": str(fed.index),
    }
    correct(plant, yielded)
    correct(plant, fed)
    gone = correct(plant, opened)
    assert edge_count(plant) == 0
    assert plant.stock() == {(milk, "A1"): "100"}
    assert gone.payload["process"] == {
        "id": process,
        "state": "CLOSED",
        "closed_at": format_instant(plant.clock.now()),
    }
    assert plant.process(process)["state"] == "CLOSED"
    plant.refuses(feed_process, Feed(process, (line(milk, "1"),)), PROCESS_CLOSED)


def test_addition_corrected_then_less_was_made(here: Plant) -> None:
    milk = here.receive()
    process, _ = run(here)
    here.do(feed_process, Feed(process, (line(milk, "50"),)))
    first = here.do(yield_process, Yield(process, (Output("FP-YOG", "20", "KGM", "B1"),)))
    code = first.payload["batches"][0]["code"]
    more = here.do(yield_process, Yield(process, (), (Addition(code, "10", "KGM", "B1"),), (line(milk, "4"),)))
    assert here.batch(code)["made"] == 30_000_000
    assert here.refuses(correct_entry, wrong(first), ENTRY_BUILT_ON)["by"] == str(more.index)
    correct(here, more)
    assert here.batch(code)["made"] == 20_000_000
    assert here.stock() == {(code, "B1"): "20", (milk, "A1"): "50"}
    assert here.batch(code)["disposition"] == "UNRESTRICTED"
    correct(here, first)
    assert here.batch(code)["disposition"] == "CLOSED"
    assert here.stock() == {(milk, "A1"): "50"}


def test_split_corrected_then_whole_again(plant: Plant) -> None:
    code = plant.receive()
    parts = (SplitPart("30", "A1"), SplitPart("20", "B1"))
    split = plant.do(split_batch, Split(code, "A1", parts))
    first, second = (batch["code"] for batch in split.payload["batches"])
    moved = plant.do(move_batch, Move(first, "A1", "B1", "1", "KGM"))
    assert plant.refuses(correct_entry, wrong(split), STOCK_SHORT)["batch"] == first
    correct(plant, moved)
    correct(plant, split)
    assert plant.stock() == {(code, "A1"): "100"}
    assert [plant.batch(one)["disposition"] for one in (code, first, second)] == [
        "UNRESTRICTED", "CLOSED", "CLOSED",
    ]  # fmt: skip
    assert edge_count(plant) == 0


def test_merge_shipment_and_production_corrected_then_as_before(here: Plant) -> None:
    one, two = here.receive(), here.receive()
    before = here.stock()
    merged = here.do(merge_batches, Merge((MergeSource(one, "A1"), MergeSource(two, "A1")), "B1"))
    correct(here, merged)
    shipped = here.do(ship_batch, Shipment("C1", (line(one, "10"), line(one, "5"))))
    correct(here, shipped)
    output = Output("FP-YOG", "95", "KGM", "B1", aliases=(AliasOrder("LOT", "Y-1"),))
    produced = here.do(record_production, ProductionRun(ProcessOrder(), (line(one, "100"),), (output,)))
    correct(here, produced)
    assert here.stock() == before
    assert edge_count(here) == 0
    assert here.rows("SELECT value, ended_idx FROM aliases") == [("Y-1", produced.index + 1)]
    assert here.refuses(correct_entry, wrong(shipped), ENTRY_ALREADY_CORRECTED) == {
        "entry": str(shipped.index),
        "by": str(shipped.index + 1),
    }
    again = here.do(ship_batch, Shipment("C1", (line(one, "10"),)))
    assert again.payload["movements"][0]["amount"] == "10", "what is right is recorded as a new entry"


def test_names_corrected_then_as_before(here: Plant) -> None:
    code, other = here.receive(), here.receive()
    naming = Naming(code, (AliasOrder("LOT", "N-1"), AliasOrder("LOT", "N-2")))
    given = here.do(alias_batch, naming)
    ended = here.do(end_alias, Naming(code, (AliasOrder("LOT", "N-2"),)))
    version = here.batch(code)["version"]
    sql = "SELECT value FROM aliases WHERE ended_idx IS NULL ORDER BY value"
    here.do(alias_batch, Naming(other, (AliasOrder("LOT", "N-2"),)))
    data = here.refuses(correct_entry, wrong(ended), ALIAS_TAKEN)
    assert data == {"alias": "N-2", "batch": other}
    here.do(end_alias, Naming(other, (AliasOrder("LOT", "N-2"),)))
    correct(here, ended)
    assert here.rows(sql) == [("N-1",), ("N-2",)]
    correct(here, given)
    assert here.rows(sql) == []
    assert here.batch(code)["version"] == version


def test_transfer_received_wrongly_then_corrected_and_received_again(here: Plant, there: Plant) -> None:
    code, own = here.receive(), there.receive("RM-SUGAR")
    sent = here.do(dispatch_transfer, Dispatch("NB1", (line(code, "40"),)))
    transfer = sent.payload["transfer"]
    manifest = transfer_manifest(sent, here.origin)
    few = TransferReceipt(manifest, "A1", (ReceiptLine(code, "4", "A1"),))
    received = there.do(receive_transfer, few)
    corrected = correct(there, received)
    assert corrected.payload["unreceived"] == [[transfer, 0]]
    assert corrected.payload["process"] == {"id": transfer, "state": "OPEN", "closed_at": None, "loss": {}}
    assert "dispositions" not in corrected.payload
    assert there.stock() == {(own, "A1"): "100"}
    assert there.rows("SELECT * FROM transfer_lines") == []
    assert there.process(transfer)["state"] == "OPEN"
    there.do(receive_transfer, TransferReceipt(manifest, "A1"))
    assert there.stock() == {(own, "A1"): "100", (code, "A1"): "40"}
    assert there.batch(code)["disposition"] == "UNRESTRICTED"
    assert there.rows("SELECT transfer_id, batch_id, dispatched, received FROM transfer_lines") == [
        (transfer, here.batch_id(code), 40_000_000, 40_000_000)
    ]
    data = here.refuses(correct_entry, wrong(sent), CORRECTION_IMPOSSIBLE)
    assert data == {"entry": str(sent.index), "type": "TransferDispatched"}


def test_types_that_are_answered_in_another_way_then_refused(here: Plant) -> None:
    code = here.receive()
    here.do(quarantine_batch, Quarantine(code, "Seal broken"))
    here.do(request_change, ReleaseRequest(code, "Good"))
    correct(here, here.do(move_batch, Move(code, "A1", "B1", "1", "KGM")))
    refused = set()
    for entry in here.entries():
        if entry.type not in {"BatchReceived", "BatchMoved"}:
            data = here.refuses(correct_entry, wrong(entry), CORRECTION_IMPOSSIBLE)
            assert data == {"entry": str(entry.index), "type": entry.type}
            refused.add(entry.type)
    assert {"PlantOpened", "MaterialDefined", "BatchQuarantined", "ChangeRequested", "EntryCorrected"} < refused


@pytest.mark.parametrize("index", [-1, 10_000, 2**70])
def test_no_such_entry_then_refused(here: Plant, index: int) -> None:
    here.refuses(correct_entry, Correction(index, CorrectionReason.DID_NOT_OCCUR, "?"), ENTRY_UNKNOWN)


def test_no_reason_then_refused(here: Plant) -> None:
    here.receive()
    index = here.entry().index
    here.refuses(correct_entry, Correction(index, CorrectionReason.DID_NOT_OCCUR, ""), TEXT_INVALID)


def test_same_request_twice_then_one_correction(plant: Plant) -> None:
    plant.receive()
    order = wrong(plant.entry())
    first = plant.do(correct_entry, order, request=REQUEST)
    before = plant.everything()
    assert plant.do(correct_entry, order, request=REQUEST).body == first.body
    assert plant.everything() == before
