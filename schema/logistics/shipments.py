"""Shipments to customers."""

from typing import Annotated

from auth.permissions import Permission
from plants.commands.logistics import shipments as commands
from plants.rules.materials.refusals import NOT_DEFINED
from plants.store.production.process_records import ProcessesFilter, processes_count, processes_page
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import PlantCode
from schema.inventory.stock import StockLineInput
from schema.production.process_records import ProcessRecord, process_written


@input_type
class ShipmentFilter:
    """Filters shipments. A field that is not given does not filter."""

    plant: PlantCode | None = described("Shipping plant.", default=None)
    customer: str | None = described("Customer code.", default=None)
    customer_order: str | None = described("Order of the customer.", default=None)


@input_type
class ShipGoodsInput(MutationInput):
    """Goods to ship, and the customer."""

    customer_code: str = described("Customer code.")
    lines: list[StockLineInput] = described("Goods, with their locations.")
    customer_order: str | None = described("Order of the customer.", default=None)


@object_type
class GoodsShipped(Recorded):
    """Goods were shipped to a customer."""

    shipment: ProcessRecord = described("Shipment: a process record whose inputs are the shipped goods.")


@mutation(
    "Ship usable goods to a customer.",
    roles=PLANT_ONLY,
    permission=Permission.SHIPMENT_RUN,
    command=commands.ship_batch,
    refusals=(
        *AMOUNTS,
        *TAKING,
        NOT_DEFINED,
    ),
)
async def ship_goods(info: Info, input: Input[ShipGoodsInput]) -> GoodsShipped:
    order = commands.Shipment(input.customer_code, tuple(line.line for line in input.lines), input.customer_order)
    entry = await info.write(commands.ship_batch, order, input)
    shipment = await process_written(info, entry.payload["process"]["id"])
    return GoodsShipped(entry=RecordedEntry.of(entry), shipment=shipment)


@query(
    "Lists shipments to customers, newest first per plant. The shipped goods are the inputs.",
    permission=Permission.BATCH_READ,
)
async def shipments(
    info: Info,
    filter: Annotated[ShipmentFilter | None, argument("Filter. Without it, all.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ProcessRecord]:
    wanted = filter or ShipmentFilter()
    filters = ProcessesFilter(wanted.plant, "SHIPMENT", job_order=wanted.customer_order, customer=wanted.customer)
    return await info.connection(
        processes_page, processes_count, filters, (first, after),
        key=lambda row: (row.id, row.plant_id), make=ProcessRecord.of,
    )  # fmt: skip
