"""Ship goods to a customer."""

from dataclasses import dataclass

from plants.commands.execution import NAME_LENGTH_MAX, PlantLedgerWriter, check_text, command
from plants.commands.inventory.issues import StockLine, issue
from plants.commands.production.splits import done_at_once
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.logistics.events import BATCH_SHIPPED
from plants.rules.materials.definitions import MasterKind
from plants.rules.production.process_records import ProcessKind
from plants.rules.values.refusals import Refusals
from plants.store.materials import definitions


@stable_name("Shipment")
@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that leave, the customer, and the customer's order."""

    customer: str
    lines: tuple[StockLine, ...]
    order: str | None = None


@command("ship_batch")
def ship_batch(writer: PlantLedgerWriter, order: Shipment) -> Entry:
    """Ship usable goods to a defined customer; the shipment is a process record that a forward trace ends at.

    The record's `job_order` holds the customer's order.
    """
    process = done_at_once(writer, ProcessKind.SHIPMENT)
    process["customer"], process["job_order"] = order.customer, order.order
    with Refusals() as refusals:
        with refusals.at("customerCode"):
            definitions.check_defined(writer.session, writer.call.plant, MasterKind.CUSTOMER, order.customer)
        if order.order is not None:
            with refusals.at("customerOrder"):
                check_text("order", order.order, NAME_LENGTH_MAX)
        with refusals.at():
            issued = issue(writer, order.lines, process["id"], MaterialUse.SHIPPED, field="lines")
    payload: Outcome = {"process": process, "movements": issued.movements}
    return writer.record(BATCH_SHIPPED, str(process["id"]), payload)
