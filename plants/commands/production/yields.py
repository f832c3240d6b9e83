"""Yield output from a process record: new batches, more of a batch it made before, and inputs that go back to stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import StockLine, check_total, moved, read_line
from plants.commands.inventory.receipts import (
    AliasOrder,
    first_places,
    new_alias,
    new_goods,
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
from plants.store.production.process_records import ProcessFacts


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
    with Refusals() as refusals:
        run = refusals.value(open_run, writer, order.process)
        with refusals.at():
            check_lines((*order.outputs, *order.additions, *order.returns))
            payload = new_outputs(writer, order.process, order.outputs, refusals)
            if order.additions:
                _add(writer, run, order.additions, payload, refusals)
            if order.returns:
                payload["movements"] += _returned(writer, run, order.returns, refusals)
    return writer.record(PROCESS_YIELDED, str(order.process), payload)


def new_outputs(writer: PlantLedgerWriter, process: int, outputs: Sequence[Output], refusals: Refusals) -> Outcome:
    """Return the batches, movements and aliases of new outputs of a process record, the input's field `outputs`."""
    batches: list[BatchStatement] = []
    movements: list[Movement] = []
    aliases: list[AliasStatement] = []
    named: dict[tuple[str, AliasOrder], str] = {}
    for index, output in enumerate(outputs):
        batch_id, code = writer.new_node(), writer.new_batch_code()
        with refusals.at("outputs", index):
            batch = new_goods(writer, batch_id, code, output)
            batches.append(batch)
            movements.append(_movement(process, batch, output))
        for place, alias in first_places(output.aliases):
            with refusals.at("outputs", index, "aliases", place):
                taken = named.setdefault((output.material, alias), code)
                if taken != code:
                    raise Refusal(ALIAS_TAKEN, alias=alias.value, batch=taken)
                aliases.append(new_alias(writer, batch_id, output.material, alias))
    outcome: Outcome = {"batches": batches, "movements": movements}
    if aliases:
        outcome["aliases"] = aliases
    return outcome


def _movement(process: int, batch: BatchStatement, output: Output) -> Movement:
    """Return the movement that puts a new batch on stock."""
    movement: Movement = {
        "batch": batch["id"],
        "amount": batch["made"],
        "unit": batch["unit"],
        "taken_from": f"process:{process}",
        "put_in": f"stock:{output.location}",
        "use": output.use.value,
    }
    if output.unit != batch["unit"]:
        movement["entered"] = f"{output.amount.strip()} {output.unit}"
    return movement


def _add(
    writer: PlantLedgerWriter,
    run: ProcessFacts | None,
    additions: Sequence[Addition],
    payload: Outcome,
    refusals: Refusals,
) -> None:
    """Add more of batches that the process record made, which cannot be checked where it is not known."""
    edges = () if run is None else process_records.outputs(writer.session, writer.call.plant, run.id)
    made_here = {edge.batch for edge in edges if edge.use != "RETURNED"}

    def check_made(one: Goods) -> None:
        if run is not None and one.id not in made_here:
            raise Refusal(BATCH_OF_OTHER_PROCESS, batch=one.code, process=run.id)

    goods: dict[str, Goods] = {}
    made: dict[str, int] = {}
    for index, line in enumerate(additions):
        with refusals.at("additions", index):
            given = StockLine(line.batch, line.amount, line.unit, line.location)
            one, micro, entered = read_line(writer, given, writer.batch, check=check_made)
            goods[one.code] = one
            with within("quantity"):
                made[one.code] = check_total(made.get(one.code, one.made) + micro)
            if run is None:
                continue
            movement = moved(one, micro, f"process:{run.id}", f"stock:{line.location}", MaterialUse(line.use))
            if entered is not None:
                movement["entered"] = entered
            payload["movements"].append(movement)
    payload["made"] = {str(goods[code].id): format_micro(micro) for code, micro in made.items()}


def _returned(
    writer: PlantLedgerWriter, run: ProcessFacts | None, returns: Sequence[StockLine], refusals: Refusals
) -> list[Movement]:
    left = {} if run is None else dict(process_records.left_over(writer.session, writer.call.plant, run.id))
    movements = []
    for index, line in enumerate(returns):
        with refusals.at("returns", index):
            one, micro, entered = read_line(writer, line, writer.batch)
            if run is None:
                continue
            with within("quantity"):
                _check_left(one, left.get(one.id, 0), micro)
            left[one.id] -= micro
            movement = moved(one, micro, f"process:{run.id}", f"stock:{line.location}", MaterialUse.RETURNED)
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
