"""Lists of shipments to customers. A shipment is a process record whose inputs are the shipped goods."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import narrowed
from plants.store.production.process_records import ProcessRow
from plants.store.sql import pages


@dataclass(frozen=True, slots=True)
class ShipmentsFilter:
    """Criteria for shipments. A field that is None does not filter."""

    plant: str | None = None
    customer: str | None = None
    customer_order: str | None = None


def shipments_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, ProcessRow]:
    """Return shipments by id."""
    found = _shipments(scope).where(col(ProcessRow.id).in_(set(ids)))
    return {row.id: row for row in reads.exec(found)}


def shipments_page(
    reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter, after: pages.Key | None, limit: int
) -> Sequence[ProcessRow]:
    """Return one page of shipments, the last of each plant first."""
    key = (col(ProcessRow.id),)
    return reads.exec(pages.page(_filtered(reads, scope, filters), key, after, limit, descending=True)).all()


def shipments_count(reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter) -> int:
    """Return how many shipments there are."""
    return pages.count(reads, _filtered(reads, scope, filters))


def _shipments(scope: Collection[int]) -> SelectOfScalar[ProcessRow]:
    return select(ProcessRow).where(ProcessRow.kind == "SHIPMENT", col(ProcessRow.plant_id).in_(scope))


def _filtered(reads: ReadSession, scope: PlantScope, filters: ShipmentsFilter) -> SelectOfScalar[ProcessRow]:
    found = _shipments(narrowed(reads, scope, filters.plant))
    equal = {ProcessRow.customer: filters.customer, ProcessRow.job_order: filters.customer_order}
    for column, value in equal.items():
        if value is not None:
            found = found.where(column == value)
    return found
