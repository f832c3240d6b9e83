"""Stock: quantities on hand at locations."""

from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.inventory import stock as commands
from plants.rules.approvals.refusals import CHANGE_REQUIRED
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import NOTHING_CHANGES
from plants.store.inventory.batches import (
    Known,
)
from plants.store.inventory.movements import Stock as StockRow
from plants.store.inventory.stock import (
    BY_PLANT,
    StockLevelsFilter,
    StockOrderField,
    stock_at,
    stock_count,
    stock_page,
)
from plants.store.sql.orders import Order
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.orders import Ordering
from schema.engine.quantities import Quantity, QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode, Code
from schema.group.plants import Plant, owner
from schema.inventory import batches
from schema.materials.locations import Location
from schema.materials.materials import Material, material_of

if TYPE_CHECKING:
    from schema.inventory.batches import Batch

LazyBatch = Annotated["Batch", strawberry.lazy("schema.inventory.batches")]
"""A batch. Its module and this one import each other."""

enum_type(StockOrderField)


@object_type
class Stock(Node):
    """Quantity of a batch on hand at one location."""

    quantity: Quantity = described("Quantity in the batch's unit.")
    row: strawberry.Private[StockRow]
    known: strawberry.Private[Known]

    @field("Plant of the stock.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Location of the stock.")
    async def location(self, info: Info) -> Location:
        found = await Location.load(info, self.row.plant_id, self.row.location)
        assert found is not None
        return found

    @field("Material of the batch, as defined at the plant of the stock.")
    async def material(self, info: Info) -> Material:
        row = next((one for one in self.known.rows if one.plant_id == self.row.plant_id), self.known.stated)
        return required(await material_of(info, row.plant_id, row.material))

    @field("Batch of the stock.")
    async def batch(self) -> LazyBatch:
        return batches.Batch.of(self.known)

    @classmethod
    def of(cls, row: StockRow, known: Known) -> Self:
        unit = known.stated.unit
        return cls(
            id=node_id("stock", row.plant_id, row.batch_id, row.location),
            quantity=Quantity.of(row.quantity, unit),
            row=row,
            known=known,
        )


@findable("stock", int, int, str)
async def _find(info: Info, parts: tuple[int, int, str]) -> Stock | None:
    row = await info.load(Permission.BATCH_READ, stock_at, parts)
    return None if row is None else Stock.of(*row)


@input_type
class StockFilter:
    """Filters stock. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant.", default=None)
    batch_code: CodeFilter | None = described("Code of the batch.", default=None)
    material_code: CodeFilter | None = described("Code of the material of the batch.", default=None)
    location_code: CodeFilter | None = described("Code of the location.", default=None)

    def criteria(self, order: Order[StockOrderField]) -> StockLevelsFilter:
        return StockLevelsFilter(
            plant=criterion(self.plant_code),
            batch=criterion(self.batch_code),
            material=criterion(self.material_code),
            location=criterion(self.location_code),
            order=order,
        )


@input_type
class StockOrder(Ordering):
    """Order of stock."""

    field: StockOrderField = described("Field to order by.")


@query("Lists quantities on hand.", permission=Permission.BATCH_READ)
async def stock(
    info: Info,
    filter: Annotated[StockFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[StockOrder | None, argument("Order. Without it, by plant, batch and location.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Stock]:
    order = BY_PLANT if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        stock_page, stock_count, (filter or StockFilter()).criteria(order), (first, after),
        key=lambda one: one.key, make=lambda one: Stock.of(one.row, one.known),
    )  # fmt: skip


@input_type
class CountStockInput(MutationInput):
    """The counted quantity of a batch at a location. `reason` is required."""

    batch_code: BatchCode = described("Code of the batch.")
    location_code: Code = described("Code of the location.")
    counted: QuantityInput = described("Counted quantity. It may be zero.")


@object_type
class StockCounted(Recorded):
    """Stock was adjusted."""

    batch: LazyBatch = described("Batch that was counted.")


@mutation(
    "Adjust stock to the counted quantity. A difference above the tolerance needs a change request. "
    'Example: `{ batchCode: "SH1-260314-0001P", locationCode: "A1", counted: { amount: "98.5", unit: "KGM" }, '
    'reason: "Monthly count" }`.',
    roles=PLANT_ONLY,
    permission=Permission.STOCK_COUNT,
    command=commands.adjust_stock,
    refusals=(
        *AMOUNTS,
        BATCH_UNKNOWN,
        CHANGE_REQUIRED,
        NOTHING_CHANGES,
        NOT_DEFINED,
        STOCK_SHORT,
    ),
)
async def count_stock(info: Info, input: Input[CountStockInput]) -> StockCounted:
    order = commands.Count(input.batch_code, input.location_code, input.counted.amount, input.counted.unit)
    entry = await info.write(commands.adjust_stock, order, input)
    return StockCounted(
        entry=RecordedEntry.of(entry), batch=required(await batches.batch_coded(info, input.batch_code))
    )
