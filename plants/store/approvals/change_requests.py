"""Change requests as their deciders see them, and what became of the hub's decisions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Index, tuple_
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, Proposal
from plants.rules.approvals.refusals import CHANGE_ALREADY_DECIDED, CHANGE_UNKNOWN
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Batch
from plants.store.ledger.entries import INDEX_MAX
from plants.store.materials.plants import narrowed
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text
from plants.store.sql.pages import Key, count, page


class ChangeRequestRow(SQLModel, table=True):
    """A gated change as the plant that asked for it states it."""

    __tablename__ = "change_requests"
    __table_args__ = (Index("change_requests_by_state", "plant_id", "state", "change_id"), PROJECTION)

    plant_id: int = key(PLANT)
    change_id: int = key()  # index of the entry that asked
    kind: str = text()
    batch_id: int = big()
    version: int = big()
    differences: str = text()  # canonical JSON
    detail: str = text()  # canonical JSON
    levels: str = text()  # comma-separated, sorted
    reason: str = text()
    proposal: str = text()  # leaf hash of the entry that asked, hexadecimal
    requested_by: str = text()
    requested_us: int = big()
    expires_us: int = big()
    state: str = text()
    decided_by: str | None = text(None)
    decided_us: int | None = big(None)
    decided_level: str | None = text(None)
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
    verdict: str = text()
    level: str = text()
    decided_by: str = text()
    printed_name: str = text()
    comment: str = text()
    decided_us: int = big()


SELECT_PROPOSAL = (
    "SELECT c.change_id, c.kind, c.batch_id, b.code, c.version, c.state, c.levels, c.requested_by, c.expires_us,"
    " c.proposal, c.detail FROM change_requests c JOIN batches b ON b.id = c.batch_id AND b.plant_id = c.plant_id"
    " WHERE c.plant_id = :plant AND c.change_id = :change"
)
# A directive that the plant rejected decided nothing, so that the request can be decided again.
SELECT_DIRECTED = (
    "SELECT d.verdict FROM change_decisions d"
    " LEFT JOIN directive_outcomes o ON o.plant_id = d.plant_id AND o.directive_idx = d.idx"
    " WHERE d.plant_id = :plant AND d.change_id = :change AND d.log_id = :log AND (o.applied IS NULL OR o.applied = 1)"
)


def proposal_of(session: Session, plant: int, change: int) -> Proposal:
    """Return a plant's change request, or raise Refusal CHANGE_UNKNOWN."""
    # Ids from outside may be beyond 64 bits, which neither database compares with a column.
    known = 0 <= change < INDEX_MAX
    row = session.row(SELECT_PROPOSAL, {"plant": plant, "change": change}) if known else None
    if row is None:
        raise Refusal(CHANGE_UNKNOWN, change=change)
    number, kind, batch_id, batch, version, state, levels, requested_by, expires_us, content, detail = row
    return Proposal(
        number,
        ChangeKind(kind),
        batch_id,
        batch,
        version,
        ChangeState(state),
        frozenset(ChangeLevel(level) for level in levels.split(",")),
        requested_by,
        from_micros(expires_us),
        content,
        json.loads(detail),
    )


def check_not_directed(session: Session, plant: int, change: int) -> None:
    """Raise Refusal when the hub has decided the request already and the plant has not rejected that."""
    row = session.row(SELECT_DIRECTED, {"plant": plant, "change": change, "log": -plant})
    if row is not None:
        raise Refusal(CHANGE_ALREADY_DECIDED, change=change, state=row[0])


@dataclass(frozen=True, slots=True)
class ChangesFilter:
    """Criteria for change requests. A field that is None does not filter."""

    plant: str | None = None
    state: str | None = None
    kind: str | None = None
    level: str | None = None
    batch: str | None = None
    requested_by: str | None = None


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
    """Return what was decided on change requests, at the plants and at the hub, in the order of time."""
    row = ChangeDecisionRow
    here = tuple_(col(row.plant_id), col(row.change_id)).in_(set(ids))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    decisions: dict[Change, list[ChangeDecisionRow]] = {}
    for one in reads.exec(found.order_by(col(row.decided_us), col(row.log_id), col(row.idx))):
        decisions.setdefault((one.plant_id, one.change_id), []).append(one)
    return decisions


def changes_page(
    reads: ReadSession, scope: PlantScope, filters: ChangesFilter, after: Key | None, limit: int
) -> Sequence[ChangeRequestRow]:
    """Return one page of change requests, the last of each plant first."""
    key = col(ChangeRequestRow.plant_id), col(ChangeRequestRow.change_id)
    return reads.exec(page(_filtered(reads, scope, filters), key, after, limit, descending=True)).all()


def changes_count(reads: ReadSession, scope: PlantScope, filters: ChangesFilter) -> int:
    """Return how many change requests there are."""
    return count(reads, _filtered(reads, scope, filters))


def _filtered(reads: ReadSession, scope: PlantScope, filters: ChangesFilter) -> SelectOfScalar[ChangeRequestRow]:
    row = ChangeRequestRow
    found = select(row).where(col(row.plant_id).in_(narrowed(reads, scope, filters.plant)))
    equal = {row.state: filters.state, row.kind: filters.kind, row.requested_by: filters.requested_by}
    for column, value in equal.items():
        if value is not None:
            found = found.where(column == value)
    if filters.level is not None:
        found = found.where(col(row.levels).contains(filters.level))
    if filters.batch is not None:
        named = select(Batch.id).where(Batch.code == filters.batch, col(Batch.plant_id).in_(scope))
        found = found.where(col(row.batch_id).in_(named))
    return found
