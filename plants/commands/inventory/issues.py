"""Issue goods from stock into a process record: every line checked, lines of the same goods together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_lines
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.payloads import BatchStatement, Movement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import AMOUNT_MAX, MICRO, Quantity, format_micro
from plants.rules.values.refusals import AMOUNT_TOO_LARGE, Refusal
from plants.store.inventory.batches import Goods


@stable_name("StockLine")
@dataclass(frozen=True, slots=True)
class StockLine:
    """An amount of a batch at a location, in any unit that converts to the batch's own."""

    batch: str
    amount: str
    unit: str
    location: str


@dataclass(frozen=True, slots=True)
class Issued:
    """Issued goods: a movement for each line, in order, and the batches."""

    movements: list[Movement]
    goods: dict[str, Goods]  # by batch code, as they were before


def issue(writer: PlantLedgerWriter, lines: Sequence[StockLine], process: int, use: MaterialUse) -> Issued:
    """Return the movements of usable goods from stock into a process record.

    Raises the Refusal that names the batch that may not be used or of which there is too little at the location, over
    all lines together.
    """
    check_lines(lines)
    goods: dict[str, Goods] = {}
    wanted: dict[tuple[str, str], int] = {}
    movements = []
    for line in lines:
        one = goods.get(line.batch)
        if one is None:
            one = goods[line.batch] = writer.usable_batch(line.batch)
        micro, entered = in_unit(writer, one, line.amount, line.unit)
        place = line.batch, line.location
        wanted[place] = wanted.get(place, 0) + micro
        movement = moved(one, micro, f"stock:{line.location}", f"process:{process}", use)
        if entered is not None:
            movement["entered"] = entered
        movements.append(movement)
    for (code, location), micro in wanted.items():
        goods[code].check_on_hand(location, Quantity(micro, goods[code].unit))
    return Issued(movements, goods)


def in_unit(writer: PlantLedgerWriter, goods: Goods, amount: str, unit: str) -> tuple[int, str | None]:
    """Return an amount in millionths of the batch's unit, and what was written when that was another unit."""
    micro = writer.quantity(amount, unit, goods.material, goods.unit).micro
    return micro, None if unit == goods.unit else f"{amount.strip()} {unit}"


def moved(goods: Goods, micro: int, taken_from: str, put_in: str, use: MaterialUse | None = None) -> Movement:
    """Return a movement of a batch that the plant knows."""
    movement: Movement = {
        "batch": goods.id,
        "amount": format_micro(micro),
        "unit": goods.unit,
        "taken_from": taken_from,
        "put_in": put_in,
    }
    if use is not None:
        movement["use"] = use.value
    return movement


def check_total(micro: int) -> int:
    """Return a sum of amounts, or raise Refusal when a place or batch would hold more than can be kept exactly."""
    if micro > AMOUNT_MAX * MICRO:
        raise Refusal(AMOUNT_TOO_LARGE, amount=format_micro(micro), limit=AMOUNT_MAX)
    return micro


def statement(goods: Goods) -> BatchStatement:
    """Return what the plant knows of a batch in the form that entries state it."""
    return {
        "id": goods.id,
        "code": goods.code,
        "material": goods.material,
        "unit": goods.unit,
        "made": format_micro(goods.made),
        "produced_at": format_instant(from_micros(goods.produced_us)),
        "expires_on": goods.expires_on,
        "retest_on": goods.retest_on,
        "grade": goods.grade,
        "supplier": goods.supplier,
        "attributes": json.loads(goods.attributes),
        "disposition": goods.disposition,
    }
