"""Stock in the contract: what is on hand where, over all plants that the caller may see."""

from typing import Annotated

import strawberry

from auth.permissions import Permission
from plants.store.inventory import stock as kept
from plants.store.inventory.stock import StockLevelsFilter
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.engine.scalars import BatchCode, PlantCode
from schema.inventory.batches import Stock


@strawberry.input(description="Which stock is wanted; what is not given does not matter.")
class StockFilter:
    """Which stock is wanted."""

    plant: PlantCode | None = described("At this plant.", default=None)
    batch: BatchCode | None = described("Of this batch.", default=None)
    material: str | None = described("Of this material.", default=None)
    location: str | None = described("At a location with this code.", default=None)


@field("What is on hand, by plant, batch and location.")
async def stock(
    info: Info,
    filter: Annotated[StockFilter | None, argument("Which is wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[Stock]:
    wanted = filter or StockFilter()
    filters = StockLevelsFilter(wanted.plant, wanted.batch, wanted.material, wanted.location)
    return await info.context.connection(
        Permission.BATCH_READ, kept.stock_page, kept.stock_count, filters, (first, after),
        key=lambda one: (one[0].plant_id, one[0].batch_id, one[0].location), make=lambda one: Stock.of(*one),
    )  # fmt: skip
