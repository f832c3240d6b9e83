"""Rule 7 by worked examples: nothing gets younger by handling, and what an approved change may do."""

from datetime import date
from typing import Any

import pytest

from tests.simulation.model_group import Group, line, output

JUNE_5, JUNE_9, JULY_1 = date(2026, 6, 5), date(2026, 6, 9), date(2026, 7, 1)


@pytest.mark.parametrize("kind", ["REPACK", "RELABEL", "REWORK"])
def test_handling_then_output_has_earliest_expiry_of_inputs(kind: str) -> None:
    group = Group()
    old = group.receives("5", "CHEESE", expiresOn="2026-06-05")
    young = group.receives("5", "CHEESE", expiresOn="2026-06-09", purchaseOrder="2")
    made = group.makes("10", line(old, "5"), line(young, "5"), kind=kind)
    assert group.model.expiry("WH1", made) == JUNE_5
    younger: dict[str, Any] = {"kind": kind, "inputs": [], "outputs": [output("1", expiresOn="2030-01-01")]}
    group.does("recordProduction", **younger)
    assert group.code("recordProduction", **younger | {"inputs": [line(made, "1")]}) == "EXPIRY_ABOVE_LIMIT"


def test_packaging_among_inputs_then_its_date_does_not_count() -> None:
    group = Group()
    group.does("saveMaterial", code="FOIL", name="Foil", unitCode="H87", role="PACKAGING", shelfLifeDays=1)
    foil = group.receives("5", "FOIL", quantity={"amount": "5", "unit": "H87"})
    cheese = group.receives("5", "CHEESE", expiresOn="2026-06-09")
    made = group.makes("5", line(cheese, "5"), line(foil, "5", "H87"), kind="REPACK")
    assert group.model.expiry("WH1", made) == JUNE_9


@pytest.mark.parametrize(
    "rule, expected",
    [(None, JULY_1), ("FROM_PRODUCTION", JULY_1), ("FROM_INPUTS", JUNE_5), ("EARLIER", JUNE_5)],
)
def test_production_then_material_says_how_expiry_is_made(rule: str | None, expected: date) -> None:
    group = Group()
    group.does(
        "saveMaterial",
        code="CHEESE",
        name="Cheese",
        unitCode="KGM",
        shelfLifeDays=30,
        expiryRule=rule,
        retestWarns=True,
    )
    milk = group.receives("10", expiresOn="2026-06-05")
    assert group.model.expiry("WH1", group.makes("10", line(milk, "10"))) == expected


def test_production_without_shelf_life_then_expiry_comes_from_inputs() -> None:
    group = Group()
    milk = group.receives("10", expiresOn="2026-06-05")
    made = group.makes("10", line(milk, "10"), outputs=[output("10", "MILK")])
    assert group.model.expiry("WH1", made) == JUNE_5


def test_input_below_carry_over_share_then_its_date_does_not_count() -> None:
    group = Group()
    material: dict[str, Any] = {"code": "CHEESE", "name": "Cheese", "unitCode": "KGM", "expiryRule": "FROM_INPUTS"}
    group.does("saveMaterial", **material, dateCarryOverShare=10)
    salt = group.receives("1", expiresOn="2026-06-05")
    milk = group.receives("99", expiresOn="2026-06-09", purchaseOrder="2")
    assert group.model.expiry("WH1", group.makes("50", line(milk, "49.5"), line(salt, "0.5"))) == JUNE_9
    group.does("saveMaterial", **material, dateCarryOverShare=1)
    assert group.model.expiry("WH1", group.makes("50", line(milk, "49.5"), line(salt, "0.5"))) == JUNE_5


def test_split_and_merge_then_dates_are_kept_and_earliest() -> None:
    group = Group()
    group.does("saveMaterial", code="CHEESE", name="Cheese", unitCode="KGM", shelfLifeDays=30, retestDays=10)
    old = group.receives("5", "CHEESE", producedAt="2026-05-30T12:00:00+00:00")
    young = group.receives("5", "CHEESE", purchaseOrder="2")
    part = group.does(
        "splitBatch",
        batchCode=old,
        locationCode="A",
        parts=[{"quantity": line(old, "2")["quantity"], "locationCode": "B"}],
    ).made[0]
    assert (group.model.expiry("WH1", part), group.model.retest("WH1", part)) == (date(2026, 6, 29), JUNE_9)
    sources = [{"batchCode": one, "locationCode": "A"} for one in (old, young)]
    merged = group.does("mergeBatches", sources=sources, locationCode="A").made[0]
    assert (group.model.expiry("WH1", merged), group.model.retest("WH1", merged)) == (date(2026, 6, 29), JUNE_9)


def test_addition_then_batch_takes_earlier_date_until_goods_left() -> None:
    group = Group()
    old = group.receives("5", "CHEESE", expiresOn="2026-06-05")
    young = group.receives("5", "CHEESE", expiresOn="2026-06-09", purchaseOrder="2")
    run = group.opens(kind="REPACK")
    group.feeds(run, line(young, "5"))
    made, other = (group.yields(run, output("2")) for _ in range(2))
    group.ships(line(other, "1"))
    group.later(hours=1)
    group.feeds(run, line(old, "5"))
    assert group.model.expiry("WH1", made) == JUNE_9, "what was fed after the yield is not in it"
    group.later(hours=1)
    group.does("addProcessOutputs", processId=run, additions=[line(made, "1")])
    assert group.model.expiry("WH1", made) == JUNE_5
    found = group.code("addProcessOutputs", processId=run, additions=[line(other, "1")])
    assert found == "ADDITION_SHORTENS_EXPIRY"


def test_input_written_after_the_yield_that_it_preceded_then_date_comes_forward() -> None:
    group = Group()
    old = group.receives("5", "CHEESE", expiresOn="2026-06-05")
    young = group.receives("5", "CHEESE", expiresOn="2026-06-09", purchaseOrder="2")
    run = group.opens(kind="REPACK")
    fed_at = group.later(hours=1)
    group.feeds(run, line(young, "5"))
    group.later(hours=1)
    made = group.yields(run, output("5"))
    group.feeds(run, line(old, "5"), occurredAt=fed_at)
    assert group.model.expiry("WH1", made) == JUNE_5


def test_transfer_to_plant_with_goods_of_it_then_earlier_date_counts() -> None:
    group = Group()
    batch = group.receives("10", "CHEESE", expiresOn="2026-06-05")
    first = group.sends(line(batch, "5"))
    group.does("receiveTransfer", plant="WH2", manifest=first, locationCode="A", all=True)
    longer = group.does("requestExpiryExtension", batchCode=batch, expiresOn="2026-06-09", reason="tested")
    group.everything_arrives()
    group.decides(longer, at_hub=True)
    group.everything_arrives()
    assert (group.model.expiry("WH1", batch), group.model.expiry("WH2", batch)) == (JUNE_9, JUNE_5)
    second = group.sends(line(batch, "5"))
    group.does("receiveTransfer", plant="WH2", manifest=second, locationCode="A", all=True)
    assert group.model.expiry("WH2", batch) == JUNE_5


def test_expiry_day_then_goods_are_usable_to_its_end_by_the_plants_calendar() -> None:
    group = Group()
    batch = group.receives("10", expiresOn="2026-06-01")
    group.later(hours=9, minutes=59)
    group.ships(line(batch, "1"))
    group.later(minutes=1)
    assert group.now.date() == date(2026, 6, 1), "midnight in Berlin comes at 22:00 UTC"
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "1")]) == "BATCH_EXPIRED"
    group.ships(line(batch, "1"), occurredAt=group.now.replace(hour=21))
    assert group.model.usable("WH1", batch, date(2026, 6, 1))
    assert group.model.blocked_by("WH1", batch, date(2026, 6, 2)) == "BATCH_EXPIRED"


def test_retest_overdue_then_it_blocks_unless_the_material_warns() -> None:
    group = Group()
    material: dict[str, Any] = {"code": "MILK", "name": "Milk", "unitCode": "KGM", "retestDays": 1}
    group.does("saveMaterial", **material)
    batch = group.receives("10")
    group.later(days=1)
    group.ships(line(batch, "1"))
    group.later(days=1)
    assert group.code("shipGoods", customerCode="C1", lines=[line(batch, "1")]) == "RETEST_DUE"
    group.does("saveMaterial", **material, retestWarns=True)
    group.ships(line(batch, "1"))


def test_expired_goods_then_they_move_split_and_go_to_scrap_or_their_supplier() -> None:
    group = Group()
    batch = group.receives("10", expiresOn="2026-06-01", supplierCode="S1")
    group.later(days=2)
    group.does(
        "moveBatch", batchCode=batch, fromLocationCode="A", toLocationCode="B", quantity=line(batch, "9")["quantity"]
    )
    group.does("returnToSupplier", supplierCode="S1", lines=[line(batch, "4", location="B")], reason="expired")
    group.does("scrapGoods", lines=[line(batch, "5", location="B")], reason="expired")
    assert group.code("scrapGoods", lines=[line(batch, "1")]) == "TEXT_INVALID"
    merged: dict[str, Any] = {"sources": [line(batch, "1"), line(batch, "1")], "locationCode": "A"}
    assert group.code("mergeBatches", **merged) == "NOTHING_CHANGES"
    assert group.model.stock("WH1", batch) == {"A": 1}


def test_wrong_expiry_then_put_right_earlier_by_an_approved_change() -> None:
    group = Group()
    batch = group.receives("10", expiresOn="2062-06-05")
    wanted: dict[str, Any] = {"batchCode": batch, "expiresOn": "2026-06-05", "reason": "typed wrong"}
    assert group.code("requestExpiryExtension", **wanted) == "EXPIRY_NOT_LATER"
    group.decides(group.does("requestBatchChange", **wanted))
    assert group.model.expiry("WH1", batch) == JUNE_5


def test_expiry_put_right_at_the_origin_then_every_plant_with_the_batch_takes_it_over() -> None:
    group = Group()
    batch = group.receives("10", expiresOn="2026-07-01")
    transfer = group.sends(line(batch, "5"))
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    wanted = {"batchCode": batch, "expiresOn": "2026-06-05", "reason": "read the label again"}
    group.decides(group.does("requestBatchChange", **wanted))
    assert group.model.expiry("WH2", batch) == JULY_1
    group.everything_arrives()
    assert group.model.expiry("WH2", batch) == JUNE_5


def test_expiry_put_right_while_goods_are_on_the_road_then_it_waits_for_them() -> None:
    group = Group()
    batch = group.receives("10", expiresOn="2026-07-01")
    transfer = group.sends(line(batch, "5"))
    group.later(hours=1)
    wanted = {"batchCode": batch, "expiresOn": "2026-06-05", "reason": "read the label again"}
    group.decides(group.does("requestBatchChange", **wanted))
    group.everything_arrives()
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    assert group.model.expiry("WH2", batch) == JUNE_5


@pytest.mark.parametrize(
    "fields", [{"expiresOn": "2026-05-31"}, {"expiresOn": "2026-02-30"}, {"producedAt": "2026-06-01"}]
)
def test_impossible_date_then_refused(fields: dict[str, str]) -> None:
    given: dict[str, Any] = {"materialCode": "MILK", "quantity": line("", "1")["quantity"], "locationCode": "A"}
    assert Group().code("receiveBatch", **given, **fields) == "DATE_INVALID"
