"""Saves of many rows: their content, their progress, and the result of each row. They belong to the node."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index
from sqlmodel import Field, SQLModel, col, select

from infra.columns import FlagSmallInteger, instant, member
from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.materials.saves import OnRefusal, RowOutcome, SaveState
from plants.rules.values.instants import micros
from plants.rules.values.refusals import Message, Refusal, RefusalCode
from plants.rules.values.scope import PlantScope
from plants.store.refusals import declared_refusals
from plants.store.sql.columns import PLANT, big, key, text, text_key
from plants.store.sql.filters import MemberCriterion, filtered
from plants.store.sql.pages import Key, by_parent, count_of_each, page_of_each


class Save(SQLModel, table=True):
    """One save of many rows, or its validation. The request id is unique at the plant, or at the hub (plant 0).

    A validation has a request id of its own, because it leaves that of the client unused. `addressed` holds the codes
    of the plants that a save of headquarters addresses, as JSON.
    """

    __tablename__ = "saves"
    __table_args__ = (Index("saves_by_request", "plant_id", "request", unique=True), table_options(Keeping.LOCAL))

    id: str = text_key()
    plant_id: int = Field(sa_type=PLANT)
    request: str = text()
    digest: str = text()
    kind: str = text()
    on_refusal: OnRefusal = member(OnRefusal)
    actor: str = text()
    printed_name: str = text()
    device: str | None = text(None)
    reason: str | None = text(None)
    occurred: datetime | None = instant("occurred_us", optional=True)
    requested: datetime = instant("requested_us")
    finished: datetime | None = instant("finished_us", optional=True)
    state: SaveState = member(SaveState)
    size: int = big()
    done: int = big(0)
    recorded: int = big(0)
    unchanged: int = big(0)
    refused: int = big(0)
    rejected: int = big(0)
    not_run: int = big(0)
    validates: bool = Field(default=False, sa_type=FlagSmallInteger)
    addressed: str | None = text(None)
    refusal: str | None = text(None)  # of the whole save, as JSON

    @property
    def plant_codes(self) -> tuple[str, ...]:
        """The codes of the plants that a save of headquarters addresses."""
        return tuple(json.loads(self.addressed or "[]"))


class SaveRow(SQLModel, table=True):
    """One row of a save: its content, and its result once there is one.

    `repeats` is the number of the first row with the same code. `directives` holds plant and index of each directive of
    the row, as JSON.
    """

    __tablename__ = "save_rows"
    __table_args__ = table_options(Keeping.LOCAL)

    save_id: str = text_key()
    number: int = key()
    plant_id: int = Field(sa_type=PLANT)
    code: str = text()
    content: str = text()
    outcome: RowOutcome | None = member(RowOutcome, optional=True)
    entry_idx: int | None = big(None)
    refusal: str | None = text(None)  # as JSON
    repeats: int | None = big(None)
    directives: str | None = text(None)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Plant and index of each directive of the row."""
        return [(plant, index) for plant, index in json.loads(self.directives or "[]")]


INSERT_ROW: Final = (
    "INSERT INTO save_rows (save_id, number, plant_id, code, content, repeats)"
    " VALUES (:save_id, :number, :plant_id, :code, :content, :repeats)"
)
UPDATE_ROW: Final = (
    "UPDATE save_rows SET outcome = :outcome, entry_idx = :entry_idx, directives = :directives, refusal = :refusal"
    " WHERE save_id = :save_id AND number = :number"
)
SELECT_ROWS: Final = (
    "SELECT content, repeats FROM save_rows WHERE save_id = :save AND number >= :begin ORDER BY number LIMIT :limit"
)
DELETE_ROWS: Final = (
    "DELETE FROM save_rows WHERE save_id IN (SELECT id FROM saves WHERE plant_id = :plant AND finished_us < :before)"
)
DELETE_VALIDATIONS: Final = "DELETE FROM saves WHERE plant_id = :plant AND finished_us < :before AND validates = 1"
SELECT_REQUESTED: Final = "SELECT 1 FROM saves WHERE plant_id = :plant AND request = :request"
END_ROWS: Final = (
    "UPDATE save_rows SET outcome = :outcome, refusal = :refusal WHERE save_id = :save AND outcome IS NULL"
)
REJECT_ROWS: Final = "UPDATE save_rows SET outcome = 'REJECTED' WHERE save_id = :save AND outcome = 'RECORDED'"


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of a row as it is stored."""

    outcome: RowOutcome
    entry_idx: int | None = None
    refusal: Refusal | None = None
    directives: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to be stored. `repeats` is the number of the first row with the same code."""

    code: str
    content: str
    repeats: int | None


def save_by_request(session: Session, plant: int, request: str) -> Save | None:
    """Return the save of a request."""
    return session.exec(select(Save).where(Save.plant_id == plant, Save.request == request)).first()


def is_save(session: Session, plant: int, request: str) -> bool:
    """Return whether a request id belongs to a save."""
    return session.row(SELECT_REQUESTED, {"plant": plant, "request": request}) is not None


def add_save(session: Session, save: Save, rows: Sequence[NewRow]) -> None:
    """Store a save with its rows."""
    session.add(save)
    session.flush()
    of_save = {"save_id": save.id, "plant_id": save.plant_id}
    session.run_many(INSERT_ROW, [of_save | {"number": n, **asdict(one)} for n, one in enumerate(rows)])


def unfinished_save(reads: ReadSession, plant: int) -> bool:
    """Return whether a save is not finished."""
    found = select(Save.id).where(Save.plant_id == plant, col(Save.finished).is_(None)).limit(1)
    return reads.exec(found).first() is not None


def next_save(session: Session, plant: int, save_id: str | None = None) -> Save | None:
    """Return a save that is not finished, or the oldest, and lock it until the end of the transaction."""
    found = select(Save).where(Save.plant_id == plant, col(Save.finished).is_(None))
    if save_id is not None:
        found = found.where(Save.id == save_id)
    oldest = found.order_by(col(Save.requested), col(Save.id)).limit(1)
    return session.exec(oldest.with_for_update()).first()


def rows_from(session: Session, save: Save, limit: int) -> list[tuple[str, int | None]]:
    """Return the content of each of the next rows of a save, and the number of the row whose code it repeats."""
    given = {"save": save.id, "begin": save.done, "limit": limit}
    return [(content, repeats) for content, repeats in session.rows(SELECT_ROWS, given)]


def store_results(session: Session, save: Save, results: Sequence[RowResult]) -> None:
    """Store the results of the next rows, and how far the save is then."""
    session.run_many(
        UPDATE_ROW,
        [
            {
                "save_id": save.id,
                "number": save.done + offset,
                "outcome": one.outcome.value,
                "entry_idx": one.entry_idx,
                "directives": json.dumps(one.directives) if one.directives else None,
                "refusal": None if one.refusal is None else refusal_json(one.refusal),
            }
            for offset, one in enumerate(results)
        ],
    )
    outcomes = [one.outcome for one in results]
    save.recorded += outcomes.count(RowOutcome.RECORDED)
    save.unchanged += outcomes.count(RowOutcome.UNCHANGED)
    save.refused += outcomes.count(RowOutcome.REFUSED)
    save.rejected += outcomes.count(RowOutcome.REJECTED)
    save.done += len(results)
    session.add(save)


def reject_rows(session: Session, save: Save) -> None:
    """Store that the rows in order are rejected, because another row is refused."""
    session.run(REJECT_ROWS, {"save": save.id})
    save.rejected, save.recorded = save.rejected + save.recorded, 0
    session.add(save)


def end_rows(session: Session, save: Save, refusal: Refusal) -> None:
    """Store that the rows without an outcome are not run, and why."""
    given = {"save": save.id, "outcome": RowOutcome.NOT_RUN.value, "refusal": refusal_json(refusal)}
    session.run(END_ROWS, given)
    save.not_run = save.size - save.done
    session.add(save)


def delete_saves(session: Session, plant: int, before: datetime) -> None:
    """Delete the rows of saves that were finished before an instant, and validations with their rows.

    The saves themselves stay, because no request id may be used again.
    """
    given = {"plant": plant, "before": micros(before)}
    session.run(DELETE_ROWS, given)
    session.run(DELETE_VALIDATIONS, given)


def saves_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[str]) -> dict[str, Save]:
    """Return saves by id."""
    found = select(Save).where(col(Save.id).in_(ids), col(Save.plant_id).in_(scope))
    return {one.id: one for one in reads.exec(found)}


def save_rows_by_key(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], SaveRow]:
    """Return rows of saves by the id of the save and the number of the row."""
    saves, places = {save for save, _ in keys}, {place for _, place in keys}
    found = select(SaveRow).where(
        col(SaveRow.save_id).in_(saves), col(SaveRow.number).in_(places), col(SaveRow.plant_id).in_(scope)
    )
    return {(one.save_id, one.number): one for one in reads.exec(found)}


@dataclass(frozen=True, slots=True)
class SaveRowsFilter:
    """Criteria for the rows of a save."""

    outcome: MemberCriterion[RowOutcome] | None = None


def save_rows(
    reads: ReadSession,
    scope: PlantScope,
    saves: Sequence[str],
    after: Key | None,
    limit: int,
    *,
    filters: SaveRowsFilter,
) -> Mapping[str, Sequence[SaveRow]]:
    """Return one page of the rows of each save, in their order."""
    found = _rows_of(scope, saves, filters)
    shown = page_of_each(found, (col(SaveRow.save_id),), (col(SaveRow.number),), after, limit)
    return by_parent(reads.exec(shown), lambda row: row.save_id)


def save_rows_count(
    reads: ReadSession, scope: PlantScope, saves: Sequence[str], *, filters: SaveRowsFilter
) -> Mapping[str, int]:
    """Return how many rows each save has."""
    return count_of_each(reads, _rows_of(scope, saves, filters), (col(SaveRow.save_id),))


def _rows_of(scope: PlantScope, saves: Sequence[str], filters: SaveRowsFilter) -> Any:
    found = select(SaveRow).where(col(SaveRow.save_id).in_(saves), col(SaveRow.plant_id).in_(scope))
    return filtered(found, {SaveRow.outcome: filters.outcome})


def refusal_json(refusal: Refusal) -> str:
    """Return a refusal as text, with its place and the further refusals."""
    return json.dumps(_plain(refusal), ensure_ascii=False)


def read_refusal(said: str) -> Refusal | None:
    """Return a refusal that was stored, or None for a code that this program does not know."""
    return _read(json.loads(said))


def _plain(refusal: Refusal) -> dict[str, Any]:
    data = {name: _plain_datum(value) for name, value in refusal.data.items()}
    further = [_plain(one) for one in refusal.further]
    return {"code": refusal.code, "data": data, "path": refusal.path, "further": further}


def _plain_datum(value: str) -> Any:
    """Return a datum; a phrase with its template, so that it can be worded in another language."""
    template = getattr(value, "text", None)
    if template is None:
        return value
    data = {name: str(one) for name, one in getattr(value, "data", {}).items()}
    return {"code": getattr(value, "code", ""), "text": template, "data": data}


def _read(said: Mapping[str, Any]) -> Refusal | None:
    code: RefusalCode | None = declared_refusals().get(said["code"])
    if code is None:
        return None
    data = {
        name: Message(one["code"], one["text"])(**one["data"]) if isinstance(one, dict) else one
        for name, one in said["data"].items()
    }
    made = Refusal.kept(code, data)
    made.path = tuple(said["path"])
    made.further = tuple(one for one in map(_read, said["further"]) if one is not None)
    return made
