"""Run a process record: open it, feed it from stock, close it with its mass balance."""

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from plants.commands.execution import NAME_LENGTH_MAX, PlantLedgerWriter, check_text, command
from plants.commands.inventory.issues import StockLine, issue
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome, ProcessStatement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.materials.definitions import MasterKind
from plants.rules.production.events import PROCESS_CLOSED, PROCESS_FED, PROCESS_OPENED, ProcessClosed
from plants.rules.production.process_records import MassBalance, ProcessState, RunKind, amounts, mass_balance
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.refusals import RULE_NOT_AFTER, TEXT_INVALID, Refusal, Refusals, message, within
from plants.store.materials import definitions
from plants.store.production import process_records


@stable_name("ProcessOrder")
@dataclass(frozen=True, slots=True)
class ProcessOrder:
    """A process to run: its kind, and if known its segment, job order and equipment."""

    kind: RunKind = RunKind.PRODUCTION
    segment: str | None = None
    job_order: str | None = None
    equipment: str | None = None


@stable_name("Feed")
@dataclass(frozen=True, slots=True)
class Feed:
    """Inputs of an open process record, with their locations."""

    process: int
    lines: tuple[StockLine, ...]


@stable_name("Closing")
@dataclass(frozen=True, slots=True)
class Closing:
    """The process record that is done."""

    process: int


@command("open_process")
def open_process(writer: PlantLedgerWriter, order: ProcessOrder) -> Entry:
    """Open a process record; its id is the entry's key and also in its payload."""
    check_run(writer, order)
    process = process_statement(writer, order)
    process["state"] = ProcessState.OPEN.value
    process["opened_at"] = format_instant(writer.occurred_at)
    payload: Outcome = {"process": process}
    return writer.record(PROCESS_OPENED, str(process["id"]), payload)


@command("feed_process")
def feed_process(writer: PlantLedgerWriter, order: Feed) -> Entry:
    """Put goods from stock into an open process record; every one must be usable and there."""
    with Refusals() as refusals:
        run = refusals.value(open_run, writer, order.process)
        with refusals.at():
            issued = issue(writer, order.lines, order.process, MaterialUse.CONSUMED, field="lines")
    assert run is not None
    payload: Outcome = {"movements": issued.movements}
    return writer.record(PROCESS_FED, str(run.id), payload)


@command("close_process")
def close_process(writer: PlantLedgerWriter, order: Closing) -> Entry:
    """Close a process record with its mass balance; from then on it refuses everything.

    Loss is inputs less outputs less returned, for each unit by itself; it is below zero where more came out than went
    in.
    """
    session, plant = writer.session, writer.call.plant
    facts = open_run(writer, order.process)
    with within("occurredAt"):
        check_order(from_micros(facts.opened_us), writer.occurred_at)
    edges = chain(process_records.inputs(session, plant, facts.id), process_records.outputs(session, plant, facts.id))
    process: ProcessStatement = {"id": facts.id}
    payload = closed(writer, process, mass_balance((edge.use, edge.unit, edge.micro) for edge in edges))
    return writer.record(PROCESS_CLOSED, str(facts.id), payload)


def open_run(writer: PlantLedgerWriter, process: int) -> process_records.ProcessFacts:
    """Return the open process record of the field `processId`, or raise Refusal."""
    with within("processId"):
        return process_records.open_run(writer.session, writer.call.plant, process)


def process_statement(writer: PlantLedgerWriter, order: ProcessOrder) -> ProcessStatement:
    """Return the beginning of a new process record's statement. It is not checked."""
    return {
        "id": writer.new_node(),
        "kind": order.kind.value,
        "job_order": order.job_order,
        "segment": order.segment,
        "equipment": order.equipment,
    }


def check_run(writer: PlantLedgerWriter, order: ProcessOrder) -> None:
    """Raise the Refusals of the texts and the equipment of a new process record."""
    with Refusals() as refusals:
        for field, name, text in (("segment", "segment", order.segment), ("jobOrder", "job order", order.job_order)):
            if text is not None:
                with refusals.at(field):
                    check_text(name, text, NAME_LENGTH_MAX)
        if order.equipment is not None:
            with refusals.at("equipmentCode"):
                definitions.check_defined(writer.session, writer.call.plant, MasterKind.EQUIPMENT, order.equipment)


def closed(writer: PlantLedgerWriter, process: ProcessStatement, balance: MassBalance) -> ProcessClosed:
    """Return the content of an event that closes a process record with this balance."""
    process["state"] = ProcessState.CLOSED.value
    process["closed_at"] = format_instant(writer.occurred_at)
    process["loss"] = amounts(balance.loss)
    return {
        "process": process,
        "inputs": amounts(balance.inputs),
        "outputs": amounts(balance.outputs),
        "returned": amounts(balance.returned),
    }


OPENING_TIME: Final = message("FIELD_OPENING_TIME", "opening time {at}")


def check_order(opened_at: datetime, closed_at: datetime) -> None:
    """Raise Refusal when a process record would close before it opened."""
    if opened_at > closed_at:
        rule = RULE_NOT_AFTER(at=format_instant(closed_at))
        raise Refusal(TEXT_INVALID, field=OPENING_TIME(at=format_instant(opened_at)), rule=rule)
