"""Lists of shipments to customers. A shipment is a process record whose inputs are the shipped goods."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.production.process_records import ProcessKind
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import plants_admitted
from plants.store.production.process_records import INPUTS, ProcessRow, is_corrected, records_with
from plants.store.sql import pages
from plants.store.sql.filters import CodeCriterion, NameCriterion, Span, filtered
from plants.store.sql.orders import Order, OrderDirection
from plants.store.sql.planning import indexed_unless


class ShipmentOrderField(DescribedEnum):
    """Field to order shipments by."""

    ORIGIN = "ORIGIN", "The plant, and within it the order in which the plant recorded its shipments."
    SHIPPED_AT = "SHIPPED_AT", "The time of shipment."


COLUMNS: Final[Mapping[ShipmentOrderField, tuple[str, ...]]] = {
    ShipmentOrderField.ORIGIN: ("id",),
    ShipmentOrderField.SHIPPED_AT: ("opened_us", "id"),
}
"""The columns of the key of each order."""
NEWEST_FIRST: Final = Order(ShipmentOrderField.ORIGIN, OrderDirection.DESCENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentsFilter:
    """Criteria for shipments, and their order. A field that is None does not filter.

    Goods of the batch were shipped.
    """

    plant: CodeCriterion | None = None
    customer: CodeCriterion | None = None
    customer_order: NameCriterion | None = None
    corrected: bool | None = None
    shipped_us: Span[int] | None = None
    batch: CodeCriterion | None = None
    order: Order[ShipmentOrderField] = NEWEST_FIRST


def shipments_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, ProcessRow]:
    """Return shipments by id."""
    found = _shipments(scope).where(col(ProcessRow.id).in_(set(ids)))
    return {row.id: row for row in reads.exec(found)}


def shipments_page(
    reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter, after: pages.Key | None, limit: int
) -> Sequence[ProcessRow]:
    """Return one page of shipments in the order that the filters name."""
    key = [col(getattr(ProcessRow, name)) for name in COLUMNS[filters.order.field]]
    found = _filtered(reads, scope, filters)
    return reads.exec(pages.page(found, key, after, limit, descending=filters.order.descending)).all()


def shipments_count(reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter) -> int:
    """Return how many shipments there are."""
    return pages.count(reads, _filtered(reads, scope, filters))


def shipment_key(row: ProcessRow, order: Order[ShipmentOrderField]) -> pages.Key:
    """Return the key of a shipment in this order."""
    return tuple(getattr(row, name) for name in COLUMNS[order.field])


def _shipments(scope: Collection[int], order: Order[ShipmentOrderField] = NEWEST_FIRST) -> SelectOfScalar[ProcessRow]:
    is_ordered = order.field is ShipmentOrderField.SHIPPED_AT
    plant = indexed_unless(col(ProcessRow.plant_id), ordered=is_ordered)
    return select(ProcessRow).where(ProcessRow.kind == ProcessKind.SHIPMENT, plant.in_(scope))


def _filtered(reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter) -> SelectOfScalar[ProcessRow]:
    found = _shipments(plants_admitted(reads, scope, filters.plant), filters.order)
    if filters.batch is not None:
        found = found.where(col(ProcessRow.id).in_(records_with(scope, filters.batch, INPUTS)))
    if filters.corrected is not None:
        found = found.where(is_corrected() if filters.corrected else ~is_corrected())
    return filtered(
        found,
        {
            ProcessRow.customer: filters.customer,
            ProcessRow.job_order_search: filters.customer_order,
            ProcessRow.opened_us: filters.shipped_us,
        },
    )
