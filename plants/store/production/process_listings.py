"""Lists of process records, in one of several orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.production.process_records import ProcessKind, ProcessState
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import plants_admitted
from plants.store.production.process_records import INPUTS, OUTPUTS, ProcessRow, is_corrected, records_with
from plants.store.sql import pages
from plants.store.sql.filters import CodeCriterion, MemberCriterion, NameCriterion, Span, filtered
from plants.store.sql.orders import NO_TIME, Order, OrderDirection
from plants.store.sql.planning import indexed_unless

LISTED_APART: Final = ProcessKind.TRANSFER.value, ProcessKind.SHIPMENT.value


class ProcessRecordOrderField(DescribedEnum):
    """Field to order process records by."""

    ORIGIN = "ORIGIN", "The plant, and within it the order in which the plant recorded its process records."
    OPENED_AT = "OPENED_AT", "The time at which the process was opened."
    CLOSED_AT = "CLOSED_AT", "The time at which it was closed. Open process records come last in both directions."


COLUMNS: Final[Mapping[ProcessRecordOrderField, tuple[str, ...]]] = {
    ProcessRecordOrderField.ORIGIN: ("id", "plant_id"),
    ProcessRecordOrderField.OPENED_AT: ("opened_us", "id", "plant_id"),
    ProcessRecordOrderField.CLOSED_AT: ("closed_us", "id", "plant_id"),
}
"""The columns of the key of each order."""
OLDEST_FIRST: Final = Order(ProcessRecordOrderField.ORIGIN)
NEWEST_FIRST: Final = Order(ProcessRecordOrderField.ORIGIN, OrderDirection.DESCENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesFilter:
    """Criteria for process records, and their order. A field that is None does not filter.

    Goods of the batch went in or came out. Transfers and shipments have lists of their own.
    """

    plant: CodeCriterion | None = None
    kind: MemberCriterion[ProcessKind] | None = None
    state: MemberCriterion[ProcessState] | None = None
    job_order: NameCriterion | None = None
    segment: CodeCriterion | None = None
    equipment: CodeCriterion | None = None
    corrected: bool | None = None
    opened_us: Span[int] | None = None
    closed_us: Span[int] | None = None
    batch: CodeCriterion | None = None
    order: Order[ProcessRecordOrderField] = NEWEST_FIRST


def processes_page(
    reads: ReadSession, scope: PlantScope, filters: ProcessesFilter, after: pages.Key | None, limit: int
) -> Sequence[ProcessRow]:
    """Return one page of process records in the order that the filters name."""
    order = filters.order
    found = _filtered(reads, scope, filters)
    return reads.exec(pages.page(found, sort_key(order), after, limit, descending=order.descending)).all()


def processes_count(reads: ReadSession, scope: PlantScope, filters: ProcessesFilter) -> int:
    """Return how many process records there are."""
    return pages.count(reads, _filtered(reads, scope, filters))


def process_key(row: ProcessRow, order: Order[ProcessRecordOrderField]) -> pages.Key:
    """Return the key of a process record in this order."""
    values = (getattr(row, name) for name in COLUMNS[order.field])
    return tuple(NO_TIME[order.direction] if value is None else value for value in values)


def sort_key(order: Order[ProcessRecordOrderField]) -> list[Any]:
    """Return the key of a process record in this order, in SQL."""
    return [_sorted_by(name, order.direction) for name in COLUMNS[order.field]]


def _sorted_by(name: str, direction: OrderDirection) -> Any:
    column = col(getattr(ProcessRow, name))
    return func.coalesce(column, NO_TIME[direction]) if name == "closed_us" else column


def _filtered(reads: ReadSession, scope: PlantScope, filters: ProcessesFilter) -> SelectOfScalar[ProcessRow]:
    here = plants_admitted(reads, scope, filters.plant)
    is_ordered = filters.order.field is ProcessRecordOrderField.OPENED_AT
    plant = indexed_unless(col(ProcessRow.plant_id), ordered=is_ordered)
    found = select(ProcessRow).where(plant.in_(here), col(ProcessRow.kind).not_in(LISTED_APART))
    if filters.batch is not None:
        found = found.where(col(ProcessRow.id).in_(records_with(scope, filters.batch, INPUTS, OUTPUTS)))
    if filters.corrected is not None:
        found = found.where(is_corrected() if filters.corrected else ~is_corrected())
    return filtered(
        found,
        {
            ProcessRow.kind: filters.kind,
            ProcessRow.state: filters.state,
            ProcessRow.job_order_search: filters.job_order,
            ProcessRow.segment: filters.segment,
            ProcessRow.equipment: filters.equipment,
            ProcessRow.opened_us: filters.opened_us,
            ProcessRow.closed_us: filters.closed_us,
        },
    )
