"""Small count differences are put right at once, others ask for a change request."""

import pytest

from plants.commands.inventory.stock import Count, StockDifference, adjust_stock
from plants.rules.approvals.refusals import CHANGE_REQUIRED
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    NOTHING_CHANGES,
    TEXT_INVALID,
    UNIT_NOT_CONVERTIBLE,
)
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import Plant

WHY = "Counted 盘点"


def test_counted_within_tolerance_then_stock_is_right(plant: Plant) -> None:
    milk = plant.receive()
    entry = plant.do(adjust_stock, Count(milk, "A1", "98"), reason=WHY)
    batch = plant.batch_id(milk)
    assert (entry.type, entry.envelope["key"], entry.envelope["reason"]) == ("StockAdjusted", milk, WHY)
    assert plant.movements(entry) == [(batch, "2", "stock:A1", "count")]
    assert plant.edges(entry) == []
    found = plant.do(adjust_stock, StockDifference(milk, "A1", "1960", "GRM"), reason=WHY)
    assert plant.movements(found) == [(batch, "1.96", "count", "stock:A1")]
    assert plant.stock() == {(milk, "A1"): "99.96"}
    assert plant.batch(milk)["version"] == found.index


def test_above_tolerance_then_a_change_is_required(plant: Plant) -> None:
    milk = plant.receive()
    data = plant.refuses(adjust_stock, Count(milk, "A1", "97.999999"), CHANGE_REQUIRED, reason=WHY)
    assert data == {"batch": milk, "location": "A1", "difference": "-2.000001", "unit": "KGM", "percent": "2"}
    plant.refuses(adjust_stock, StockDifference(milk, "A1", "2.000001"), CHANGE_REQUIRED, reason=WHY)
    plant.refuses(adjust_stock, StockDifference(milk, "B1", "0.000001"), CHANGE_REQUIRED, reason=WHY)
    plant.refuses(adjust_stock, Count(milk, "A1", "0"), CHANGE_REQUIRED, reason=WHY)


def test_history_then_any_difference_is_taken(plant: Plant) -> None:
    milk = plant.receive(quarantine="?")
    plant.do(adjust_stock, StockDifference(milk, "B1", "7"), reason=WHY, history=True)
    plant.do(adjust_stock, Count(milk, "A1", "0.0"), reason=WHY, history=True)
    assert plant.stock() == {(milk, "B1"): "7"}
    plant.refuses(adjust_stock, StockDifference(milk, "B1", "-7.1"), STOCK_SHORT, reason=WHY, history=True)


@pytest.mark.parametrize(
    "order,code",
    [
        (Count("?", "A1", "100"), BATCH_UNKNOWN),
        (Count("", "A1", "100"), NOTHING_CHANGES),
        (StockDifference("", "A1", "-0"), NOTHING_CHANGES),
        (StockDifference("", "A1", "-0.00"), NOTHING_CHANGES),
        (Count("", "A1", "-1"), AMOUNT_NOT_POSITIVE),
        (StockDifference("", "A1", "--1"), AMOUNT_NOT_POSITIVE),
        (StockDifference("", "A1", "-"), AMOUNT_NOT_A_NUMBER),
        (StockDifference("", "A1", "-1e3"), AMOUNT_NOT_A_NUMBER),
        (Count("", "A1", "99", "LTR"), UNIT_NOT_CONVERTIBLE),
        (StockDifference("", "Z9", "1"), NOT_DEFINED),
        (StockDifference("", "A1", "-100.1"), STOCK_SHORT),
        (StockDifference("", "A1", "1000000000000"), AMOUNT_TOO_LARGE),
    ],
)
def test_wrong_then_refused(here: Plant, order: Count | StockDifference, code: R) -> None:
    milk = here.receive()
    given = type(order)(order.batch or milk, *(getattr(order, name) for name in order.__slots__[1:]))
    here.refuses(adjust_stock, given, code, reason=WHY, history=True)


def test_no_reason_then_refused(here: Plant) -> None:
    milk = here.receive()
    here.refuses(adjust_stock, Count(milk, "A1", "99"), TEXT_INVALID)
    here.refuses(adjust_stock, Count(milk, "A1", "99"), TEXT_INVALID, history=True)
