"""Outcomes: the answers of plants to directives of the hub."""

from collections.abc import Sequence

from sqlalchemy import tuple_
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from plants.rules.directives.refusals import UNSUPPORTED
from plants.rules.ledger.events import Entry
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import entry_at
from plants.store.sql.columns import PLANT, PROJECTION, big, key, small, text


class DirectiveOutcomeRow(SQLModel, table=True):
    """The answer of a plant to one directive of the hub."""

    __tablename__ = "directive_outcomes"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    directive_idx: int = key()
    entry_idx: int = big()
    applied: int = small()  # 1 applied, 0 rejected
    met_version: int | None = big(None)
    refusal: str | None = text(None)


SELECT_ANSWER = "SELECT entry_idx FROM directive_outcomes WHERE plant_id = :plant AND directive_idx = :directive"


SELECT_LAST_ANSWERED = "SELECT MAX(directive_idx) FROM directive_outcomes WHERE plant_id = :plant"


SELECT_UNSUPPORTED = (
    "SELECT directive_idx FROM directive_outcomes WHERE plant_id = :plant AND applied = 0 AND refusal = :refusal"
    " ORDER BY directive_idx"
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
    rows = session.rows(SELECT_UNSUPPORTED, {"plant": plant, "refusal": UNSUPPORTED})
    return [index for (index,) in rows]


def outcomes_by_directive(
    reads: ReadSession, scope: PlantScope, directives: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], DirectiveOutcomeRow]:
    """Return what plants did with directives of the hub, by plant and index of the directive."""
    row = DirectiveOutcomeRow
    here = tuple_(col(row.plant_id), col(row.directive_idx)).in_(set(directives))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.directive_idx): one for one in reads.exec(found)}
