"""Holds on goods of batches: those that plants placed, and directed ones that their plants have not placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, literal, or_, union_all
from sqlalchemy import select as sql_select
from sqlmodel import col

from infra.database import ReadSession
from plants.rules.quality.holds import HoldKind
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Batch
from plants.store.quality.holds import DirectedHoldRow, HoldRow
from plants.store.sql import pages
from plants.store.sql.filters import MemberCriterion, filtered


def is_on_hold(batch: type[Batch] = Batch) -> ColumnElement[bool]:
    """Return the condition that a plant's goods of a batch are on hold.

    An open hold of the plant counts, and a hold of headquarters that the plant has not placed yet.
    """
    row, here = DirectedHoldRow, (col(HoldRow.batch_id) == col(batch.id), col(HoldRow.plant_id) == col(batch.plant_id))
    held = exists().where(*here, col(HoldRow.lifted_idx).is_(None))
    placed = exists().where(*here, col(HoldRow.directed) == col(row.hold)).correlate(batch, row)
    directed = exists().where(
        col(row.batch_code) == col(batch.code),
        col(row.plant_id) == col(batch.plant_id),
        col(row.ended_idx).is_(None),
        or_(col(row.batch_id).is_(None), col(row.batch_id) == col(batch.id)),
        ~placed,
    )
    return or_(held, directed)


@dataclass(frozen=True, slots=True)
class HoldsFilter:
    """Criteria for holds. A field that is None does not filter."""

    kind: MemberCriterion[HoldKind] | None = None
    is_open: bool | None = None


class ListedHold(NamedTuple):
    """A hold on a plant's goods of a batch: placed by the plant, or directed and not placed yet.

    `idx` is the index of the placing entry, or of the directive. `directed` is the id at headquarters, if it has one.
    """

    batch_id: int
    pending: bool
    plant_id: int
    idx: int
    directed: str | None
    kind: HoldKind
    reason: str
    author: str
    placed_at: datetime
    ended_at: datetime | None

    @property
    def key(self) -> tuple[int, int, int]:
        """The place of the hold in the list of its batch."""
        return int(self.pending), self.plant_id, self.idx


def holds_page(
    reads: ReadSession,
    scope: PlantScope,
    ids: Sequence[int],
    after: pages.Key | None,
    limit: int,
    *,
    filters: HoldsFilter,
) -> dict[int, list[ListedHold]]:
    """Return one page of the holds of each batch, in the order placed per plant. Pending ones come last."""
    found = _listed(scope, ids, filters)
    batch, *key = (found.selected_columns[name] for name in ("batch_id", "pending", "plant_id", "idx"))
    rows = reads.connection().execute(pages.page_of_each(found, (batch,), key, after, limit))
    return pages.by_parent((_hold(*row) for row in rows), lambda hold: hold.batch_id)


def holds_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int], *, filters: HoldsFilter) -> dict[int, int]:
    """Return how many holds batches have."""
    found = _listed(scope, ids, filters)
    return pages.count_of_each(reads, found, (found.selected_columns.batch_id,))


def open_holds(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, list[ListedHold]]:
    """Return the open holds of each batch, in the order of their keys."""
    rows = reads.connection().execute(_listed(scope, ids, HoldsFilter(is_open=True)))
    return pages.by_parent(sorted((_hold(*row) for row in rows), key=lambda hold: hold.key), lambda hold: hold.batch_id)


def holds_named(
    reads: ReadSession, scope: PlantScope, named: Sequence[tuple[int, int, str]]
) -> dict[tuple[int, int, str], ListedHold]:
    """Return holds by plant, batch and name: the id at headquarters of a directed hold, or the index of another."""
    found = _listed(scope, [batch for _, batch, _ in named], HoldsFilter())
    holds: dict[tuple[int, int, str], ListedHold] = {}
    for row in reads.connection().execute(found.order_by(*found.selected_columns)):
        hold = _hold(*row)
        holds[hold.plant_id, hold.batch_id, hold.directed or str(hold.idx)] = hold
    return {name: holds[name] for name in named if name in holds}


def _hold(batch_id: int, pending: int, *values: Any) -> ListedHold:
    return ListedHold(batch_id, bool(pending), *values)


def _listed(scope: PlantScope, ids: Sequence[int], filters: HoldsFilter) -> Select[Any]:
    row, sent, batches = HoldRow, DirectedHoldRow, set(ids)
    placed: Any = sql_select(
        col(row.batch_id), literal(0).label("pending"), col(row.plant_id), col(row.hold_id).label("idx"),
        col(row.directed).label("directed"), col(row.kind), col(row.reason), col(row.placed_by).label("author"),
        col(row.placed_at).label("placed_at"), col(row.lifted_at).label("ended_at"),
    ).where(col(row.batch_id).in_(batches), col(row.plant_id).in_(scope))  # fmt: skip
    known = sql_select(col(Batch.id), col(Batch.code)).where(col(Batch.id).in_(batches), col(Batch.plant_id).in_(scope))
    batch = known.distinct().subquery().c
    there = exists().where(
        col(row.batch_id) == batch.id, col(row.plant_id) == col(sent.plant_id), col(row.directed) == col(sent.hold)
    )
    pending = sql_select(
        batch.id.label("batch_id"), literal(1), col(sent.plant_id), col(sent.directive_idx), col(sent.hold),
        col(sent.kind), col(sent.reason), col(sent.directed_by), col(sent.directed_at), col(sent.ended_at),
    ).where(
        col(sent.batch_code) == batch.code,
        col(sent.plant_id).in_(scope),
        or_(col(sent.batch_id).is_(None), col(sent.batch_id) == batch.id),
        ~there.correlate(sent, batch.id.table),
    )  # fmt: skip
    both = union_all(placed, pending).subquery().c
    found = filtered(sql_select(*both), {both.kind: filters.kind})
    if filters.is_open is not None:
        found = found.where(both.ended_at.is_(None) if filters.is_open else both.ended_at.is_not(None))
    return found
