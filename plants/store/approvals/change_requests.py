"""Change requests as their deciders see them, and what became of the hub's decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Index, Text, and_, false, or_, tuple_, type_coerce
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.columns import JsonText, MembersText, instant, member
from infra.database import ReadSession, Session
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, ChangeVerdict, Proposal
from plants.rules.approvals.refusals import CHANGE_UNKNOWN
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import micros
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Batch, batches_coded
from plants.store.ledger.entries import INDEX_MAX
from plants.store.materials.plants import plants_admitted
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key, count, page
from plants.store.sql.planning import indexed_unless


class ChangeRequestRow(SQLModel, table=True):
    """A gated change as the plant that asked for it states it."""

    __tablename__ = "change_requests"
    __table_args__ = (
        Index("change_requests_by_state", "plant_id", "state", "change_id"),
        Index("change_requests_by_request", "requested_us", "plant_id", "change_id"),
        PROJECTION,
    )

    plant_id: int = key(PLANT)
    change_id: int = key()  # index of the entry that asked
    kind: ChangeKind = member(ChangeKind)
    batch_id: int = big()
    version: int = big()
    differences: list[dict[str, str]] = Field(sa_type=JsonText)  # `Difference`s
    detail: dict[str, str] = Field(sa_type=JsonText)
    levels: frozenset[ChangeLevel] = Field(sa_type=MembersText(ChangeLevel))
    reason: str = text()
    proposal: str = text()  # leaf hash of the entry that asked, hexadecimal
    requested_by: str = text()
    requested_at: datetime = instant("requested_us")
    expires_at: datetime = instant("expires_us")
    state: ChangeState = member(ChangeState)
    decided_by: str | None = text(None)
    decided_at: datetime | None = instant("decided_us", optional=True)
    decided_level: ChangeLevel | None = member(ChangeLevel, optional=True)
    comment: str | None = text(None)
    closed_idx: int | None = big(None)  # index of the entry that applied or refused it
    refusal: str | None = text(None)


class ChangeDecisionRow(SQLModel, table=True):
    """A decision from a ledger: the plant's own, or the hub's directives to the plant."""

    __tablename__ = "change_decisions"
    __table_args__ = (Index("change_decisions_by_change", "plant_id", "change_id"), PROJECTION)

    log_id: int = key(PLANT)
    idx: int = key()
    plant_id: int = big()
    change_id: int = big()
    verdict: ChangeVerdict = member(ChangeVerdict)
    level: ChangeLevel = member(ChangeLevel)
    decided_by: str = text()
    printed_name: str = text()
    comment: str = text()
    decided_at: datetime = instant("decided_us")


def proposal_of(session: Session, plant: int, change: int) -> Proposal:
    """Return a plant's change request, or raise Refusal CHANGE_UNKNOWN."""
    row, batch = ChangeRequestRow, Batch
    same = and_(col(batch.id) == row.batch_id, col(batch.plant_id) == row.plant_id)
    here = row.plant_id == plant, row.change_id == change
    # The projection wrote on the driver, so a row that this session loaded before may be out of date.
    fresh = select(row, batch.code).join(batch, same).where(*here).execution_options(populate_existing=True)
    # Ids from outside may be beyond 64 bits, which neither database compares with a column.
    found = session.exec(fresh).first() if 0 <= change < INDEX_MAX else None
    if found is None:
        raise Refusal(CHANGE_UNKNOWN, change=change)
    return proposal_in(*found)


def proposal_in(asked: ChangeRequestRow, batch: str) -> Proposal:
    """Return the proposal in a row, for the batch of this code."""
    return Proposal(
        asked.change_id,
        asked.kind,
        asked.batch_id,
        batch,
        asked.version,
        asked.state,
        asked.levels,
        asked.requested_by,
        asked.expires_at,
        asked.proposal,
        asked.detail,
    )


class ChangeRequestOrderField(DescribedEnum):
    """Field to order change requests by."""

    INDEX = "INDEX", "The plant, and within it the order in which the changes were requested."
    REQUESTED_AT = "REQUESTED_AT", "The time of the request."


AS_REQUESTED: Final = Order(ChangeRequestOrderField.INDEX)


@dataclass(frozen=True, slots=True)
class ChangesFilter:
    """Criteria for change requests, and their order. A field that is None does not filter."""

    plant: CodeCriterion | None = None
    batch: CodeCriterion | None = None
    kind: MemberCriterion[ChangeKind] | None = None
    state: MemberCriterion[ChangeState] | None = None
    levels: MemberCriterion[ChangeLevel] | None = None
    requested_by: CodeCriterion | None = None
    requested_at: Span[datetime] | None = None
    order: Order[ChangeRequestOrderField] = AS_REQUESTED


DECISIONS_MAX: Final = 20
"""The limit of decisions on one change request that are read: each rejected directive of the hub allows another."""

Change = tuple[int, int]
"""A plant's number and the id of a change request of it."""


def changes_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[Change]) -> dict[Change, ChangeRequestRow]:
    """Return change requests by plant and id."""
    row = ChangeRequestRow
    here = tuple_(col(row.plant_id), col(row.change_id)).in_(set(ids))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.change_id): one for one in reads.exec(found)}


def decisions_by_change(
    reads: ReadSession, scope: PlantScope, ids: Sequence[Change]
) -> dict[Change, list[ChangeDecisionRow]]:
    """Return the newest decisions on change requests, at most DECISIONS_MAX of each, in the order of time."""
    row = ChangeDecisionRow
    here = tuple_(col(row.plant_id), col(row.change_id)).in_(set(ids))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    decisions: dict[Change, list[ChangeDecisionRow]] = {}
    for one in reads.exec(found.order_by(col(row.decided_at), col(row.log_id), col(row.idx))):
        decisions.setdefault((one.plant_id, one.change_id), []).append(one)
    return {change: made[-DECISIONS_MAX:] for change, made in decisions.items()}


def changes_page(
    reads: ReadSession, scope: PlantScope, filters: ChangesFilter, after: Key | None, limit: int
) -> Sequence[ChangeRequestRow]:
    """Return one page of change requests, in the order that the filters name."""
    row, order = ChangeRequestRow, filters.order
    key: tuple[Any, ...] = (col(row.plant_id), col(row.change_id))
    if order.field is ChangeRequestOrderField.REQUESTED_AT:
        key = (type_coerce(col(row.requested_at), BigInteger), *key)
    return reads.exec(page(_filtered(reads, scope, filters), key, after, limit, descending=order.descending)).all()


def change_key(row: ChangeRequestRow, order: Order[ChangeRequestOrderField]) -> Key:
    """Return the key of a row of `changes_page` in an order."""
    place = row.plant_id, row.change_id
    return (micros(row.requested_at), *place) if order.field is ChangeRequestOrderField.REQUESTED_AT else place


def changes_count(reads: ReadSession, scope: PlantScope, filters: ChangesFilter) -> int:
    """Return how many change requests there are."""
    return count(reads, _filtered(reads, scope, filters))


def changes_matching(
    reads: ReadSession, scope: PlantScope, filters: ChangesFilter, ids: Sequence[Change]
) -> dict[Change, ChangeRequestRow]:
    """Return those of the change requests with these ids that match a filter, by plant and id."""
    row = ChangeRequestRow
    here = tuple_(col(row.plant_id), col(row.change_id)).in_(set(ids))
    found = _filtered(reads, scope, filters).where(here)
    return {(one.plant_id, one.change_id): one for one in reads.exec(found)} if ids else {}


def _filtered(reads: ReadSession, scope: PlantScope, filters: ChangesFilter) -> SelectOfScalar[ChangeRequestRow]:
    row = ChangeRequestRow
    is_ordered = filters.order.field is ChangeRequestOrderField.REQUESTED_AT and filters.state is None
    plant = indexed_unless(col(row.plant_id), ordered=is_ordered)
    found = select(row).where(plant.in_(plants_admitted(reads, scope, filters.plant)))
    criteria = {
        row.kind: filters.kind,
        row.state: filters.state,
        row.requested_by: filters.requested_by,
        row.requested_at: filters.requested_at,
    }
    found = filtered(found, criteria)
    if filters.levels is not None:
        levels = type_coerce(col(row.levels), Text)
        admitted = (levels.contains(one.value) for one in ChangeLevel if filters.levels.admits(one))
        found = found.where(or_(false(), *admitted))
    if filters.batch is not None:
        found = found.where(col(row.batch_id).in_(batches_coded(scope, filters.batch)))
    return found
