"""Goods go from one plant to another with nothing but the label, and every difference is on record."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plants.commands.execution import PlantLedgerWriter, command
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.materials.definitions import MaterialDefinition, define_material
from plants.commands.production.process_records import Feed, feed_process
from plants.rules.approvals.events import CHANGE_APPLIED, ChangeApplied
from plants.rules.audit.events import ENTRY_CORRECTED, EntryCorrected
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.inventory.refusals import STOCK_SHORT
from plants.rules.ledger.events import Entry
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.logistics.refusals import (
    BATCH_NOT_IN_TRANSFER,
    TRANSFER_MANIFEST_INVALID,
    TRANSFER_NOT_FOR_THIS_PLANT,
    TRANSFER_RECEIVED,
)
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import PROCESS_UNKNOWN
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    LINES_INVALID,
    NOTHING_CHANGES,
    UNIT_NOT_CONVERTIBLE,
)
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import Plant, plant_store, postgres_plant


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Plant, Plant]]:
    """Two plants, each in a store of its own."""
    if request.param == "sqlite":
        plants = plant_store(tmp_path), plant_store(tmp_path, 2, "NB1")
    else:
        server = request.getfixturevalue("postgres_18")
        plants = postgres_plant(server), postgres_plant(server, 2, "NB1")
    plants[1].clock.advance(days=1)
    yield plants
    for plant in plants:
        plant.close()


@command("correct")
def correct(writer: PlantLedgerWriter, index: int) -> Entry:
    """State that a receipt did not occur, as a correction does."""
    payload: EntryCorrected = {"entry": index, "wrong": "DID_NOT_OCCUR", "retracted": []}
    return writer.record(ENTRY_CORRECTED, str(index), payload)


def sent(source: Plant, *lines: StockLine) -> Entry:
    return source.do(dispatch_transfer, Dispatch("NB1", lines))


def label(source: Plant, entry: Entry) -> str:
    return transfer_manifest(entry, source.origin)


def test_dispatched_then_goods_are_on_the_road(plant: Plant) -> None:
    milk, sugar = plant.receive(), plant.receive("RM-SUGAR")
    lines = (
        StockLine(milk, "10", "KGM", "A1"),
        StockLine(sugar, "2", "BG", "A1"),
        StockLine(milk, "5500", "GRM", "A1"),
    )
    entry = plant.do(dispatch_transfer, Dispatch("NB1", lines))
    transfer = int(entry.envelope["key"])
    milk_id, sugar_id = plant.batch_id(milk), plant.batch_id(sugar)
    assert (entry.type, entry.payload["transfer"], entry.payload["destination"]) == (
        "TransferDispatched",
        transfer,
        "NB1",
    )
    assert entry.payload["lines"][0] == {
        "batch": {
            "id": milk_id,
            "code": milk,
            "material": "RM-MILK",
            "unit": "KGM",
            "made": "100",
            "produced_at": "2026-03-14T08:00:00.000000Z",
            "expires_on": "2026-04-13",
            "retest_on": None,
            "grade": None,
            "supplier": None,
            "attributes": {},
            "disposition": "UNRESTRICTED",
        },
        "dispatched": "15.5",
    }
    assert [line["dispatched"] for line in entry.payload["lines"]] == ["15.5", "50"]
    assert plant.edges(entry) == [
        (milk_id, transfer, "10", "KGM", "TRANSFERRED"),
        (sugar_id, transfer, "50", "KGM", "TRANSFERRED"),
        (milk_id, transfer, "5.5", "KGM", "TRANSFERRED"),
    ]
    assert plant.stock() == {(milk, "A1"): "84.5", (sugar, "A1"): "50"}
    row = plant.process(transfer)
    assert (row["kind"], row["state"], row["source_plant"], row["destination_plant"], row["closed_us"]) == (
        "TRANSFER",
        "OPEN",
        "SH1",
        "NB1",
        None,
    )
    assert plant.rows("SELECT * FROM transfer_lines ORDER BY line") == [
        (transfer, 1, 0, milk_id, "KGM", 15_500_000, None),
        (transfer, 1, 1, sugar_id, "KGM", 50_000_000, None),
    ]
    plant.refuses(feed_process, Feed(transfer, lines), PROCESS_UNKNOWN)


def test_dispatched_wrong_then_refused(here: Plant) -> None:
    milk = here.receive()
    line = StockLine(milk, "60", "KGM", "A1")
    here.refuses(dispatch_transfer, Dispatch("SH1", (line,)), NOTHING_CHANGES)
    here.refuses(dispatch_transfer, Dispatch("nb1", (line,)), CODE_INVALID)
    here.refuses(dispatch_transfer, Dispatch("NB1", ()), LINES_INVALID)
    here.refuses(dispatch_transfer, Dispatch("NB1", (line, line)), STOCK_SHORT)
    held = here.receive(quarantine="?")
    here.refuses(dispatch_transfer, Dispatch("NB1", (StockLine(held, "1", "KGM", "A1"),)), BATCH_ON_HOLD)
    wordy = here.receive(attributes={str(n): "汉" * 1500 for n in range(10)})
    here.refuses(dispatch_transfer, Dispatch("NB1", (StockLine(wordy, "1", "KGM", "A1"),)), ENTRY_TOO_LARGE)
    here.clock.advance(days=31)
    here.refuses(dispatch_transfer, Dispatch("NB1", (line,)), BATCH_EXPIRED)


def test_received_as_dispatched_then_batch_keeps_what_it_is(pair: tuple[Plant, Plant]) -> None:
    source, destination = pair
    order = Delivery("RM-MILK", "100", "KGM", "A1", "S1", "L-1", grade="A", attributes={"fat": "3.8"})
    milk = source.do(receive_batch, order).envelope["key"]
    dispatched = sent(source, StockLine(milk, "40", "KGM", "A1"))
    transfer, batch = dispatched.payload["transfer"], source.batch_id(milk)
    entry = destination.do(receive_transfer, TransferReceipt(label(source, dispatched), "B1"))
    assert (entry.type, entry.envelope["key"]) == ("TransferReceived", str(transfer))
    assert entry.envelope["causes"] == [
        {"origin": "acme.example/plant/SH1/i1", "index": dispatched.index, "leaf": dispatched.leaf.hex()}
    ]
    assert entry.envelope["hlc"] > dispatched.envelope["hlc"]
    there = {"plant_id": 2, "version": entry.index, "stated_idx": entry.index}
    assert destination.batch(milk) == source.batch(milk) | there
    assert destination.stock() == {(milk, "B1"): "40"}
    assert destination.movements(entry) == [(batch, "40", f"process:{transfer}", "stock:B1")]
    assert destination.edges(entry) == [(transfer, batch, "40", "KGM", "TRANSFERRED")]
    row = destination.process(transfer)
    assert row == source.process(transfer) | {
        "plant_id": 2,
        "state": "CLOSED",
        "closed_us": row["opened_us"] + 86_400_000_000,
    }
    assert destination.rows("SELECT * FROM transfer_lines") == [(transfer, 2, 0, batch, "KGM", 40_000_000, 40_000_000)]


def test_cause_ahead_of_our_clock_then_stamp_still_follows_it(here: Plant, there: Plant) -> None:
    here.clock.advance(hours=2)
    milk = here.receive()
    dispatched = sent(here, StockLine(milk, "1", "KGM", "A1"))
    entry = there.do(receive_transfer, TransferReceipt(label(here, dispatched), "A1"))
    assert entry.envelope["hlc"] > dispatched.envelope["hlc"]
    assert entry.envelope["recorded_at"] < dispatched.envelope["recorded_at"]


def test_received_with_differences_then_nothing_stays_on_the_road(pair: tuple[Plant, Plant]) -> None:
    source, destination = pair
    less, more, none, same = (source.receive() for _ in range(4))
    dispatched = sent(source, *(StockLine(code, "40", "KGM", "A1") for code in (less, more, none, same)))
    transfer = dispatched.payload["transfer"]
    lines = (
        ReceiptLine(less, "20", "A1"),
        ReceiptLine(less, "15500", "B1", "GRM"),
        ReceiptLine(less, "4", "A1"),
        ReceiptLine(more, "40.25", "A1"),
        ReceiptLine(none, "0", "A1"),
    )
    entry = destination.do(receive_transfer, TransferReceipt(label(source, dispatched), "B1", lines))
    ids = {code: source.batch_id(code) for code in (less, more, none, same)}
    place = f"process:{transfer}"
    assert destination.movements(entry) == [
        (ids[less], "24", place, "stock:A1"),
        (ids[less], "15.5", place, "stock:B1"),
        (ids[less], "0.5", place, "count"),
        (ids[more], "40.25", place, "stock:A1"),
        (ids[more], "0.25", "count", place),
        (ids[none], "40", place, "count"),
        (ids[same], "40", place, "stock:B1"),
    ]
    assert [edge[1:3] for edge in destination.edges(entry)] == [
        (ids[less], "24"),
        (ids[less], "15.5"),
        (ids[more], "40.25"),
        (ids[same], "40"),
    ]
    assert destination.stock() == {
        (less, "A1"): "24",
        (less, "B1"): "15.5",
        (more, "A1"): "40.25",
        (same, "B1"): "40",
    }
    found = destination.rows("SELECT batch_id, dispatched, received FROM transfer_lines ORDER BY line")
    assert found == [
        (ids[less], 40_000_000, 39_500_000),
        (ids[more], 40_000_000, 40_250_000),
        (ids[none], 40_000_000, 0),
        (ids[same], 40_000_000, 40_000_000),
    ]
    both = source.rows("SELECT batch_id, quantity, put_in, taken_from FROM movements") + destination.rows(
        "SELECT batch_id, quantity, put_in, taken_from FROM movements"
    )
    for batch in ids.values():
        road = sum(
            quantity * ((put_in == place) - (taken_from == place))
            for one, quantity, put_in, taken_from in both
            if one == batch
        )
        assert road == 0


def test_received_twice_then_refused_until_corrected(pair: tuple[Plant, Plant]) -> None:
    source, destination = pair
    milk = source.receive()
    receipt = TransferReceipt(label(source, sent(source, StockLine(milk, "40", "KGM", "A1"))), "A1")
    first = destination.do(receive_transfer, receipt)
    data = destination.refuses(receive_transfer, receipt, TRANSFER_RECEIVED)
    assert data == {"transfer": first.envelope["key"]}
    destination.do(correct, first.index)
    destination.do(receive_transfer, receipt)
    assert destination.entry().index == first.index + 2


def test_known_already_then_not_stated_again(pair: tuple[Plant, Plant]) -> None:
    source, destination = pair
    milk = source.receive()
    first = sent(source, StockLine(milk, "40", "KGM", "A1"))
    second = sent(source, StockLine(milk, "10", "KGM", "A1"))
    stated = destination.do(receive_transfer, TransferReceipt(label(source, first), "A1"))
    entry = destination.do(receive_transfer, TransferReceipt(label(source, second), "A1"))
    assert "batches" not in entry.payload
    assert "expiries" not in entry.payload
    row = destination.batch(milk)
    assert (row["stated_idx"], row["version"]) == (stated.index, entry.index)
    assert destination.stock() == {(milk, "A1"): "50"}
    back = destination.do(dispatch_transfer, Dispatch("SH1", (StockLine(milk, "50", "KGM", "A1"),)))
    home = source.do(receive_transfer, TransferReceipt(label(destination, back), "B1"))
    assert "batches" not in home.payload
    assert source.stock() == {(milk, "A1"): "50", (milk, "B1"): "50"}


@command("shorten")
def shorten(writer: PlantLedgerWriter, order: tuple[str, str | None]) -> Entry:
    """Give a batch another expiry, as an approved change does."""
    code, expires_on = order
    batch = str(writer.batch(code).id)
    payload: ChangeApplied = {"change": 0, "expiries": {batch: expires_on}}
    return writer.record(CHANGE_APPLIED, code, payload)


@pytest.mark.parametrize(
    "ours,theirs,then",
    [
        ("2026-04-13", "2026-04-01", "2026-04-01"),
        ("2026-04-13", "2026-05-01", "2026-04-13"),
        (None, "2026-05-01", "2026-05-01"),
        ("2026-04-13", None, "2026-04-13"),
    ],
)
def test_known_with_another_expiry_then_the_earlier_counts(
    here: Plant, there: Plant, ours: str | None, theirs: str | None, then: str | None
) -> None:
    milk = here.receive()
    line = StockLine(milk, "1", "KGM", "A1")
    there.do(receive_transfer, TransferReceipt(label(here, sent(here, line)), "A1"))
    there.do(shorten, (milk, ours))
    here.do(shorten, (milk, theirs))
    there.do(receive_transfer, TransferReceipt(label(here, sent(here, line)), "A1"))
    assert there.batch(milk)["expires_on"] == then


def test_expired_on_the_road_then_received_all_the_same(here: Plant, there: Plant) -> None:
    milk = here.receive()
    receipt = TransferReceipt(label(here, sent(here, StockLine(milk, "1", "KGM", "A1"))), "A1")
    there.clock.advance(days=99)
    there.do(receive_transfer, receipt)
    back = Dispatch("SH1", (StockLine(milk, "1", "KGM", "A1"),))
    there.refuses(dispatch_transfer, back, BATCH_EXPIRED)


def test_received_wrong_then_refused(here: Plant, there: Plant, tmp_path: Path) -> None:
    milk, sugar = here.receive(), here.receive("RM-SUGAR")
    text = label(here, sent(here, StockLine(milk, "40", "KGM", "A1")))
    at_source = here.refuses(receive_transfer, TransferReceipt(text, "A1"), TRANSFER_MANIFEST_INVALID)
    assert at_source["why"] == "this transfer leaves from here. Scan it at its destination, NB1"
    third = plant_store(tmp_path, 3, "GZ2")
    data = third.refuses(receive_transfer, TransferReceipt(text, "A1"), TRANSFER_NOT_FOR_THIS_PLANT)
    assert data == {"destination": "NB1", "plant": "GZ2"}
    third.close()
    there.refuses(receive_transfer, TransferReceipt(text, "Z9"), NOT_DEFINED)

    def refused(line: ReceiptLine, code: R) -> None:
        there.refuses(receive_transfer, TransferReceipt(text, "A1", (line,)), code)

    refused(ReceiptLine(milk, "40", "Z9"), NOT_DEFINED)
    refused(ReceiptLine(sugar, "40", "A1"), BATCH_NOT_IN_TRANSFER)
    refused(ReceiptLine(milk, "-1", "A1"), AMOUNT_NOT_POSITIVE)
    refused(ReceiptLine(milk, "some", "A1"), AMOUNT_NOT_A_NUMBER)
    refused(ReceiptLine(milk, "40", "A1", "LTR"), UNIT_NOT_CONVERTIBLE)
    lines = (ReceiptLine(milk, "1000000000000", "A1"), ReceiptLine(milk, "1", "B1"))
    there.refuses(receive_transfer, TransferReceipt(text, "A1", lines), AMOUNT_TOO_LARGE)
    there.refuses(receive_transfer, TransferReceipt(text, "A1", lines * 60), LINES_INVALID)
    wrong = (ReceiptLine(milk, "some", "Z9"), ReceiptLine(sugar, "40", "A1"), ReceiptLine(milk, "1", "B1", "LTR"))
    refusal = there.refusal(receive_transfer, TransferReceipt(text, "Z9", wrong))
    assert sorted(one.path for one in (refusal, *refusal.further)) == [
        ("lines", "0", "locationCode"),
        ("lines", "0", "quantity", "amount"),
        ("lines", "1", "batchCode"),
        ("lines", "2", "quantity", "unit"),
        ("locationCode",),
    ]


def test_material_not_defined_then_refused(here: Plant, there: Plant) -> None:
    here.do(define_material, MaterialDefinition("RM-NEW", "New", "KGM"))
    batch = here.receive("RM-NEW")
    receipt = TransferReceipt(label(here, sent(here, StockLine(batch, "1", "KGM", "A1"))), "A1")
    assert there.refuses(receive_transfer, receipt, NOT_DEFINED) == {"thing": "material", "code": "RM-NEW"}
    there.do(define_material, MaterialDefinition("RM-NEW", "New", "KGM"))
    there.do(receive_transfer, receipt)
    assert there.stock() == {(batch, "A1"): "1"}


def test_label_contradicts_what_is_known_then_refused(here: Plant, there: Plant, tmp_path: Path) -> None:
    # The same plant number and code in another store, as with a forged label or a plant that was set up twice.
    (tmp_path / "twin").mkdir()
    twin = plant_store(tmp_path / "twin")
    milk, sugar = here.receive(), twin.receive("RM-SUGAR")
    assert here.batch_id(milk) == twin.batch_id(sugar)
    there.do(receive_transfer, TransferReceipt(label(here, sent(here, StockLine(milk, "1", "KGM", "A1"))), "A1"))
    twin.receive()
    forged = TransferReceipt(label(twin, sent(twin, StockLine(sugar, "1", "KGM", "A1"))), "A1")
    there.refuses(receive_transfer, forged, TRANSFER_MANIFEST_INVALID)
    other_group = transfer_manifest(sent(here, StockLine(milk, "1", "KGM", "A1")), "evil.example/plant/SH1/i1")
    there.refuses(receive_transfer, TransferReceipt(other_group, "A1"), TRANSFER_MANIFEST_INVALID)
    twin.close()
