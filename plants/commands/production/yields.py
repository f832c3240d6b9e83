"""Yield output from a process record: new batches, more of a batch it made before, and inputs that go back to stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import StockLine, check_total, in_unit, moved
from plants.commands.inventory.receipts import (
    AliasOrder,
    check_attributes,
    check_grade,
    check_produced,
    first_places,
    material_named,
    new_alias,
    new_batch,
)
from plants.commands.production.process_records import open_run
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.inventory.refusals import ALIAS_TAKEN, PROCESS_INPUTS, STOCK_SHORT
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import AliasStatement, BatchStatement, Movement, Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.production.events import PROCESS_YIELDED
from plants.rules.production.process_records import OutputUse
from plants.rules.production.refusals import BATCH_OF_OTHER_PROCESS
from plants.rules.values.quantities import format_micro
from plants.rules.values.refusals import Refusal, Refusals, within
from plants.store.inventory.batches import Goods
from plants.store.production import process_records


@stable_name("Output")
@dataclass(frozen=True, slots=True)
class Output:
    """A new batch that came out; its expiry follows from the material unless given."""

    material: str
    amount: str
    unit: str
    location: str
    use: OutputUse = OutputUse.PRODUCED
    produced_at: datetime | None = None
    expires_on: date | None = None
    grade: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[AliasOrder, ...] = ()


@stable_name("Addition")
@dataclass(frozen=True, slots=True)
class Addition:
    """More of a batch that the same process record made before."""

    batch: str
    amount: str
    unit: str
    location: str
    use: OutputUse = OutputUse.PRODUCED


@stable_name("Yield")
@dataclass(frozen=True, slots=True)
class Yield:
    """Outputs of an open process record: new batches, more of earlier ones, and returned inputs."""

    process: int
    outputs: tuple[Output, ...] = ()
    additions: tuple[Addition, ...] = ()
    returns: tuple[StockLine, ...] = ()


@command("yield_process")
def yield_process(writer: PlantLedgerWriter, order: Yield) -> Entry:
    """Put what came out of an open process record on stock.

    Returned goods are of a batch that was fed, at most what was fed less what came back already; held or expired ones
    may come back too.
    """
    check_lines((*order.outputs, *order.additions, *order.returns))
    process = open_run(writer, order.process).id
    with Refusals() as refusals:
        check_locations(writer, refusals, outputs=order.outputs, additions=order.additions, returns=order.returns)
        payload = new_outputs(writer, process, order.outputs, refusals)
        if order.additions:
            _add(writer, process, order.additions, payload, refusals)
        if order.returns:
            payload["movements"] += _returned(writer, process, order.returns, refusals)
    return writer.record(PROCESS_YIELDED, str(process), payload)


def new_outputs(writer: PlantLedgerWriter, process: int, outputs: Sequence[Output], refusals: Refusals) -> Outcome:
    """Return the batches, movements and aliases of new outputs of a process record, the input's field `outputs`."""
    batches: list[BatchStatement] = []
    movements: list[Movement] = []
    aliases: list[AliasStatement] = []
    named: dict[tuple[str, AliasOrder], str] = {}
    for index, output in enumerate(outputs):
        with refusals.at("outputs", index):
            batch, movement = _made(writer, process, output)
            batches.append(batch)
            movements.append(movement)
            with Refusals() as refused:
                with refused.at():
                    batch["attributes"] = check_attributes(output.attributes)
                for place, alias in first_places(output.aliases):
                    with refused.at("aliases", place):
                        taken = named.setdefault((batch["material"], alias), batch["code"])
                        if taken != batch["code"]:
                            raise Refusal(ALIAS_TAKEN, alias=alias.value, batch=taken)
                        aliases.append(new_alias(writer, batch["id"], batch["material"], alias))
    outcome: Outcome = {"batches": batches, "movements": movements}
    if aliases:
        outcome["aliases"] = aliases
    return outcome


def _made(writer: PlantLedgerWriter, process: int, output: Output) -> tuple[BatchStatement, Movement]:
    """Return the batch of an output without attributes and aliases, and the movement that puts it on stock."""
    material = material_named(writer, output.material)
    with within("quantity"):
        quantity = writer.quantity(output.amount, output.unit, material.code, material.unit)
    batch_id, code = writer.new_node(), writer.new_batch_code()
    produced_at = check_produced(writer, output.produced_at)
    batch = new_batch(writer, batch_id, code, material, made=quantity.amount, produced_at=produced_at)
    if output.expires_on is not None:
        batch["expires_on"] = output.expires_on.isoformat()
    if output.grade is not None:
        batch["grade"] = check_grade(output.grade)
    movement: Movement = {
        "batch": batch_id,
        "amount": quantity.amount,
        "unit": material.unit,
        "taken_from": f"process:{process}",
        "put_in": f"stock:{output.location}",
        "use": output.use.value,
    }
    if output.unit != material.unit:
        movement["entered"] = f"{output.amount.strip()} {output.unit}"
    return batch, movement


def check_locations(
    writer: PlantLedgerWriter, refusals: Refusals, **lists: Sequence[Output | Addition | StockLine]
) -> None:
    """Collect the Refusal of every line whose location is not defined; the keywords name the lists in the input."""
    for name, lines in lists.items():
        for index, line in enumerate(lines):
            with refusals.at(name, index):
                writer.check_location(line.location)


def _add(
    writer: PlantLedgerWriter, process: int, additions: Sequence[Addition], payload: Outcome, refusals: Refusals
) -> None:
    made_here = {
        edge.batch
        for edge in process_records.outputs(writer.session, writer.call.plant, process)
        if edge.use != "RETURNED"
    }
    goods: dict[str, Goods] = {}
    made: dict[str, int] = {}
    for index, line in enumerate(additions):
        with refusals.at("additions", index):
            one = goods.get(line.batch)
            if one is None:
                one = goods[line.batch] = writer.batch(line.batch)
            with within("batchCode"):
                if one.id not in made_here:
                    raise Refusal(BATCH_OF_OTHER_PROCESS, batch=one.code, process=process)
            micro, entered = in_unit(writer, one, line.amount, line.unit)
            with within("quantity"):
                made[one.code] = check_total(made.get(one.code, one.made) + micro)
            movement = moved(one, micro, f"process:{process}", f"stock:{line.location}", MaterialUse(line.use))
            if entered is not None:
                movement["entered"] = entered
            payload["movements"].append(movement)
    payload["made"] = {str(goods[code].id): format_micro(micro) for code, micro in made.items()}


def _returned(
    writer: PlantLedgerWriter, process: int, returns: Sequence[StockLine], refusals: Refusals
) -> list[Movement]:
    left = process_records.left_over(writer.session, writer.call.plant, process)
    movements = []
    for index, line in enumerate(returns):
        with refusals.at("returns", index):
            one = writer.batch(line.batch)
            micro, entered = in_unit(writer, one, line.amount, line.unit)
            with within("quantity"):
                _check_left(one, left.get(one.id, 0), micro)
            left[one.id] -= micro
            movement = moved(one, micro, f"process:{process}", f"stock:{line.location}", MaterialUse.RETURNED)
            if entered is not None:
                movement["entered"] = entered
            movements.append(movement)
    return movements


def _check_left(goods: Goods, available: int, wanted: int) -> None:
    if wanted > available:
        raise Refusal(
            STOCK_SHORT,
            batch=goods.code,
            location=PROCESS_INPUTS(),
            available=format_micro(available),
            wanted=format_micro(wanted),
            unit=goods.unit,
        )
