"""Split a batch: parts of what is at one location become batches of their own."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import first_short, in_unit, moved, statement
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import BatchStatement, Movement, Outcome, ProcessStatement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.production.events import BATCH_SPLIT
from plants.rules.production.process_records import ProcessKind, ProcessState
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import Quantity, format_micro
from plants.rules.values.refusals import Refusals, within
from plants.store.inventory.batches import Goods


@stable_name("SplitPart")
@dataclass(frozen=True, slots=True)
class SplitPart:
    """A part that becomes a batch; the unit is the batch's own unless given."""

    amount: str
    location: str
    unit: str | None = None


@stable_name("Split")
@dataclass(frozen=True, slots=True)
class Split:
    """A batch to split, the location that it is taken from, and its parts."""

    batch: str
    location: str
    parts: tuple[SplitPart, ...]


@command("split_batch")
def split_batch(writer: PlantLedgerWriter, order: Split) -> Entry:
    """Make batches of parts of a usable batch; they keep its dates, grade, attributes and supplier, the rest stays.

    Held goods are not split: a part would leave the hold behind.
    """
    goods, written = _read(writer, order)
    total = sum(micro for micro, _ in written)
    process = done_at_once(writer, ProcessKind.SPLIT)
    place = f"process:{process['id']}"
    batches: list[BatchStatement] = []
    movements: list[Movement] = [moved(goods, total, f"stock:{order.location}", place, MaterialUse.CONSUMED)]
    for part, (micro, entered) in zip(order.parts, written, strict=True):
        batch_id, code = writer.new_node(), writer.new_batch_code()
        batches.append({**statement(goods), "id": batch_id, "code": code, "made": format_micro(micro)})
        movement = moved(goods, micro, place, f"stock:{part.location}", MaterialUse.PRODUCED)
        movement["batch"] = batch_id
        if entered is not None:
            movement["entered"] = entered
        movements.append(movement)
    payload: Outcome = {"process": process, "batches": batches, "movements": movements}
    return writer.record(BATCH_SPLIT, goods.code, payload)


def _read(writer: PlantLedgerWriter, order: Split) -> tuple[Goods, list[tuple[int, str | None]]]:
    """Return the batch, and each part's amount in its unit with the text of another. Raises all Refusals at once."""
    read: dict[int, tuple[int, str | None]] = {}
    with Refusals() as refusals:
        goods = refusals.value(writer.batch, order.batch)
        if goods is not None:
            with refusals.at("batchCode"):
                goods.check_usable(writer.local_day)
        is_there = goods is not None and order.location in goods.on_hand
        with refusals.at():
            if not is_there:
                writer.check_location(order.location)
                is_there = True
        with refusals.at():
            check_lines(order.parts, "parts")
            for index, part in enumerate(order.parts):
                with refusals.at("parts", index):
                    read[index] = _read_part(writer, goods, part)
            if goods is not None and is_there and read:
                amounts = [micro for micro, _ in read.values()]
                short = first_short(goods.on_hand.get(order.location, 0), amounts)
                with refusals.at("parts", [*read][short], "quantity"):
                    goods.check_on_hand(order.location, Quantity(sum(amounts), goods.unit))
    assert goods is not None
    return goods, [*read.values()]


def _read_part(writer: PlantLedgerWriter, goods: Goods | None, part: SplitPart) -> tuple[int, str | None]:
    with Refusals() as refusals:
        refusals.value(writer.check_location, part.location)
        with refusals.at():
            if goods is not None:
                return in_unit(writer, goods, part.amount, part.unit or goods.unit)
            with within("quantity"):
                writer.check_quantity(part.amount, part.unit)
    return 0, None  # of an unknown batch, which is refused


def done_at_once(writer: PlantLedgerWriter, kind: ProcessKind) -> ProcessStatement:
    """Return the statement of a new process record that is closed in the moment it opens."""
    at = format_instant(writer.occurred_at)
    return {
        "id": writer.new_node(),
        "kind": kind.value,
        "state": ProcessState.CLOSED.value,
        "opened_at": at,
        "closed_at": at,
    }
