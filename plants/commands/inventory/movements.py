"""Move goods between two locations of the plant."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, command
from plants.commands.inventory.issues import StockLine, moved, read_line
from plants.rules.inventory.events import BATCH_MOVED
from plants.rules.inventory.refusals import GOODS_THERE
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.quantities import Quantity
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal, Refusals, within


@stable_name("Move")
@dataclass(frozen=True, slots=True)
class Move:
    """A move of an amount of a batch between two locations."""

    batch: str
    from_location: str
    to_location: str
    amount: str
    unit: str


@command("move_batch")
def move_batch(writer: PlantLedgerWriter, order: Move) -> Entry:
    """Move goods between locations. Held and expired goods may be moved: that is how they get out of the way."""
    line = StockLine(order.batch, order.amount, order.unit, order.from_location)
    with Refusals() as refusals:
        with refusals.at():
            goods, micro, entered = read_line(writer, line, writer.batch, location="fromLocationCode")
            with within("quantity"):
                goods.check_on_hand(order.from_location, Quantity(micro, goods.unit))
        with refusals.at():
            writer.check_location(order.to_location, "toLocationCode")
            if order.from_location == order.to_location:
                with within("toLocationCode"):
                    raise Refusal(NOTHING_CHANGES, why=GOODS_THERE(location=order.to_location))
    movement = moved(goods, micro, f"stock:{order.from_location}", f"stock:{order.to_location}")
    if entered is not None:
        movement["entered"] = entered
    payload: Outcome = {"movements": [movement]}
    return writer.record(BATCH_MOVED, goods.code, payload)
