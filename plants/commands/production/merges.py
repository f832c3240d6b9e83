"""Merge batches of one material into a new one."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import Issued, StockLine, check_total, issue, statement
from plants.commands.production.splits import done_at_once
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.production.events import BATCHES_MERGED
from plants.rules.production.process_records import ProcessKind, blend
from plants.rules.production.refusals import MATERIAL_DIFFERS, ONE_BATCH
from plants.rules.values.quantities import Quantity, format_micro, parse_micro
from plants.rules.values.refusals import NOTHING_CHANGES, UNIT_NOT_CONVERTIBLE, Refusal, Refusals, within
from plants.store.inventory.batches import Goods


@stable_name("MergeSource")
@dataclass(frozen=True, slots=True)
class MergeSource:
    """A batch at a location: all that is there unless an amount is given; the unit is the batch's own unless given."""

    batch: str
    location: str
    amount: str | None = None
    unit: str | None = None


@stable_name("Merge")
@dataclass(frozen=True, slots=True)
class Merge:
    """The sources of a merge, and the location of the new batch."""

    sources: tuple[MergeSource, ...]
    location: str


@command("merge_batches")
def merge_batches(writer: PlantLedgerWriter, order: Merge) -> Entry:
    """Make one new batch of at least two usable ones of the same material and unit.

    The blend is as old as its oldest part and expires with its first one
    (`plants.rules.production.process_records.blend`).
    """
    process = done_at_once(writer, ProcessKind.MERGE)
    with Refusals() as refusals:
        refusals.value(writer.check_location, order.location)
        with refusals.at():
            issued = _issue(writer, order, process["id"])
    first = next(iter(issued.goods.values()))
    with within("sources"):
        made = format_micro(check_total(sum(parse_micro(movement["amount"]) for movement in issued.movements)))
    batch_id, code = writer.new_node(), writer.new_batch_code()
    batch = blend([statement(goods) for goods in issued.goods.values()], batch_id=batch_id, code=code, made=made)
    payload: Outcome = {
        "process": process,
        "batches": [batch],
        "movements": [
            *issued.movements,
            {
                "batch": batch_id,
                "amount": made,
                "unit": first.unit,
                "taken_from": f"process:{process['id']}",
                "put_in": f"stock:{order.location}",
                "use": MaterialUse.PRODUCED.value,
            },
        ],
    }
    return writer.record(BATCHES_MERGED, code, payload)


def _issue(writer: PlantLedgerWriter, order: Merge, process: int) -> Issued:
    """Return the issued sources, or raise all their Refusals. Each must be like the first that can be used."""
    check_lines(order.sources, "sources")
    lines: dict[int, StockLine] = {}
    firsts: list[Goods] = []

    def check_like(other: Goods) -> None:
        firsts.append(other)
        _check_like(firsts[0], other)

    with Refusals() as refusals:
        for index, source in enumerate(order.sources):
            with refusals.at("sources", index):
                lines[index] = _line(writer, source)
        if not lines:
            refusals.raise_any()
        found, places, use = [*lines.values()], [*lines], MaterialUse.CONSUMED
        with refusals.at():
            issued = issue(writer, found, process, use, field="sources", places=places, check=check_like)
    if len(issued.goods) == 1:
        with within("sources"):
            raise Refusal(NOTHING_CHANGES, why=ONE_BATCH(batch=firsts[0].code))
    return issued


def _check_like(first: Goods, other: Goods) -> None:
    if other.material != first.material:
        raise Refusal(MATERIAL_DIFFERS, batch=other.code, material=other.material, expected=first.material)
    if other.unit != first.unit:
        raise Refusal(UNIT_NOT_CONVERTIBLE, unit=other.unit, target=first.unit)


def _line(writer: PlantLedgerWriter, source: MergeSource) -> StockLine:
    if source.amount is not None and source.unit is not None:
        return StockLine(source.batch, source.amount, source.unit, source.location)
    with Refusals() as refusals:
        goods = refusals.value(writer.batch, source.batch)
        with refusals.at():
            if goods is None or source.location not in goods.on_hand:
                writer.check_location(source.location)
        with refusals.at("quantity"):
            if goods is None and source.amount is not None:
                writer.check_quantity(source.amount, None)
    assert goods is not None
    if source.amount is not None:
        return StockLine(source.batch, source.amount, goods.unit, source.location)
    there = goods.on_hand.get(source.location, 0)
    if not there:
        with within("locationCode"):
            goods.check_on_hand(source.location, Quantity(1, goods.unit))
    return StockLine(source.batch, format_micro(there), goods.unit, source.location)
