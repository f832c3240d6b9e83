"""Lists of batches: filtered by what one plant knows of a batch, in several orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, exists, func, literal
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import col

from infra.database import ReadSession
from plants.rules.identification.codes import NODE_NUMBER_BITS
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Alias, Batch, Known, known_by_id
from plants.store.inventory.holds import is_on_hold
from plants.store.inventory.movements import Stock
from plants.store.ledger.corrected_entries import corrected
from plants.store.materials.plants import plants_admitted
from plants.store.sql import pages
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order, OrderDirection


class BatchOrderField(DescribedEnum):
    """Field to order batches by."""

    ORIGIN = "ORIGIN", "The plant of origin, and within it the order in which the plant recorded its batches."
    PRODUCED_AT = "PRODUCED_AT", "The time of production."
    EXPIRES_ON = "EXPIRES_ON", "The last day of use. Batches that do not expire come last in both directions."
    CODE = "CODE", "The batch code."


AS_RECORDED: Final = Order(BatchOrderField.ORIGIN)
EXPIRES_LAST: Final = {OrderDirection.ASCENDING: "9999-12-31", OrderDirection.DESCENDING: ""}
"""The sort key of batches that do not expire."""


@dataclass(frozen=True, slots=True)
class AliasesFilter:
    """Criteria for an alias. A field that is None does not filter."""

    scheme: CodeCriterion | None = None
    issuer: CodeCriterion | None = None
    value: CodeCriterion | None = None


@dataclass(frozen=True, slots=True)
class BatchesFilter:
    """Criteria for batches, and their order. A field that is None does not filter.

    One plant's knowledge of a batch must meet all of them. Times are microseconds since the epoch.
    """

    plant: CodeCriterion | None = None
    code: CodeCriterion | None = None
    material: CodeCriterion | None = None
    supplier: CodeCriterion | None = None
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
    key = _order_key(filters.order)
    found = pages.page(
        _filtered(reads, scope, filters, key), key, after, limit, descending=filters.order.descending, grouped=True
    )
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
            return func.min(col(Batch.produced_us)), batch
        case BatchOrderField.EXPIRES_ON:
            return func.coalesce(func.min(col(Batch.expires_on)), EXPIRES_LAST[order.direction]), batch
        case BatchOrderField.CODE:
            return func.min(col(Batch.code)), batch


def _filtered(reads: ReadSession, scope: PlantScope, filters: BatchesFilter, columns: Sequence[Any]) -> Select[Any]:
    found = sql_select(*columns).where(col(Batch.plant_id).in_(plants_admitted(reads, scope, filters.plant)))
    found = filtered(
        found,
        {
            Batch.code: filters.code,
            Batch.material: filters.material,
            Batch.supplier: filters.supplier,
            Batch.grade: filters.grade,
            Batch.disposition: filters.disposition,
            Batch.produced_us: filters.produced,
            Batch.expires_on: filters.expires_on,
            Batch.retest_on: filters.retest_on,
        },
    )
    conditions = (
        (filters.on_hold, is_on_hold()), (filters.in_stock, is_in_stock()), (filters.corrected, is_corrected(scope))
    )  # fmt: skip
    for wanted, some in conditions:
        if wanted is not None:
            found = found.where(some if wanted else ~some)
    if filters.alias is not None:
        found = found.where(_has_alias(filters.alias))
    return found.group_by(col(Batch.id))


def is_corrected(scope: PlantScope) -> ColumnElement[bool]:
    """Return the condition that a plant of the scope made the batch by an entry that was corrected."""
    made = aliased(Batch)
    # PostgreSQL shifts a bigint by an integer alone.
    origin = col(made.id).op(">>")(literal(NODE_NUMBER_BITS, Integer()))
    wrong = corrected(col(made.plant_id), col(made.stated_idx))
    return col(Batch.id).in_(
        sql_select(col(made.id)).where(col(made.plant_id) == origin, col(made.plant_id).in_(scope), wrong)
    )


def is_in_stock() -> ColumnElement[bool]:
    """Return the condition that a plant has goods of a batch on hand."""
    there = col(Stock.batch_id) == col(Batch.id), col(Stock.plant_id) == col(Batch.plant_id)
    return exists().where(*there, col(Stock.quantity) > 0)


def _has_alias(criteria: AliasesFilter) -> ColumnElement[bool]:
    same = col(Alias.batch_id) == col(Batch.id), col(Alias.plant_id) == col(Batch.plant_id)
    found = sql_select(col(Alias.batch_id)).where(*same, col(Alias.ended_idx).is_(None))
    named = {Alias.scheme: criteria.scheme, Alias.issuer: criteria.issuer, Alias.value: criteria.value}
    return filtered(found, named).exists()
