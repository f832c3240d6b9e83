"""The worklist of disputed entries: entries that a rebased ledger could not apply, until an operator settles them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Index, func, tuple_
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.columns import JsonText, instant, member
from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import INDEX_MAX
from plants.store.materials.plants import plants_admitted
from plants.store.sql.columns import PLANT, big, key, text
from plants.store.sql.filters import CodeCriterion, Span, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key, count, page


class DisputeState(StrEnum):
    """The states of a disputed entry."""

    OPEN = "OPEN"
    SETTLED = "SETTLED"


class DisputeRow(SQLModel, table=True):
    """One disputed entry, with the collisions for which it could not be applied."""

    __tablename__ = "disputes"
    __table_args__ = (Index("disputes_by_state", "state", "plant_id", "entry_idx"), table_options(Keeping.PROJECTION))

    plant_id: int = key(PLANT)
    entry_idx: int = key()  # index of the entry that disputes it
    event_id: str = text()
    type: str = text()  # of the disputed entry
    key: str = text()
    actor: str = text()
    occurred_at: datetime = instant("occurred_us")
    collisions: list[dict[str, str]] = Field(sa_type=JsonText)  # `Collision`s
    state: DisputeState = member(DisputeState)
    settlement: str | None = text(None)  # the person's reason, or why nobody had to settle it
    settled_by: str | None = text(None)
    settled_at: datetime | None = instant("settled_us", optional=True)
    settled_idx: int | None = big(None)


def check_open(session: Session, plant: int, dispute: int) -> None:
    """Raise Refusal unless there is such a dispute and it is open."""
    known = 0 <= dispute < INDEX_MAX
    row = session.get(DisputeRow, (plant, dispute), populate_existing=True) if known else None
    if row is None:
        raise Refusal(DISPUTE_UNKNOWN, dispute=dispute)
    check_unsettled(row)


def check_unsettled(row: DisputeRow) -> None:
    """Raise Refusal DISPUTE_SETTLED unless the dispute is open."""
    if row.state is not DisputeState.OPEN:
        raise Refusal(DISPUTE_SETTLED, dispute=row.entry_idx)


def open_disputes(session: Session, plant: int) -> int:
    """Return the number of open disputed entries of a plant."""
    row = DisputeRow
    found = select(func.count()).where(row.plant_id == plant, row.state == DisputeState.OPEN)
    return session.exec(found).first() or 0


class ConflictingEntryOrderField(DescribedEnum):
    """Field to order conflicting entries by."""

    RECORDED = "RECORDED", "The plant, and within it the order in which the conflicts were recorded."


AS_RECORDED: Final = Order(ConflictingEntryOrderField.RECORDED)


@dataclass(frozen=True, slots=True)
class DisputesFilter:
    """Criteria for disputed entries, and their order. A field that is None does not filter."""

    open: bool | None = None
    plant: CodeCriterion | None = None
    type: CodeCriterion | None = None
    key: CodeCriterion | None = None
    actor: CodeCriterion | None = None
    occurred_at: Span[datetime] | None = None
    order: Order[ConflictingEntryOrderField] = AS_RECORDED


def disputes_page(
    reads: ReadSession, scope: PlantScope, filters: DisputesFilter, after: Key | None, limit: int
) -> Sequence[DisputeRow]:
    """Return one page of disputed entries, in the order that the filters name."""
    key = col(DisputeRow.plant_id), col(DisputeRow.entry_idx)
    found = page(_filtered(reads, scope, filters), key, after, limit, descending=filters.order.descending)
    return reads.exec(found).all()


def disputes_count(reads: ReadSession, scope: PlantScope, filters: DisputesFilter) -> int:
    """Return how many disputed entries there are."""
    return count(reads, _filtered(reads, scope, filters))


DisputePlace = tuple[int, int]
"""A plant's number and the index of the entry that disputes another."""


def disputes_by_place(
    reads: ReadSession, scope: PlantScope, places: Sequence[DisputePlace]
) -> dict[DisputePlace, DisputeRow]:
    """Return disputed entries by plant and index."""
    row = DisputeRow
    here = tuple_(col(row.plant_id), col(row.entry_idx)).in_(set(places))
    found = reads.exec(select(row).where(here, col(row.plant_id).in_(scope)))
    return {(one.plant_id, one.entry_idx): one for one in found}


def disputes(reads: ReadSession, scope: PlantScope, *, settled: bool = False, first: int = 100) -> Sequence[DisputeRow]:
    """Return the open disputed entries, oldest first; with `settled` also the others."""
    return disputes_page(reads, scope, DisputesFilter(None if settled else True), None, first)


def _filtered(reads: ReadSession, scope: PlantScope, filters: DisputesFilter) -> SelectOfScalar[DisputeRow]:
    row = DisputeRow
    found = select(row).where(col(row.plant_id).in_(plants_admitted(reads, scope, filters.plant)))
    criteria = {
        row.type: filters.type,
        row.key: filters.key,
        row.actor: filters.actor,
        row.occurred_at: filters.occurred_at,
    }
    found = filtered(found, criteria)
    if filters.open is None:
        return found
    return found.where(row.state == (DisputeState.OPEN if filters.open else DisputeState.SETTLED))
