"""Process records: opened, fed, yielded, returned to, closed; and whole runs in one command (rules 6, 7, 8 and 10).

Choices where domain.md is silent:
- A batch of another run takes an addition while it is open for yields: made here by a run, of the same grade and
  attributes, not void, and nothing of it released, shipped or transferred since. Else BATCH_OF_OTHER_PROCESS.
- A return is at most the amount fed less returns; more is STOCK_SHORT.
- An addition or return to a run is a line of it: closing must not come before it.
- An output may name `inputBatchCode`, one of the run's inputs. The SDL does not have the field.
- Loss is in the base unit of each kind. Lines of different kinds are not offset.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import BUILT_IN, in_base, read_quantity
from simulation.reference_model.calls import Call, read_instant
from simulation.reference_model.dates import (
    limited_expiry,
    output_dates,
    shorten,
    shorten_outputs,
    stated_expiry,
)
from simulation.reference_model.holds import check_usable, note_late_use
from simulation.reference_model.receipts import add_aliases, alias_keys, material_of, new_batch, produced
from simulation.reference_model.rows import Batch, Edge, Run, Stock, Tables
from simulation.reference_model.stock import put, take_line
from simulation.reference_model.verdicts import RefusalFound

KINDS: Final = ("PRODUCTION", "REPACK", "REWORK", "RELABEL")
SIDES: Final = {"CONSUMED": "IN", "RETURNED": "BACK"}


def add_edge(call: Call, run: str, batch: str, use: str, amount: int, **details: Any) -> None:
    """Write a line of a process record at the time of the command."""
    side = SIDES.get(use, "OUT")
    edge = Edge(run, batch, side, use, amount, call.at, call.index)
    call.tables.edges[call.index, call.edges] = replace(edge, **details)
    call.edges += 1


def open_run(call: Call, kind: str) -> Run:
    call.run = call.subject = call.new_id("P")
    run = Run(call.run, kind, call.at, call.index, call.by)
    call.tables.runs[run.id] = run
    return run


def named_run(call: Call) -> Run:
    """Return the open run that the input names, at a time after its opening."""
    run = call.tables.runs.get(str(call.input["processId"]))
    if run is None:
        raise RefusalFound("PROCESS_UNKNOWN", "processId")
    call.run = run.id
    if run.closed_at is not None or run.void:
        raise RefusalFound("PROCESS_CLOSED", "processId")
    call.in_order(run.opened_at, run.entry)
    return run


def check_equipment(call: Call) -> None:
    if call.input.get("equipmentCode") is not None:
        call.master("EQUIPMENT", call.input["equipmentCode"], "equipmentCode")


def feed(call: Call, run: Run, name: str, least: int) -> None:
    """Take the goods of the input's lines into a run."""
    for place, line in enumerate(call.lines(name, least)):
        path = (name, str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        late = check_usable(call, batch, str(line["locationCode"]), *path)
        amount = take_line(call, batch, line, f"process:{run.id}", *path)
        add_edge(call, run.id, batch.id, "CONSUMED", amount, carries=late, late=bool(late))
        note_late_use(call, late, run.id)


def yield_outputs(call: Call, run: Run, least: int) -> None:
    """Make a new batch of each output of the input."""
    for place, given in enumerate(call.lines("outputs", least)):
        path = ("outputs", str(place))
        material = material_of(call, given["materialCode"], *path, "materialCode")
        location = call.master("LOCATION", given["locationCode"], *path, "locationCode")
        produced_at = produced(call, given, *path)
        only = given.get("inputBatchCode")
        if only is not None and not any(edge.batch == only for edge in fed_lines(call.tables, run.id)):
            raise RefusalFound("BATCH_OF_OTHER_PROCESS", *path, "inputBatchCode")
        batch = new_batch(call, material, produced_at, given, *path)
        amount = read_quantity(call, batch, given["quantity"], *path, "quantity")
        expiry, retest = output_dates(call, run.id, material, produced_at, only)
        expires_on = limited_expiry(call, expiry, stated_expiry(call, given, produced_at, *path), *path)
        call.tables.batches[batch.id] = replace(batch, made=amount, expires_on=expires_on, retest_on=retest, run=run.id)
        add_aliases(call, batch.id, alias_keys(given.get("aliases") or (), *path, "aliases"), *path, "aliases")
        put(call, batch.id, location, amount, f"process:{run.id}")
        add_edge(call, run.id, batch.id, str(given.get("use", "PRODUCED")), amount, only=only)


def yield_additions(call: Call, run: Run) -> None:
    """Add to batches that this run made, or that are still open for yields."""
    for place, given in enumerate(call.lines("additions", 0)):
        path = ("additions", str(place))
        batch = call.batch(given["batchCode"], *path, "batchCode")
        if not is_open_for_yields(call, batch, run):
            raise RefusalFound("BATCH_OF_OTHER_PROCESS", *path, "batchCode")
        location = call.master("LOCATION", given["locationCode"], *path, "locationCode")
        amount = read_quantity(call, batch, given["quantity"], *path, "quantity")
        material = material_of(call, batch.material, *path)
        dates = output_dates(call, run.id, material, produced(call, given, *path), None)
        shorten(call, batch.id, dates, *path)
        call.amend(batch.id, made=batch.made + amount)
        put(call, batch.id, location, amount, f"process:{run.id}")
        add_edge(call, run.id, batch.id, str(given.get("use", "PRODUCED")), amount)


def is_open_for_yields(call: Call, batch: Batch, run: Run) -> bool:
    yielded = [
        edge
        for edge in call.tables.edges.values()
        if edge.batch == batch.id and edge.side == "OUT" and edge.retracted is None
    ]
    if any(edge.run == run.id for edge in yielded):
        return not batch.void
    kinds = {call.tables.runs[edge.run].kind for edge in yielded}
    here = batch.origin == call.plant and bool(kinds) and kinds <= set(KINDS)
    return here and not (batch.void or batch.left or batch.decided)


def return_inputs(call: Call, run: Run) -> None:
    """Put unused inputs back into stock."""
    for place, line in enumerate(call.lines("returns", 0)):
        path = ("returns", str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        location = call.master("LOCATION", line["locationCode"], *path, "locationCode")
        lines = [edge for edge in fed_lines(call.tables, run.id) if edge.batch == batch.id]
        there = sum(edge.amount if edge.side == "IN" else -edge.amount for edge in lines)
        amount = read_quantity(call, batch, line["quantity"], *path, "quantity", there=Stock(there, len(lines)))
        if amount > there:
            raise RefusalFound("STOCK_SHORT", *path)
        first = min(lines, key=lambda edge: edge.at)
        call.in_order(first.at, first.entry)
        put(call, batch.id, location, amount, f"process:{run.id}")
        add_edge(call, run.id, batch.id, "RETURNED", amount)


def fed_lines(tables: Tables, run: str) -> list[Edge]:
    """Return the lines of inputs and returns of a run."""
    edges = tables.edges.values()
    return [edge for edge in edges if edge.run == run and edge.side != "OUT" and edge.retracted is None]


@registry.command("openProcess", "ProcessOpened")
def open_process(call: Call) -> None:
    check_equipment(call)
    open_run(call, str(call.input.get("kind", "PRODUCTION")))


@registry.command("addProcessInputs", "ProcessFed")
def add_process_inputs(call: Call) -> None:
    run = named_run(call)
    feed(call, run, "lines", 1)
    shorten_outputs(call, run.id)


@registry.command("addProcessOutputs", "ProcessYielded")
def add_process_outputs(call: Call) -> None:
    run = named_run(call)
    total = sum(len(call.input.get(name) or ()) for name in ("outputs", "additions", "returns"))
    if not 1 <= total <= call.settings.lines_max:
        raise RefusalFound("LINES_INVALID", "outputs")
    yield_outputs(call, run, 0)
    yield_additions(call, run)
    return_inputs(call, run)


@registry.command("closeProcess", "ProcessClosed")
def close_process(call: Call) -> None:
    run = named_run(call)
    lines = [edge for edge in call.tables.edges.values() if edge.run == run.id and edge.retracted is None]
    if lines:
        last = max(lines, key=lambda edge: edge.at)
        call.in_order(last.at, last.entry)
    call.tables.runs[run.id] = replace(run, closed_at=call.at)


@registry.command("recordProduction", "ProductionRecorded")
def record_production(call: Call) -> None:
    given: Mapping[str, Any] = call.input
    check_equipment(call)
    total = len(given.get("inputs") or ()) + len(given.get("outputs") or ())
    if not 1 <= total <= call.settings.lines_max:
        raise RefusalFound("LINES_INVALID", "inputs")
    opened_at = call.at if given.get("openedAt") is None else read_instant(given["openedAt"], "openedAt")
    if call.is_before(call.at, opened_at):
        raise RefusalFound("TIME_OUT_OF_ORDER", "openedAt")
    run = open_run(call, str(given.get("kind", "PRODUCTION")))
    feed(call, run, "inputs", 0)
    yield_outputs(call, run, 0)
    call.tables.runs[run.id] = replace(run, opened_at=opened_at, closed_at=call.at)


def losses(tables: Tables, run: str) -> dict[str, Fraction]:
    """Return inputs less outputs less returns by kind, in its base unit. Kinds in balance are left out."""
    found: dict[str, Fraction] = {}
    for edge in tables.edges.values():
        if edge.run == run and edge.retracted is None:
            batch = tables.batches[edge.batch]
            unit = BUILT_IN.get(batch.unit) or tables.units[batch.unit]
            kinds = [kind for kind in (*found, unit.kind) if in_base(tables, batch, edge.amount, kind) is not None]
            amount = in_base(tables, batch, edge.amount, kinds[0])
            assert amount is not None
            found[kinds[0]] = found.get(kinds[0], Fraction(0)) + (amount if edge.side == "IN" else -amount)
    return {kind: amount for kind, amount in found.items() if amount}
