"""Outcomes: the answers of plants to directives of the hub."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import and_, bindparam, func, or_, tuple_
from sqlmodel import Field, SQLModel, col, select

from infra.columns import FlagSmallInteger
from infra.database import ReadSession, Session
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.approvals.refusals import CHANGE_ALREADY_DECIDED
from plants.rules.directives.refusals import UNSUPPORTED
from plants.rules.ledger.events import Entry
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_requests import ChangeDecisionRow
from plants.store.ledger.entries import entry_at
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text


class DirectiveOutcomeRow(SQLModel, table=True):
    """The answer of a plant to one directive of the hub."""

    __tablename__ = "directive_outcomes"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    directive_idx: int = key()
    entry_idx: int = big()
    applied: bool = Field(sa_type=FlagSmallInteger)
    met_version: int | None = big(None)
    refusal: str | None = text(None)


ROW: Final = DirectiveOutcomeRow
OF_PLANT: Final = col(ROW.plant_id) == bindparam("plant")
SELECT_ANSWER: Final = select(ROW.entry_idx).where(OF_PLANT, col(ROW.directive_idx) == bindparam("directive"))
SELECT_LAST_ANSWERED: Final = select(func.max(ROW.directive_idx)).where(OF_PLANT)
SELECT_UNSUPPORTED: Final = (
    select(ROW.directive_idx)
    .where(OF_PLANT, col(ROW.applied) == bindparam("applied"), col(ROW.refusal) == bindparam("refusal"))
    .order_by(col(ROW.directive_idx))
)


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
    rows = session.rows(SELECT_UNSUPPORTED, {"plant": plant, "applied": False, "refusal": UNSUPPORTED})
    return [index for (index,) in rows]


Change = tuple[int, int]
"""A plant's number and the id of a change request of it."""


def check_not_directed(session: Session, plant: int, change: int) -> None:
    """Raise Refusal when the hub has decided the request already and the plant has not rejected that."""
    verdict = _directed(session, {(plant, change)}).get((plant, change))
    if verdict is not None:
        raise Refusal(CHANGE_ALREADY_DECIDED, change=change, state=verdict)


def directed_verdicts(reads: ReadSession, scope: PlantScope, changes: Sequence[Change]) -> dict[Change, ChangeVerdict]:
    """Return the verdicts of the hub that `check_not_directed` finds, by change request."""
    return _directed(reads, {one for one in changes if one[0] in scope})


def _directed(reads: Session | ReadSession, changes: Collection[Change]) -> dict[Change, ChangeVerdict]:
    row, outcome = ChangeDecisionRow, DirectiveOutcomeRow
    answer = and_(col(outcome.plant_id) == row.plant_id, col(outcome.directive_idx) == row.idx)
    decided = select(row.plant_id, row.change_id, row.verdict).outerjoin(outcome, answer)
    here = tuple_(col(row.plant_id), col(row.change_id)).in_(changes)
    # A directive that the plant rejected decided nothing, so that the request can be decided again.
    not_rejected = or_(col(outcome.applied).is_(None), col(outcome.applied) == True)  # noqa: E712 -- SQL.
    found = reads.exec(decided.where(here, col(row.log_id) == -col(row.plant_id), not_rejected))
    return {(plant, change): ChangeVerdict(verdict) for plant, change, verdict in found}


def outcomes_by_directive(
    reads: ReadSession, scope: PlantScope, directives: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], DirectiveOutcomeRow]:
    """Return what plants did with directives of the hub, by plant and index of the directive."""
    row = DirectiveOutcomeRow
    here = tuple_(col(row.plant_id), col(row.directive_idx)).in_(set(directives))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.directive_idx): one for one in reads.exec(found)}
