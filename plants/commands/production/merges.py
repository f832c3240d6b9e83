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
    check_lines(order.sources, "sources")
    writer.check_location(order.location)
    process = done_at_once(writer, ProcessKind.MERGE)
    lines: list[StockLine] = []
    with Refusals() as refusals:
        for index, source in enumerate(order.sources):
            with refusals.at("sources", index):
                lines.append(_line(writer, source))
    issued = issue(writer, lines, process["id"], MaterialUse.CONSUMED, field="sources")
    first = _check_alike(order, issued)
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


def _check_alike(order: Merge, issued: Issued) -> Goods:
    """Return the batch of the first source, or raise the Refusals of sources that cannot be merged with it."""
    first, *others = issued.goods.values()
    with within("sources"):
        if not others:
            raise Refusal(NOTHING_CHANGES, why=ONE_BATCH(batch=first.code))
        with Refusals() as refusals:
            for index, source in enumerate(order.sources):
                with refusals.at(index, "batchCode"):
                    _check_like(first, issued.goods[source.batch])
    return first


def _check_like(first: Goods, other: Goods) -> None:
    if other.material != first.material:
        raise Refusal(MATERIAL_DIFFERS, batch=other.code, material=other.material, expected=first.material)
    if other.unit != first.unit:
        raise Refusal(UNIT_NOT_CONVERTIBLE, unit=other.unit, target=first.unit)


def _line(writer: PlantLedgerWriter, source: MergeSource) -> StockLine:
    if source.amount is not None and source.unit is not None:
        return StockLine(source.batch, source.amount, source.unit, source.location)
    goods = writer.batch(source.batch)
    if source.amount is not None:
        return StockLine(source.batch, source.amount, goods.unit, source.location)
    there = goods.on_hand.get(source.location, 0)
    if not there:
        with within("locationCode"):
            goods.check_on_hand(source.location, Quantity(1, goods.unit))
    return StockLine(source.batch, format_micro(there), goods.unit, source.location)
