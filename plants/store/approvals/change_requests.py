"""Change requests as their deciders see them, and what became of the hub's decisions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, Proposal
from plants.rules.ledger.events import Entry
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import entry_at
from plants.store.materials.definitions import narrowed
from plants.store.sql.pages import Key, count, page
from plants.store.tables import Batch, ChangeDecisionRow, ChangeRequestRow, DirectiveOutcomeRow

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
SELECT_ANSWER = "SELECT entry_idx FROM directive_outcomes WHERE plant_id = :plant AND directive_idx = :directive"
SELECT_LAST_ANSWERED = "SELECT MAX(directive_idx) FROM directive_outcomes WHERE plant_id = :plant"
SELECT_UNSUPPORTED = (
    "SELECT directive_idx FROM directive_outcomes WHERE plant_id = :plant AND applied = 0 AND refusal = :refusal"
    " ORDER BY directive_idx"
)
INDEX_MAX = 2**53


def proposal_of(session: Session, plant: int, change: int) -> Proposal:
    """Return a plant's change request, or raise Refusal CHANGE_UNKNOWN."""
    # Ids from outside may be beyond 64 bits, which neither database compares with a column.
    known = 0 <= change < INDEX_MAX
    row = session.row(SELECT_PROPOSAL, {"plant": plant, "change": change}) if known else None
    if row is None:
        raise Refusal(RefusalCode.CHANGE_UNKNOWN, change=change)
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
        raise Refusal(RefusalCode.CHANGE_ALREADY_DECIDED, change=change, state=row[0])


def answer_to(session: Session, plant: int, directive: int) -> Entry | None:
    """Return the entry by which the plant answered a directive of the hub, if it has."""
    row = session.row(SELECT_ANSWER, {"plant": plant, "directive": directive})
    return None if row is None else entry_at(session, plant, row[0])


def next_directive(session: Session, plant: int) -> Entry | None:
    """Return the first directive in this store that the plant has not answered; they are answered in order."""
    row = session.row(SELECT_LAST_ANSWERED, {"plant": plant})
    answered = -1 if row is None or row[0] is None else row[0]
    return entry_at(session, -plant, answered + 1)


def unsupported_directives(session: Session, plant: int) -> list[int]:
    """Return the indexes of the directives whose last answer is that the program did not understand them."""
    rows = session.rows(SELECT_UNSUPPORTED, {"plant": plant, "refusal": RefusalCode.UNSUPPORTED.value})
    return [index for (index,) in rows]


@dataclass(frozen=True, slots=True)
class ChangesSought:
    """Which change requests are wanted; what is not given does not matter."""

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


def outcomes_by_directive(
    reads: ReadSession, scope: PlantScope, directives: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], DirectiveOutcomeRow]:
    """Return what plants did with directives of the hub, by plant and index of the directive."""
    row = DirectiveOutcomeRow
    here = tuple_(col(row.plant_id), col(row.directive_idx)).in_(set(directives))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.directive_idx): one for one in reads.exec(found)}


def changes_page(
    reads: ReadSession, scope: PlantScope, sought: ChangesSought, after: Key | None, limit: int
) -> Sequence[ChangeRequestRow]:
    """Return one page of change requests, the last of each plant first."""
    key = col(ChangeRequestRow.plant_id), col(ChangeRequestRow.change_id)
    return reads.exec(page(_sought(reads, scope, sought), key, after, limit, descending=True)).all()


def changes_count(reads: ReadSession, scope: PlantScope, sought: ChangesSought) -> int:
    """Return how many change requests there are."""
    return count(reads, _sought(reads, scope, sought))


def _sought(reads: ReadSession, scope: PlantScope, sought: ChangesSought) -> SelectOfScalar[ChangeRequestRow]:
    row = ChangeRequestRow
    found = select(row).where(col(row.plant_id).in_(narrowed(reads, scope, sought.plant)))
    equal = {row.state: sought.state, row.kind: sought.kind, row.requested_by: sought.requested_by}
    for column, value in equal.items():
        if value is not None:
            found = found.where(column == value)
    if sought.level is not None:
        found = found.where(col(row.levels).contains(sought.level))
    if sought.batch is not None:
        named = select(Batch.id).where(Batch.code == sought.batch, col(Batch.plant_id).in_(scope))
        found = found.where(col(row.batch_id).in_(named))
    return found
