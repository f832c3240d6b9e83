"""Batches of one material become one, as old as the oldest of them."""

from datetime import UTC, date, datetime

from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import MaterialDefinition, define_material
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.rules.inventory.refusals import STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import MATERIAL_DIFFERS
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.rules.values.refusals import AMOUNT_TOO_LARGE, LINES_INVALID, NOTHING_CHANGES, UNIT_NOT_CONVERTIBLE
from tests.factories import Plant


def test_merged_then_one_batch_with_the_earliest_dates(plant: Plant) -> None:
    first = plant.do(
        receive_batch,
        Delivery(
            "FP-YOG",
            "10",
            "KGM",
            "A1",
            produced_at=datetime(2026, 3, 12, tzinfo=UTC),
            grade="A",
            attributes={"ph": "4.4", "tank": "1"},
        ),
    ).envelope["key"]
    second = plant.do(
        receive_batch,
        Delivery(
            "FP-YOG",
            "20",
            "KGM",
            "B1",
            "S1",
            produced_at=datetime(2026, 3, 13, tzinfo=UTC),
            expires_on=date(2026, 3, 30),
            grade="A",
            attributes={"ph": "4.4", "tank": "2"},
        ),
    ).envelope["key"]
    entry = plant.do(merge_batches, Merge((MergeSource(first, "A1"), MergeSource(second, "B1", "5500", "GRM")), "B1"))
    code = entry.envelope["key"]
    process = entry.payload["process"]["id"]
    assert entry.type == "BatchesMerged"
    assert plant.stock() == {(second, "B1"): "14.5", (code, "B1"): "15.5"}
    batch = plant.batch_id(code)
    assert plant.edges(entry) == [
        (plant.batch_id(first), process, "10", "KGM", "CONSUMED"),
        (plant.batch_id(second), process, "5.5", "KGM", "CONSUMED"),
        (process, batch, "15.5", "KGM", "PRODUCED"),
    ]
    assert plant.batch(code) == {
        "id": batch,
        "plant_id": 1,
        "code": code,
        "material": "FP-YOG",
        "unit": "KGM",
        "made": 15_500_000,
        "produced_us": 1_773_273_600_000_000,
        "expires_on": "2026-03-30",
        "retest_on": "2026-03-26",
        "grade": "A",
        "supplier": None,
        "attributes": '{"ph":"4.4"}',
        "disposition": "UNRESTRICTED",
        "version": entry.index,
        "stated_idx": entry.index,
    }
    row = plant.process(process)
    assert (row["kind"], row["state"]) == ("MERGE", "CLOSED")


def test_merged_wrong_then_refused(here: Plant) -> None:
    one, two, sugar = here.receive(), here.receive(), here.receive("RM-SUGAR")
    whole = MergeSource(one, "A1"), MergeSource(two, "A1")
    here.refuses(merge_batches, Merge((), "A1"), LINES_INVALID)
    here.refuses(merge_batches, Merge(whole[:1], "A1"), NOTHING_CHANGES)
    here.refuses(merge_batches, Merge((whole[0], whole[0]), "A1"), STOCK_SHORT)
    here.refuses(merge_batches, Merge((MergeSource(one, "B1"), whole[1]), "A1"), STOCK_SHORT)
    here.refuses(merge_batches, Merge((MergeSource(one, "A1", "100.5"), whole[1]), "A1"), STOCK_SHORT)
    here.refuses(merge_batches, Merge(whole, "Z9"), NOT_DEFINED)
    data = here.refuses(merge_batches, Merge((whole[0], MergeSource(sugar, "A1")), "A1"), MATERIAL_DIFFERS)
    assert data == {"batch": sugar, "material": "RM-SUGAR", "expected": "RM-MILK"}
    held = here.receive(quarantine="?")
    here.refuses(merge_batches, Merge((*whole, MergeSource(held, "A1")), "A1"), BATCH_ON_HOLD)
    here.do(define_material, MaterialDefinition("RM-MILK", "Raw milk", "LTR"))
    litres = here.do(receive_batch, Delivery("RM-MILK", "5", "LTR", "A1")).envelope["key"]
    here.refuses(merge_batches, Merge((*whole, MergeSource(litres, "A1")), "A1"), UNIT_NOT_CONVERTIBLE)


def test_merged_beyond_what_can_be_counted_then_refused(here: Plant) -> None:
    one, two = here.receive(amount="1000000000000"), here.receive(amount="0.000001")
    here.refuses(merge_batches, Merge((MergeSource(one, "A1"), MergeSource(two, "A1")), "A1"), AMOUNT_TOO_LARGE)
