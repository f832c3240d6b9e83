"""Adjust stock to what was counted: directly while the difference is small, else by a change request."""

from dataclasses import dataclass
from fractions import Fraction

from plants.commands.execution import PlantLedgerWriter, check_reason, command
from plants.commands.inventory.issues import check_total, moved
from plants.rules.approvals.refusals import CHANGE_REQUIRED
from plants.rules.inventory.events import STOCK_ADJUSTED
from plants.rules.inventory.refusals import STOCK_AS_COUNTED
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.quantities import Quantity, format_micro, read_count
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal, Refusals, within
from plants.store.inventory.batches import Goods

ADJUSTMENT_TOLERANCE = Fraction(2, 100)  # of what is on hand at the location: a larger difference is a gated change


@stable_name("Count")
@dataclass(frozen=True, slots=True)
class Count:
    """The counted amount of a batch at a location, zero included; the unit is the batch's own unless given."""

    batch: str
    location: str
    counted: str
    unit: str | None = None


@stable_name("StockDifference")
@dataclass(frozen=True, slots=True)
class StockDifference:
    """By how much the stock of a batch at a location is wrong: "-3" when three are missing, "3" when more are there."""

    batch: str
    location: str
    difference: str
    unit: str | None = None


@command("adjust_stock")
def adjust_stock(writer: PlantLedgerWriter, order: Count | StockDifference) -> Entry:
    """Put stock right, for a reason that the call gives.

    Above ADJUSTMENT_TOLERANCE this is refused as CHANGE_REQUIRED, except where history is imported.
    """
    with Refusals() as refusals:
        refusals.value(check_reason, writer.call.reason or "")
        goods = refusals.value(writer.batch, order.batch)
        refusals.value(writer.check_location, order.location)
        with refusals.at("counted"):
            difference = _difference(writer, goods, order)
    assert goods is not None
    on_hand = goods.on_hand.get(order.location, 0)
    outcome = adjustment(writer, goods, order.location, difference)
    with within("counted"):
        if abs(difference) > on_hand * ADJUSTMENT_TOLERANCE and not writer.call.history:
            raise Refusal(
                CHANGE_REQUIRED,
                batch=goods.code,
                location=order.location,
                difference=format_micro(difference),
                unit=goods.unit,
                percent=ADJUSTMENT_TOLERANCE * 100,
            )
    return writer.record(STOCK_ADJUSTED, goods.code, outcome)


def _difference(writer: PlantLedgerWriter, goods: Goods | None, order: Count | StockDifference) -> int:
    """Return the difference in millionths of the batch's unit, or 0 where the batch is not known."""
    text = (order.counted if isinstance(order, Count) else order.difference).strip()
    size = text if isinstance(order, Count) else text.removeprefix("-")
    if goods is None:
        writer.check_quantity(size, order.unit, read_count)
        return 0
    micro = writer.count(size, order.unit or goods.unit, goods.material, goods.unit)
    if isinstance(order, Count):
        return micro - goods.on_hand.get(order.location, 0)
    return -micro if text.startswith("-") else micro


def adjustment(writer: PlantLedgerWriter, goods: Goods, location: str, difference_micro: int) -> Outcome:
    """Return the outcome of adding a difference, in millionths of the batch's unit, to the stock at a location.

    Raises Refusal when it is nothing, would leave less than nothing, or the location is not defined. Held and expired
    goods are adjusted too: a count says what is there, not what may be done with it.
    """
    writer.check_location(location)
    with within("counted"):
        if difference_micro == 0:
            raise Refusal(NOTHING_CHANGES, why=STOCK_AS_COUNTED(batch=goods.code, location=location))
        if difference_micro < 0:
            goods.check_on_hand(location, Quantity(-difference_micro, goods.unit))
            return {"movements": [moved(goods, -difference_micro, f"stock:{location}", "count")]}
        check_total(sum(goods.on_hand.values()) + difference_micro)
    return {"movements": [moved(goods, difference_micro, "count", f"stock:{location}")]}
