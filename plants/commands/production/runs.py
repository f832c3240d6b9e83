"""Record a production run afterwards, in one order: opened, fed, yielded and closed at once."""

from dataclasses import dataclass
from datetime import datetime

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import StockLine, issue
from plants.commands.production.process_records import ProcessOrder, check_order, check_run, closed, process_statement
from plants.commands.production.yields import Output, new_outputs
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Movement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.production.events import PRODUCTION_RECORDED
from plants.rules.production.process_records import mass_balance
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import parse_micro
from plants.rules.values.refusals import Refusals


@stable_name("ProductionRun")
@dataclass(frozen=True, slots=True)
class ProductionRun:
    """A whole run: process, inputs, outputs and start. It ended at `occurred_at` of the call."""

    run: ProcessOrder
    inputs: tuple[StockLine, ...] = ()
    outputs: tuple[Output, ...] = ()
    opened_at: datetime | None = None


@command("record_production")
def record_production(writer: PlantLedgerWriter, order: ProductionRun) -> Entry:
    """Record a run that is over as one closed process record, in one entry, with the same checks as step by step."""
    opened_at = order.opened_at or writer.occurred_at
    movements: list[Movement] = []
    process = process_statement(writer, order.run)
    process["opened_at"] = format_instant(opened_at)
    with Refusals() as refusals:
        with refusals.at("openedAt"):
            check_order(opened_at, writer.occurred_at)
        refusals.value(check_run, writer, order.run)
        with refusals.at():
            check_lines((*order.inputs, *order.outputs))
            if order.inputs:
                with refusals.at():
                    issued = issue(writer, order.inputs, process["id"], MaterialUse.CONSUMED, field="inputs")
                    movements += issued.movements
            outcome = new_outputs(writer, process["id"], order.outputs, refusals)
    movements += outcome["movements"]
    balance = mass_balance((line["use"], line["unit"], parse_micro(line["amount"])) for line in movements)
    payload = closed(writer, process, balance)
    payload["movements"] = movements
    payload["batches"] = outcome["batches"]
    if "aliases" in outcome:
        payload["aliases"] = outcome["aliases"]
    return writer.record(PRODUCTION_RECORDED, str(process["id"]), payload)
