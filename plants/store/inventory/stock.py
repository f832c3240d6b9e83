"""Lists of stock: the amounts of batches on hand at locations, in one of several orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, func, tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Batch, Known, known_by_id
from plants.store.inventory.movements import Stock
from plants.store.materials.plants import plants_admitted
from plants.store.sql import pages
from plants.store.sql.filters import CodeCriterion, filtered
from plants.store.sql.orders import NO_DAY, Order


class StockOrderField(DescribedEnum):
    """Field to order stock by."""

    PLANT = "PLANT", "The plant, and within it the order in which batches were recorded at their origins."
    LOCATION = "LOCATION", "The location code."
    BATCH_CODE = "BATCH_CODE", "The code on the label of the batch."
    EXPIRES_ON = "EXPIRES_ON", "The last day of use. Goods that do not expire come last in both directions."


BY_PLANT: Final = Order(StockOrderField.PLANT)


@dataclass(frozen=True, slots=True)
class StockLevelsFilter:
    """Criteria for stock, and their order. A field that is None does not filter."""

    plant: CodeCriterion | None = None
    batch: CodeCriterion | None = None
    material: CodeCriterion | None = None
    location: CodeCriterion | None = None
    order: Order[StockOrderField] = BY_PLANT


class ListedStock(NamedTuple):
    """Stock in a list, with its batch and its key in the order of the list."""

    row: Stock
    known: Known
    key: pages.Key


def stock_by_batch(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, list[Stock]]:
    """Return what is on hand by batch, where there is any, by plant and location."""
    stock: dict[int, list[Stock]] = {}
    for row in reads.exec(_on_hand(scope, ids).order_by(col(Stock.plant_id), col(Stock.location))):
        stock.setdefault(row.batch_id, []).append(row)
    return stock


def stock_of_batches(
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[Stock]]:
    """Return one page of what is on hand of each batch, by plant and location."""
    key = col(Stock.plant_id), col(Stock.location)
    found = pages.page_of_each(_on_hand(scope, ids), (col(Stock.batch_id),), key, after, limit)
    return pages.by_parent(reads.exec(found), lambda row: row.batch_id)


def stock_of_batches_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return at how many places there is stock of batches."""
    return pages.count_of_each(reads, _on_hand(scope, ids), (col(Stock.batch_id),))


def _on_hand(scope: PlantScope, ids: Sequence[int]) -> SelectOfScalar[Stock]:
    return select(Stock).where(col(Stock.batch_id).in_(set(ids)), col(Stock.plant_id).in_(scope), Stock.quantity > 0)


def stock_at(
    reads: ReadSession, scope: PlantScope, places: Sequence[tuple[int, int, str]]
) -> dict[tuple[int, int, str], tuple[Stock, Known]]:
    """Return stock with its batch by plant, batch and location, where there is any."""
    here = tuple_(col(Stock.plant_id), col(Stock.batch_id), col(Stock.location)).in_(set(places))
    found = _on_hand(scope, [batch for _, batch, _ in places]).where(here)
    rows = {(row.plant_id, row.batch_id, row.location): row for row in reads.exec(found)}
    known = known_by_id(reads, scope, [batch for _, batch, _ in rows])
    return {place: (row, known[row.batch_id]) for place, row in rows.items()}


def stock_page(
    reads: ReadSession, scope: PlantScope, filters: StockLevelsFilter, after: pages.Key | None, limit: int
) -> list[ListedStock]:
    """Return one page of stock, each with its batch, in the order that the filters name."""
    order, found = filters.order, _filtered(reads, scope, filters)
    if order.field in {StockOrderField.BATCH_CODE, StockOrderField.EXPIRES_ON}:
        same = and_(col(Batch.id) == col(Stock.batch_id), col(Batch.plant_id) == col(Stock.plant_id))
        found = found.join(Batch, same)
    page = pages.page(found, _order_key(order), after, limit, descending=order.descending)
    rows = reads.exec(page).all()
    known = known_by_id(reads, scope, [row.batch_id for row in rows])
    return [ListedStock(row, known[row.batch_id], _key_of(row, known[row.batch_id], order)) for row in rows]


def stock_count(reads: ReadSession, scope: PlantScope, filters: StockLevelsFilter) -> int:
    """Return at how many places there is stock."""
    return pages.count(reads, _filtered(reads, scope, filters))


def _order_key(order: Order[StockOrderField]) -> tuple[Any, ...]:
    """Return the key of stock in this order; plant, batch and location come last."""
    plant, batch, location = col(Stock.plant_id), col(Stock.batch_id), col(Stock.location)
    match order.field:
        case StockOrderField.PLANT:
            return plant, batch, location
        case StockOrderField.LOCATION:
            return location, plant, batch
        case StockOrderField.BATCH_CODE:
            return col(Batch.code), plant, batch, location
        case StockOrderField.EXPIRES_ON:
            return func.coalesce(col(Batch.expires_on), NO_DAY[order.direction]), plant, batch, location


def _key_of(row: Stock, known: Known, order: Order[StockOrderField]) -> pages.Key:
    """Return the key of stock in this order, as `_order_key` states it."""
    batch = next((one for one in known.rows if one.plant_id == row.plant_id), known.stated)
    match order.field:
        case StockOrderField.PLANT:
            return row.plant_id, row.batch_id, row.location
        case StockOrderField.LOCATION:
            return row.location, row.plant_id, row.batch_id
        case StockOrderField.BATCH_CODE:
            return batch.code, row.plant_id, row.batch_id, row.location
        case StockOrderField.EXPIRES_ON:
            expires_on = NO_DAY[order.direction] if batch.expires_on is None else batch.expires_on
            return expires_on, row.plant_id, row.batch_id, row.location


def _filtered(reads: ReadSession, scope: PlantScope, filters: StockLevelsFilter) -> SelectOfScalar[Stock]:
    here = plants_admitted(reads, scope, filters.plant)
    found = select(Stock).where(col(Stock.plant_id).in_(here), Stock.quantity > 0)
    found = filtered(found, {Stock.location: filters.location})
    if filters.batch is not None or filters.material is not None:
        same = select(Batch.id).where(Batch.plant_id == Stock.plant_id)
        wanted = {Batch.code: filters.batch, Batch.material: filters.material}
        found = found.where(col(Stock.batch_id).in_(filtered(same, wanted)))
    return found
