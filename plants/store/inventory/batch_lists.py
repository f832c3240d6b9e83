"""Lists of batches: filtered by what one plant knows of a batch, in several orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, or_, tuple_
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import col

from infra.database import ReadSession
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.rules.values.search_forms import search_form
from plants.store.inventory.batches import Alias, Batch, Known, known_by_id
from plants.store.inventory.holds import is_on_hold
from plants.store.inventory.movements import Stock
from plants.store.inventory.receipts import ReceiptRow
from plants.store.ledger.corrected_entries import corrected
from plants.store.materials.plants import plants_admitted
from plants.store.sql import pages
from plants.store.sql.columns import plant_of_number
from plants.store.sql.filters import CodeCriterion, MemberCriterion, NameCriterion, Span, filtered
from plants.store.sql.orders import NO_DAY, Order
from plants.store.sql.planning import indexed_unless


class BatchOrderField(DescribedEnum):
    """Field to order batches by."""

    ORIGIN = "ORIGIN", "The plant of origin, and within it the order in which the plant recorded its batches."
    PRODUCED_AT = "PRODUCED_AT", "The time of production."
    EXPIRES_ON = "EXPIRES_ON", "The last day of use. Batches that do not expire come last in both directions."
    CODE = "CODE", "The batch code."


AS_RECORDED: Final = Order(BatchOrderField.ORIGIN)


@dataclass(frozen=True, slots=True)
class AliasesFilter:
    """Criteria for an alias. A field that is None does not filter."""

    scheme: CodeCriterion | None = None
    issuer: CodeCriterion | None = None
    value: NameCriterion | None = None


@dataclass(frozen=True, slots=True)
class BatchesFilter:
    """Criteria for batches, and their order. A field that is None does not filter.

    One plant's knowledge of a batch must meet all of them. Times are microseconds since the epoch.
    """

    plant: CodeCriterion | None = None
    text: str | None = None
    code: CodeCriterion | None = None
    material: CodeCriterion | None = None
    supplier: CodeCriterion | None = None
    supplier_lot: NameCriterion | None = None
    purchase_order: NameCriterion | None = None
    origin: CodeCriterion | None = None
    grade: CodeCriterion | None = None
    disposition: MemberCriterion[Disposition] | None = None
    produced: Span[int] | None = None
    expires_on: Span[str] | None = None
    retest_on: Span[str] | None = None
    on_hold: bool | None = None
    in_stock: bool | None = None
    corrected: bool | None = None
    alias: AliasesFilter | None = None
    order: Order[BatchOrderField] = AS_RECORDED


class ListedBatch(NamedTuple):
    """A batch in a list, with its key in the order of the list."""

    known: Known
    key: pages.Key


def batches_page(
    reads: ReadSession, scope: PlantScope, filters: BatchesFilter, after: pages.Key | None, limit: int
) -> list[ListedBatch]:
    """Return one page of batches in the order that the filters name."""
    order = filters.order
    key = _order_key(order)
    has_one_row = order.field is BatchOrderField.PRODUCED_AT
    listed = _first_produced(reads, scope, filters) if has_one_row else _filtered(reads, scope, filters, key)
    found = pages.page(listed, key, after, limit, descending=order.descending, grouped=not has_one_row)
    keys = [tuple(row) for row in reads.connection().execute(found)]
    known = known_by_id(reads, scope, [batch for *_, batch in keys])
    return [ListedBatch(known[row[-1]], row) for row in keys]


def batches_count(reads: ReadSession, scope: PlantScope, filters: BatchesFilter) -> int:
    """Return how many batches there are."""
    return pages.count(reads, _filtered(reads, scope, filters, (col(Batch.id),)))


def _order_key(order: Order[BatchOrderField]) -> tuple[Any, ...]:
    """Return the key of a batch in this order, over the rows of the plants that know it; its id comes last."""
    batch = col(Batch.id)
    match order.field:
        case BatchOrderField.ORIGIN:
            return (batch,)
        case BatchOrderField.PRODUCED_AT:
            return col(Batch.produced_us), batch
        case BatchOrderField.EXPIRES_ON:
            return func.coalesce(func.min(col(Batch.expires_on)), NO_DAY[order.direction]), batch
        case BatchOrderField.CODE:
            return func.min(col(Batch.code)), batch


def _filtered(reads: ReadSession, scope: PlantScope, filters: BatchesFilter, columns: Sequence[Any]) -> Select[Any]:
    return _matching(reads, scope, filters, sql_select(*columns), Batch).group_by(col(Batch.id))


def _first_produced(reads: ReadSession, scope: PlantScope, filters: BatchesFilter) -> Select[Any]:
    """Return the keys in the order of production: of each batch the row that states the earliest time."""
    row, other = Batch, aliased(Batch)
    key: Select[Any] = sql_select(*_order_key(filters.order))
    found = _matching(reads, scope, filters, key, row)
    others = _matching(reads, scope, filters, sql_select(col(other.id)), other)
    earlier = tuple_(col(other.produced_us), col(other.plant_id)) < tuple_(col(row.produced_us), col(row.plant_id))
    return found.where(~others.where(col(other.id) == col(row.id), earlier).correlate(row).exists())


def _matching(
    reads: ReadSession, scope: PlantScope, filters: BatchesFilter, found: Select[Any], batch: type[Batch]
) -> Select[Any]:
    """Return the statement for the rows of `batch` that meet the filter."""
    is_ordered = filters.order.field is BatchOrderField.PRODUCED_AT and filters.material is None
    plant = indexed_unless(col(batch.plant_id), ordered=is_ordered)
    found = found.where(plant.in_(plants_admitted(reads, scope, filters.plant)))
    found = filtered(
        found,
        {
            batch.code: filters.code,
            batch.material: filters.material,
            batch.supplier: filters.supplier,
            batch.grade: filters.grade,
            batch.disposition: filters.disposition,
            batch.produced_us: filters.produced,
            batch.expires_on: filters.expires_on,
            batch.retest_on: filters.retest_on,
        },
    )
    conditions = (
        (filters.on_hold, is_on_hold(batch)),
        (filters.in_stock, is_in_stock(batch)),
        (filters.corrected, is_corrected(scope, batch)),
    )
    for wanted, some in conditions:
        if wanted is not None:
            found = found.where(some if wanted else ~some)
    if filters.origin is not None:
        origins = plants_admitted(reads, scope, filters.origin)
        found = found.where(plant_of_number(col(batch.id)).in_(origins))
    if filters.supplier_lot is not None or filters.purchase_order is not None:
        found = found.where(col(batch.id).in_(_received(scope, filters)))
    if filters.text is not None:
        found = found.where(_contains(scope, search_form(filters.text), batch))
    if filters.alias is not None:
        found = found.where(_has_alias(filters.alias, batch))
    return found


def is_corrected(scope: PlantScope, batch: type[Batch]) -> ColumnElement[bool]:
    """Return the condition that a plant of the scope made the batch by an entry that was corrected."""
    made = aliased(Batch)
    wrong = corrected(col(made.plant_id), col(made.stated_idx))
    at_origin = col(made.plant_id) == plant_of_number(col(made.id))
    return col(batch.id).in_(sql_select(col(made.id)).where(at_origin, col(made.plant_id).in_(scope), wrong))


def is_in_stock(batch: type[Batch] = Batch) -> ColumnElement[bool]:
    """Return the condition that a plant has goods of a batch on hand."""
    there = col(Stock.batch_id) == col(batch.id), col(Stock.plant_id) == col(batch.plant_id)
    return exists().where(*there, col(Stock.quantity) > 0)


def _contains(scope: PlantScope, form: str, batch: type[Batch]) -> ColumnElement[bool]:
    """Return the condition that a form is in the code of a batch, an alias in force or the purchase order."""
    row = ReceiptRow
    alias = sql_select(col(Alias.batch_id)).where(
        col(Alias.plant_id) == col(batch.plant_id),
        col(Alias.ended_idx).is_(None),
        col(Alias.value_search).contains(form, autoescape=True),
    )
    ordered = sql_select(col(row.batch_id)).where(
        col(row.plant_id).in_(scope),
        col(row.plant_id) == plant_of_number(col(row.batch_id)),
        col(row.purchase_order_search).contains(form, autoescape=True),
    )
    # A code is ASCII, which every database folds alike.
    coded = func.lower(col(batch.code)).contains(form, autoescape=True)
    return or_(coded, *(col(batch.id).in_(named) for named in (alias.correlate(batch), ordered)))


def _received(scope: PlantScope, filters: BatchesFilter) -> Select[Any]:
    """Return the batches whose receipts meet the filter, as their plants of origin state them."""
    row = ReceiptRow
    at_origin = col(row.plant_id) == plant_of_number(col(row.batch_id))
    found = sql_select(col(row.batch_id)).where(col(row.plant_id).in_(scope), at_origin)
    return filtered(
        found, {row.supplier_lot_search: filters.supplier_lot, row.purchase_order_search: filters.purchase_order}
    )


def _has_alias(criteria: AliasesFilter, batch: type[Batch]) -> ColumnElement[bool]:
    same = col(Alias.batch_id) == col(batch.id), col(Alias.plant_id) == col(batch.plant_id)
    found = sql_select(col(Alias.batch_id)).where(*same, col(Alias.ended_idx).is_(None))
    named = {Alias.scheme: criteria.scheme, Alias.issuer: criteria.issuer, Alias.value_search: criteria.value}
    return filtered(found, named).exists()
