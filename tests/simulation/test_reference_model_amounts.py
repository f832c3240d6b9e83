"""Rules 1 and 9 by worked examples: amounts, units, factors, the last of a batch, counts."""

from fractions import Fraction
from typing import Any

import pytest

from tests.simulation.model_group import Group, kg, line, output


@pytest.mark.parametrize(
    "amount, code",
    [
        ("1e3", "AMOUNT_NOT_A_NUMBER"),
        ("", "AMOUNT_NOT_A_NUMBER"),
        ("0", "AMOUNT_NOT_POSITIVE"),
        ("-1", "AMOUNT_NOT_POSITIVE"),
        ("0.0000001", "AMOUNT_TOO_PRECISE"),
        ("1000000000001", "AMOUNT_TOO_LARGE"),
    ],
)
def test_amount_out_of_bounds_then_refused(amount: str, code: str) -> None:
    found = Group().refuses("receiveBatch", materialCode="MILK", quantity=kg(amount), locationCode="A")
    assert (found.code, found.path) == (code, ("quantity", "amount"))


def test_tenths_then_they_add_up_exactly() -> None:
    group = Group()
    batch = group.receives("0.3")
    run = group.opens()
    group.feeds(run, line(batch, "0.1"), line(batch, "0.2"))
    assert group.amount(batch) == 0
    assert group.code("addProcessInputs", processId=run, lines=[line(batch, "0.000001")]) == "STOCK_SHORT"


def test_redefined_with_smaller_unit_then_bag_keeps_its_size_or_unit_is_refused() -> None:
    group = Group()
    bag = [{"unitCode": "BG", "factor": "25"}]
    group.does("saveMaterial", code="SUGAR", name="Sugar", unitCode="KGM", conversions=bag)
    batch = group.receives("100000", "SUGAR")
    smaller: dict[str, Any] = {
        "code": "SUGAR",
        "name": "Sugar",
        "unitCode": "GRM",
        "conversions": [{"unitCode": "BG", "factor": "25000"}],
    }
    assert group.code("saveMaterial", **smaller) == "MATERIAL_IN_USE"
    group.does(
        "saveMaterial", code="SUGAR", name="Sugar", unitCode="KGM", conversions=[{"unitCode": "BG", "factor": "20"}]
    )
    group.ships(line(batch, "1", "BG"))
    assert group.amount(batch) == 99_975
    newer = group.receives("100", "SUGAR")
    group.ships(line(newer, "1", "BG"))
    assert group.amount(newer) == 80


def test_unit_of_material_on_the_road_then_it_cannot_change() -> None:
    group = Group()
    batch = group.receives("5")
    transfer = group.sends(line(batch, "5"))
    changed: dict[str, Any] = {"code": "MILK", "name": "Milk", "unitCode": "GRM"}
    assert group.code("saveMaterial", **changed) == "MATERIAL_IN_USE"
    group.everything_arrives()
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    assert group.code("saveMaterial", plant="WH2", **changed) == "MATERIAL_IN_USE"


def test_unit_of_material_in_an_open_run_then_it_cannot_change_until_the_run_is_closed() -> None:
    group = Group()
    milk = group.receives("5")
    run = group.opens()
    group.feeds(run, line(milk, "5"))
    assert group.code("saveMaterial", code="MILK", unitCode="GRM") == "MATERIAL_IN_USE"
    group.does("closeProcess", processId=run)
    group.does("saveMaterial", code="MILK", unitCode="GRM")


def test_correction_of_factors_then_approved_change_rewrites_batches_in_stock() -> None:
    group = Group()
    group.does(
        "saveMaterial", code="SUGAR", name="Sugar", unitCode="KGM", conversions=[{"unitCode": "BG", "factor": "25"}]
    )
    batch = group.receives("100", "SUGAR")
    right: dict[str, Any] = {
        "code": "SUGAR",
        "name": "Sugar",
        "unit": "KGM",
        "conversions": [{"unitCode": "BG", "factor": "20"}],
    }
    assert group.code("saveMaterial", **right, replaces="CORRECTION") == "CHANGE_REQUIRED"
    group.decides(group.does("requestMaterialCorrection", **right, reason="typed wrong"))
    group.ships(line(batch, "1", "BG"))
    assert group.amount(batch) == 80


def test_save_with_absent_shelf_life_then_it_stays_and_null_clears_it() -> None:
    group = Group()
    group.does("saveMaterial", code="CHEESE", name="Gouda")
    assert group.model.expiry("WH1", group.receives("1", "CHEESE")) is not None
    seen = group.does("saveMaterial", code="CHEESE", name="Edam").index
    group.does("saveMaterial", code="CHEESE", shelfLifeDays=None, expectedVersion=seen)
    assert group.model.expiry("WH1", group.receives("1", "CHEESE", purchaseOrder="2")) is None
    assert group.code("saveMaterial", code="CHEESE", name="Gouda", expectedVersion=seen) == "STALE_VERSION"


def test_pounds_split_and_merged_then_they_ship_as_pounds() -> None:
    group = Group()
    batch = group.receives("3", quantity=kg("3", "LBR"))
    assert group.amount(batch) == Fraction("1.360777")
    part: dict[str, Any] = {"quantity": kg("1", "LBR"), "locationCode": "A"}
    parts = group.does("splitBatch", batchCode=batch, locationCode="A", parts=[part] * 3).made
    assert group.amount(batch) == 0, "the last pound takes the crumb"
    sources = [{"batchCode": one, "locationCode": "A"} for one in parts]
    merged = group.does("mergeBatches", sources=sources, locationCode="A").made[0]
    group.ships(line(merged, "3", "LBR"))
    assert group.amount(merged) == 0


def test_pounds_merged_from_many_then_one_millionth_a_line_is_all_of_it() -> None:
    group = Group()
    parts = [group.receives("1", quantity=kg("1", "LBR"), purchaseOrder=str(order)) for order in range(10)]
    assert group.amount(parts[0]) == Fraction("0.453592")
    sources = [{"batchCode": one, "locationCode": "A"} for one in parts]
    merged = group.does("mergeBatches", sources=sources, locationCode="A").made[0]
    assert group.amount(merged) == Fraction("4.53592")
    group.ships(line(merged, "10", "LBR"))
    assert group.amount(merged) == 0


def test_piece_then_fraction_is_refused_unless_it_is_the_last() -> None:
    group = Group()
    group.does("saveMaterial", code="CUP", name="Cup", unitCode="H87", conversions=[{"unitCode": "KGM", "factor": "3"}])
    fraction: dict[str, Any] = {"materialCode": "CUP", "quantity": kg("0.5", "H87"), "locationCode": "A"}
    assert group.code("receiveBatch", **fraction) == "AMOUNT_TOO_PRECISE"
    batch = group.receives("9", "CUP", quantity=kg("9", "H87"))
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "0.5", "KGM")]) == "AMOUNT_TOO_PRECISE"
    group.ships(line(batch, "3", "KGM"))
    assert group.amount(batch) == 0


def test_unknown_and_foreign_units_then_each_has_its_refusal() -> None:
    group = Group()
    batch = group.receives("1")
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "1", "XYZ")]) == "UNIT_UNKNOWN"
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "1", "LTR")]) == "UNIT_NOT_CONVERTIBLE"


def test_own_unit_then_it_is_a_multiple_of_a_built_in_one() -> None:
    group = Group()
    group.does("saveUnit", code="SACK", name="Sack", baseUnitCode="KGM", factor="12.5")
    batch = group.receives("4", quantity=kg("4", "SACK"))
    assert group.amount(batch) == 50
    group.does("saveUnit", code="SACK", name="Sack", baseUnitCode="KGM", factor="10")
    group.ships(line(batch, "2", "SACK"))
    assert group.amount(batch) == 25, "the batch keeps its sacks of 12.5 kg"
    assert group.code("saveUnit", code="SACK", factor="10") == "NOTHING_CHANGES"
    assert group.code("saveUnit", code="BAG10", name="Bag", baseUnitCode="KGM") == "FIELD_REQUIRED"
    assert group.code("saveUnit", code="KGM", name="Kilogram", baseUnitCode="GRM", factor="1000") == "CODE_TAKEN"


def test_loss_in_several_units_of_a_kind_then_it_is_one_amount() -> None:
    group = Group()
    milk = group.receives("10")
    run = group.opens()
    group.feeds(run, line(milk, "10"))
    group.yields(run, output("9500") | {"quantity": kg("9500", "GRM")})
    group.does("closeProcess", processId=run)
    assert group.model.losses("WH1", run) == {"mass": Fraction("0.5")}


def test_more_than_on_hand_then_refused_also_over_two_lines() -> None:
    group = Group()
    batch = group.receives("10")
    found = group.refuses("shipGoods", customerCode="C1", lines=[line(batch, "6"), line(batch, "5")])
    assert (found.code, found.path) == ("STOCK_SHORT", ("lines", "1"))
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "1", location="B")]) == "STOCK_SHORT"


def test_moves_then_amounts_change_places_only() -> None:
    group = Group()
    batch = group.receives("10")
    group.does("moveBatch", batchCode=batch, fromLocationCode="A", toLocationCode="B", quantity=kg("4"))
    assert group.model.stock("WH1", batch) == {"A": 6, "B": 4}
    same: dict[str, Any] = {"batchCode": batch, "fromLocationCode": "A", "toLocationCode": "A", "quantity": kg("1")}
    assert group.code("moveBatch", **same) == "NOTHING_CHANGES"


def test_counts_then_their_differences_add_up_over_thirty_days() -> None:
    group = Group()
    batch = group.receives("1000")
    count: dict[str, Any] = {"batchCode": batch, "locationCode": "A", "reason": "monthly count"}
    assert group.code("countStock", **count, counted=kg("1000")) == "NOTHING_CHANGES"
    assert group.code("countStock", **count, counted=kg("979")) == "CHANGE_REQUIRED"
    group.does("countStock", **count, counted=kg("985"))
    group.later(days=1)
    assert group.code("countStock", **count, counted=kg("979")) == "CHANGE_REQUIRED", "15 + 6 is above 20"
    group.does("countStock", **count, counted=kg("980"))
    group.later(days=31)
    group.does("countStock", **count, counted=kg("961"))
    assert group.amount(batch) == 961
    assert group.code("countStock", batchCode=batch, locationCode="A", counted=kg("960")) == "TEXT_INVALID"


def test_count_written_later_then_shipments_since_stay() -> None:
    group = Group()
    batch = group.receives("100")
    counted_at = group.later(hours=1)
    group.later(hours=1)
    group.ships(line(batch, "40"))
    group.later(hours=1)
    count: dict[str, Any] = {"batchCode": batch, "locationCode": "A", "reason": "count", "counted": kg("99")}
    group.does("countStock", **count, occurredAt=counted_at)
    assert group.amount(batch) == 59


def test_adjustment_approved_then_it_sets_the_counted_amount() -> None:
    group = Group()
    batch = group.receives("100")
    asked: dict[str, Any] = {"batchCode": batch, "locationCode": "A", "reason": "leak", "counted": kg("60")}
    group.decides(group.does("requestStockAdjustment", **asked))
    assert group.amount(batch) == 60
