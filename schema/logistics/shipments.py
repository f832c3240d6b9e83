"""Shipments in the contract: what left for which customer, and shipping."""

from typing import Annotated, Any

import strawberry

from auth.permissions import Permission
from plants.commands.logistics import shipments as ship
from plants.rules.materials.refusals import NOT_DEFINED
from plants.store.production import process_records as kept
from plants.store.production.process_records import ProcessesSought
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput, StockLineInput
from schema.engine.refusals import AMOUNTS, TAKING, mutation
from schema.engine.scalars import PlantCode
from schema.production.process_records import ProcessRecord, process_written


@strawberry.input(description="Which shipments are wanted; what is not given does not matter.")
class ShipmentFilter:
    """Which shipments are wanted."""

    plant: PlantCode | None = described("From this plant.", default=None)
    customer: str | None = described("To this customer.", default=None)
    order: str | None = described("On this order of the customer.", default=None)


@strawberry.input(description="What leaves, for which customer.")
class ShipBatchInput(MutationInput):
    """What leaves, for which customer."""

    customer: str = described("The customer's code.")
    lines: list[StockLineInput] = described("What leaves, from which locations.")
    order: str | None = described("The customer's order.", default=None)


@strawberry.type(description="Goods left for a customer.")
class BatchShipped:
    """Goods left for a customer."""

    entry: RecordedEntry = described(ENTRY)
    shipment: ProcessRecord = described("The shipment: a process record whose inputs are what left.")


@mutation(
    BatchShipped, *AMOUNTS, *TAKING, NOT_DEFINED,
    description="Ship usable goods to a customer.",
)  # fmt: skip
async def ship_batch(info: Info, input: Input[ShipBatchInput]) -> Any:
    order = ship.Shipment(input.customer, tuple(line.line for line in input.lines), input.order)
    entry = await info.context.write(Permission.SHIPMENT_RUN, ship.ship_batch, order, input)
    shipment = await process_written(info, entry.payload["process"]["id"])
    return BatchShipped(entry=RecordedEntry.of(entry), shipment=shipment)


@field("Shipments to customers, the last of each plant first; what left is their input.")
async def shipments(
    info: Info,
    filter: Annotated[ShipmentFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[ProcessRecord]:
    wanted = filter or ShipmentFilter()
    sought = ProcessesSought(wanted.plant, "SHIPMENT", job_order=wanted.order, customer=wanted.customer)
    return await info.context.connection(
        Permission.BATCH_READ, kept.processes_page, kept.processes_count, sought, (first, after),
        key=lambda row: (row.id, row.plant_id), make=ProcessRecord.of,
    )  # fmt: skip
