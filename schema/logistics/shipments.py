"""Shipments to customers."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.logistics import shipments as commands
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.events import LINES_MAX, Subject
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.instants import from_micros
from plants.store.audit.history import corrections_of_records
from plants.store.genealogy.edges import Edge
from plants.store.logistics.shipments import (
    NEWEST_FIRST,
    ShipmentOrderField,
    ShipmentsFilter,
    shipment_key,
    shipments_by_id,
    shipments_count,
    shipments_page,
)
from plants.store.production.process_records import ProcessRow, inputs_count, inputs_page, lines_by_key
from plants.store.sql.orders import Order
from schema.audit.history import EntryCorrection, correction_of_record, history_field
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, NameFilter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, read_id
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.orders import Ordering
from schema.engine.quantities import Quantity
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import Code
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.inventory.stock_lines import StockLineInput
from schema.materials.customers import Customer
from schema.production.process_lines import line_key

enum_type(ShipmentOrderField)


@object_type
class ShipmentLine(Node):
    """A quantity of a batch in a shipment."""

    quantity: Quantity = described("Shipped quantity.")
    number: strawberry.Private[int]

    @field("Batch. Null if you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)

    @classmethod
    def of(cls, row: Edge) -> Self:
        return cls(
            id=node_id("shipment-line", row.target_id, *line_key(row)),
            quantity=Quantity.of(row.quantity, row.unit),
            number=row.source_id,
        )


@object_type
class Shipment(Node):
    """Goods that left a plant for a customer."""

    customer_order: str | None = described("Number of the order of the customer. Null without one.")
    shipped_at: datetime = described("Time of shipment.")
    row: strawberry.Private[ProcessRow]

    @field("Plant that shipped the goods.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Customer, as defined at the plant. Null if this node does not know the definition.")
    async def customer(self, info: Info) -> Customer | None:
        return await Customer.load(info, self.row.plant_id, self.row.customer)

    @field("Shipped goods, in the order of the request.")
    async def lines(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[ShipmentLine]:
        return await info.children(
            Permission.BATCH_READ, inputs_page, inputs_count, self.row.id, (first, after),
            key=line_key, make=ShipmentLine.of,
        )  # fmt: skip

    @field("True if the entry that recorded it was corrected. The shipment did not take place so, and has no lines.")
    async def corrected(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, corrections_of_records, self._place) is not None

    @field("Correction of the entry that recorded it. Null without one.", permission=Permission.LEDGER_READ)
    async def correction(self, info: Info) -> EntryCorrection | None:
        return await correction_of_record(info, self._place)

    history = history_field("Ledger entries about it.", lambda one: (Subject.SHIPMENT, (one.row.id,)))

    @property
    def _place(self) -> tuple[int, int]:
        return self.row.plant_id, self.row.id

    @classmethod
    def of(cls, row: ProcessRow) -> Self:
        return cls(
            id=node_id("shipment", row.id),
            customer_order=row.job_order,
            shipped_at=from_micros(row.opened_us),
            row=row,
        )


@findable("shipment", int)
async def _find(info: Info, numbers: tuple[int]) -> Shipment | None:
    row = await info.load(Permission.BATCH_READ, shipments_by_id, numbers[0])
    return None if row is None else Shipment.of(row)


@findable("shipment-line", int, int, int, int)
async def _find_line(info: Info, parts: tuple[int, int, int, int]) -> ShipmentLine | None:
    shipment, *key = parts
    row = await info.load(Permission.BATCH_READ, lines_by_key, tuple(key))
    if row is None or row.target_id != shipment or row.use != MaterialUse.SHIPPED:
        return None
    return ShipmentLine.of(row)


@query("Returns the shipment with this id. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def shipment(info: Info, id: Annotated[strawberry.ID, argument("Id of the shipment.")]) -> Shipment | None:
    numbers = read_id("shipment", id)
    return None if numbers is None else await _find(info, numbers)


@input_type
class ShipmentFilter:
    """Filters shipments. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant that shipped the goods.", default=None)
    customer_code: CodeFilter | None = described("Code of the customer.", default=None)
    customer_order: NameFilter | None = described("Number of the order of the customer.", default=None)
    batch_code: CodeFilter | None = described("Code of a batch of its lines.", default=None)
    corrected: bool | None = described(
        "True for shipments whose entry was corrected, false for the others. Without it, both.", default=None
    )
    shipped_at: DateTimeRange | None = described("Time of shipment.", default=None)

    def criteria(self, order: Order[ShipmentOrderField]) -> ShipmentsFilter:
        return ShipmentsFilter(
            plant=criterion(self.plant_code),
            customer=criterion(self.customer_code),
            customer_order=criterion(self.customer_order),
            batch=criterion(self.batch_code),
            corrected=self.corrected,
            shipped_us=None if self.shipped_at is None else self.shipped_at.in_micros,
            order=order,
        )


@input_type
class ShipmentOrder(Ordering):
    """Order of shipments."""

    field: ShipmentOrderField = described("Field to order by.")


@query("Lists shipments to customers.", permission=Permission.BATCH_READ)
async def shipments(
    info: Info,
    filter: Annotated[ShipmentFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[ShipmentOrder | None, argument("Order. Without it, plant by plant, the newest first.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Shipment]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        shipments_page, shipments_count, (filter or ShipmentFilter()).criteria(order), (first, after),
        key=lambda row: shipment_key(row, order), make=Shipment.of,
    )  # fmt: skip


@input_type
class ShipGoodsInput(MutationInput):
    """Goods to ship, and the customer."""

    customer_code: Code = described("Code of the customer.")
    lines: list[StockLineInput] = described(f"Goods, with their locations. At most {LINES_MAX}.")
    customer_order: str | None = described("Number of the order of the customer.", default=None)


@object_type
class GoodsShipped(Recorded):
    """Goods were shipped to a customer."""

    shipment: Shipment = described("The new shipment.")


@mutation(
    "Ship usable goods to a customer. "
    'Example: `{ customerCode: "C1", lines: [{ batchCode: "SH1-260314-0001P", quantity: { amount: "5", unit: '
    '"KGM" }, locationCode: "A1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.GOODS_SHIP,
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
    shipped = required(await _find(info, (entry.payload["process"]["id"],)))
    return GoodsShipped(entry=RecordedEntry.of(entry), shipment=shipped)
