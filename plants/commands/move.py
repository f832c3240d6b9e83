"""Move goods between two locations of the plant."""

from dataclasses import dataclass

from plants.commands.issue import in_unit, moved
from plants.commands.recording import Recording, command
from plants.rules.events import Entry
from plants.rules.payloads import Outcome
from plants.rules.quantities import Quantity
from plants.rules.refusals import Refusal, RefusalCode
from plants.store import master


@dataclass(frozen=True, slots=True)
class Move:
    """How much of which batch goes from where to where."""

    batch: str
    from_location: str
    to_location: str
    amount: str
    unit: str


@command
def move_batch(recording: Recording, order: Move) -> Entry:
    """Move goods between locations. Held and expired goods may be moved: that is how they get out of the way."""
    master.check_defined(recording.session, recording.call.plant, "LOCATION", order.to_location)
    if order.from_location == order.to_location:
        raise Refusal(RefusalCode.NOTHING_CHANGES, why=order.to_location)
    goods = recording.batch(order.batch)
    micro, entered = in_unit(recording, goods, order.amount, order.unit)
    goods.check_on_hand(order.from_location, Quantity(micro, goods.unit))
    movement = moved(goods, micro, f"stock:{order.from_location}", f"stock:{order.to_location}")
    if entered is not None:
        movement["entered"] = entered
    payload: Outcome = {"movements": [movement]}
    return recording.record("BatchMoved", goods.code, payload)
