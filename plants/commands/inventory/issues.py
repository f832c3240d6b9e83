"""Issue goods from stock into a process record: every line checked, lines of the same goods together."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from plants.commands.execution import PlantLedgerWriter, check_lines
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.payloads import BatchStatement, Movement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import AMOUNT_MAX, MICRO, Quantity, format_micro
from plants.rules.values.refusals import AMOUNT_TOO_LARGE, Refusal, Refusals, within
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


def issue(
    writer: PlantLedgerWriter,
    lines: Sequence[StockLine],
    process: int,
    use: MaterialUse,
    *,
    field: str,
    places: Sequence[int] | None = None,
    check: Callable[[Goods], None] | None = None,
) -> Issued:
    """Return the movements of usable goods from stock into a process record; `field` names the lines in the input.

    `places` are the places of the lines in the input, where those are not their own. `check` raises Refusal for goods
    that the command cannot take.

    Raises all refusals at once: of each value of each line, and of each place with too little of a batch over all its
    lines that could be read. A shortage is at the line that exceeds the stock.
    """
    check_lines(lines, field)
    goods: dict[str, Goods] = {}
    wanted: dict[tuple[str, str], list[tuple[int, int]]] = {}
    movements = []

    def batch(code: str) -> Goods:
        if code not in goods:
            goods[code] = writer.batch(code)
        return goods[code]

    def check_usable(one: Goods) -> None:
        one.check_usable(writer.local_day)
        if check is not None:
            check(one)

    with Refusals() as refusals:
        for index, line in zip(places or range(len(lines)), lines, strict=True):
            with refusals.at(field, index):
                one, micro, entered = read_line(writer, line, batch, check=check_usable)
                wanted.setdefault((line.batch, line.location), []).append((index, micro))
                movement = moved(one, micro, f"stock:{line.location}", f"process:{process}", use)
                if entered is not None:
                    movement["entered"] = entered
                movements.append(movement)
        for (code, location), parts in wanted.items():
            one, amounts = goods[code], [micro for _, micro in parts]
            short = 0 if len(parts) == 1 else first_short(one.on_hand.get(location, 0), amounts)
            with refusals.at(field, parts[short][0], "quantity"):
                one.check_on_hand(location, Quantity(sum(amounts), one.unit))
    return Issued(movements, goods)


def first_short(available: int, amounts: Sequence[int]) -> int:
    """Return the position of the amount with which the goods no longer suffice, or of the last one where they do."""
    sums = accumulate(amounts)
    return next((position for position, total in enumerate(sums) if total > available), len(amounts) - 1)


@dataclass(frozen=True, slots=True)
class GoodsLine:
    """An amount of a batch at a location, as an input states it. Without a unit it is in the batch's own."""

    batch: str
    amount: str
    unit: str | None
    location: str


def read_line(
    writer: PlantLedgerWriter,
    line: StockLine | GoodsLine,
    find: Callable[[str], Goods],
    *,
    check: Callable[[Goods], None] | None = None,
    location: str = "locationCode",
) -> tuple[Goods, int, str | None]:
    """Return the batch of a line, its amount in millionths of the batch's unit, and the text of another unit.

    Raises the Refusals of all its values at once. `check` raises Refusal for a batch that cannot be used here.
    `location` names the field of the location, which needs no look-up where goods of the batch are.
    """
    micro, entered = 0, None
    with Refusals() as refusals:
        goods = refusals.value(find, line.batch)
        if goods is None:
            with refusals.at("quantity"):
                writer.check_quantity(line.amount, line.unit)
        else:
            if check is not None:
                with refusals.at("batchCode"):
                    check(goods)
            with refusals.at():
                micro, entered = in_unit(writer, goods, line.amount, line.unit or goods.unit)
        if goods is None or line.location not in goods.on_hand:
            with refusals.at():
                writer.check_location(line.location, location)
    assert goods is not None
    return goods, micro, entered


def in_unit(writer: PlantLedgerWriter, goods: Goods, amount: str, unit: str) -> tuple[int, str | None]:
    """Return the amount of the field `quantity` in millionths of the batch's unit, and its text in another unit."""
    with within("quantity"):
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
