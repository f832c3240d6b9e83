"""Directives of the hub: the holds among them, those that wait for their batch, and what became of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Index, and_, tuple_
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.directives.directives import DirectiveState
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import DirectedBatch
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import LedgerEntry, entry_by_request
from plants.store.materials.definitions import SELECT_PLANTS, narrowed
from plants.store.sql.columns import PLANT, big, key, text, text_key
from plants.store.sql.pages import Key, count, page
from plants.store.tables import DirectiveOutcomeRow

SELECT_DIRECTED_LOGS = "SELECT log_id FROM logs WHERE log_id < 0 ORDER BY log_id DESC"
SELECT_BATCH = "SELECT DISTINCT id FROM batches WHERE code = :code ORDER BY id"
# Whoever states the batch has goods of it, or had; and whoever goods of it are on their way to will have.
SELECT_KNOWING = "SELECT plant_id FROM batches WHERE code = :code"
SELECT_AWAITING = (
    "SELECT DISTINCT p.destination_plant FROM transfer_lines l"
    " JOIN process_records p ON p.id = l.transfer_id AND p.plant_id = l.plant_id"
    " WHERE l.batch_id = :batch AND p.destination_plant IS NOT NULL"
)
SELECT_IN_FORCE = (
    "SELECT plant_id, batch_id, batch_code FROM directed_holds WHERE hold = :hold AND ended_idx IS NULL"
    " ORDER BY plant_id, batch_code"
)
SELECT_ALL_IN_FORCE = (
    "SELECT hold, MIN(log_id), MIN(directive_idx) FROM directed_holds WHERE ended_idx IS NULL"
    " GROUP BY hold, log_id ORDER BY hold, log_id"
)
SELECT_WAITING = (
    "SELECT batch_id, hold, kind, reason, directive_idx FROM waiting_holds"
    " WHERE plant_id = :plant AND batch_code = :code ORDER BY directive_idx, hold"
)


class DirectedHoldRow(SQLModel, table=True):
    """A hold that headquarters directed to a plant for a batch: in force in the hub's view while `ended_idx` is empty.

    Made from the hub's ledger of directives to the plant, so that only the hub has such rows.
    """

    __tablename__ = "directed_holds"
    __table_args__ = (
        Index("directed_holds_by_hold", "hold"),
        Index("directed_holds_by_batch", "batch_code", "plant_id"),
        table_options(Keeping.PROJECTION),
    )

    log_id: int = key(PLANT)
    hold: str = text_key()
    batch_code: str = text_key()
    plant_id: int = big()
    batch_id: int | None = big(None)
    kind: str = text()
    reason: str = text()
    directed_by: str = text()
    directed_us: int = big()
    directive_idx: int = big()
    ended_idx: int | None = big(None)  # index of the directive that lifts it
    ended_us: int | None = big(None)


class WaitingHoldRow(SQLModel, table=True):
    """A hold of headquarters that a plant keeps for a batch it does not know yet."""

    __tablename__ = "waiting_holds"
    __table_args__ = table_options(Keeping.PROJECTION)

    plant_id: int = key(PLANT)
    batch_code: str = text_key()
    hold: str = text_key()
    batch_id: int | None = big(None)
    kind: str = text()
    reason: str = text()
    directive_idx: int = big()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hold of headquarters that waits for its batch; `directive` is the index of the directive that placed it."""

    hold: str
    kind: str
    reason: str
    directive: int


def waiting_for(session: Session, plant: int, batch: DirectedBatch) -> list[Waiting]:
    """Return the holds of headquarters that wait at the plant for a batch, in the order of their directives.

    One that was directed for an id waits for that batch alone; one for a code, for whatever batch has it.
    """
    rows = session.rows(SELECT_WAITING, {"plant": plant, "code": batch["code"]})
    return [Waiting(*row) for batch_id, *row in rows if batch["id"] is None or batch_id in (None, batch["id"])]


def earlier_directives(session: Session, request: str) -> list[Entry]:
    """Return what an earlier command of the hub with this request id directed, in the order of plant numbers."""
    logs = [log_id for (log_id,) in session.rows(SELECT_DIRECTED_LOGS)]
    found = (entry_by_request(session, log_id, request) for log_id in logs)
    return [entry for entry in found if entry is not None]


def plants_of_group(session: Session) -> dict[str, int]:
    """Return the numbers of the plants in the group by code, also of those that the hub has not heard yet."""
    return {code or origin.split("/")[-2]: number for number, origin, code, _, _ in session.rows(SELECT_PLANTS)}


def batch_named(session: Session, code: str) -> DirectedBatch:
    """Return a batch as the hub knows it by code; without an id where it knows none, or several, of that code."""
    ids = [batch for (batch,) in session.rows(SELECT_BATCH, {"code": code})]
    return {"id": ids[0] if len(ids) == 1 else None, "code": code}


def plants_with(session: Session, batches: Iterable[DirectedBatch]) -> set[int]:
    """Return the plants that have or had goods of one of these batches, or have some on their way, as the hub knows."""
    group, found = plants_of_group(session), set()
    for batch in batches:
        found |= {plant for (plant,) in session.rows(SELECT_KNOWING, {"code": batch["code"]})}
        awaiting = session.rows(SELECT_AWAITING, {"batch": batch["id"]}) if batch["id"] is not None else []
        found |= {group[code] for (code,) in awaiting if code in group}
    return found


def in_force(session: Session, hold: str) -> dict[int, list[DirectedBatch]]:
    """Return to which plants a hold or recall was directed and for which batches, as far as it was not lifted."""
    directed: dict[int, list[DirectedBatch]] = {}
    for plant, batch, code in session.rows(SELECT_IN_FORCE, {"hold": hold}):
        directed.setdefault(plant, []).append({"id": batch, "code": code})
    return directed


def all_in_force(session: Session) -> dict[str, list[tuple[int, int]]]:
    """Return every hold and recall that headquarters has in force: the log id and index of each directive of it."""
    directed: dict[str, list[tuple[int, int]]] = {}
    for hold, log_id, index in session.rows(SELECT_ALL_IN_FORCE):
        directed.setdefault(hold, []).append((log_id, index))
    return directed


@dataclass(frozen=True, slots=True)
class DirectivesSought:
    """Which directives are wanted; what is not given does not matter. `key` is a batch or a master data code."""

    plant: str | None = None
    state: DirectiveState | None = None
    type: str | None = None
    key: str | None = None


DirectivePlace = tuple[int, int]
"""A plant's number and the index of a directive to it."""


def directives_by_place(
    reads: ReadSession, scope: PlantScope, places: Sequence[DirectivePlace]
) -> dict[DirectivePlace, LedgerEntry]:
    """Return directives by plant and index: at the hub as it wrote them, at a plant as they came."""
    row = LedgerEntry
    here = tuple_(col(row.log_id), col(row.idx)).in_({(-plant, index) for plant, index in places})
    found = select(row).where(here, col(row.log_id).in_(_logs(scope)))
    return {(-one.log_id, one.idx): one for one in reads.exec(found)}


def directives_page(
    reads: ReadSession, scope: PlantScope, sought: DirectivesSought, after: Key | None, limit: int
) -> Sequence[LedgerEntry]:
    """Return one page of directives, the last to each plant first."""
    order = col(LedgerEntry.log_id), col(LedgerEntry.idx)
    return reads.exec(page(_sought(reads, scope, sought), order, after, limit, descending=True)).all()


def directives_count(reads: ReadSession, scope: PlantScope, sought: DirectivesSought) -> int:
    """Return how many directives there are."""
    return count(reads, _sought(reads, scope, sought))


def directed_holds_by_code(
    reads: ReadSession, scope: PlantScope, codes: Sequence[str]
) -> dict[str, list[DirectedHoldRow]]:
    """Return the holds that headquarters directed, by batch code, in the order of plants and directives."""
    row = DirectedHoldRow
    found = select(row).where(col(row.batch_code).in_(set(codes)), col(row.plant_id).in_(scope))
    holds: dict[str, list[DirectedHoldRow]] = {}
    for one in reads.exec(found.order_by(col(row.plant_id), col(row.directive_idx))):
        holds.setdefault(one.batch_code, []).append(one)
    return holds


def waiting_by_directive(
    reads: ReadSession, scope: PlantScope, places: Sequence[DirectivePlace]
) -> dict[DirectivePlace, list[str]]:
    """Return the codes of the batches that holds still wait for at their plants, by directive."""
    row = WaitingHoldRow
    here = tuple_(col(row.plant_id), col(row.directive_idx)).in_(set(places))
    waiting: dict[DirectivePlace, list[str]] = {}
    for one in reads.exec(select(row).where(here, col(row.plant_id).in_(scope)).order_by(col(row.batch_code))):
        waiting.setdefault((one.plant_id, one.directive_idx), []).append(one.batch_code)
    return waiting


def _logs(scope: Iterable[int]) -> set[int]:
    return {-plant for plant in scope if plant > 0}


def _sought(reads: ReadSession, scope: PlantScope, sought: DirectivesSought) -> SelectOfScalar[LedgerEntry]:
    row, outcome = LedgerEntry, DirectiveOutcomeRow
    found = select(row).where(col(row.log_id).in_(_logs(narrowed(reads, scope, sought.plant))))
    for column, value in ((row.type, sought.type), (row.key, sought.key)):
        if value is not None:
            found = found.where(column == value)
    if sought.state is not None:
        same = and_(col(outcome.plant_id) == -col(row.log_id), col(outcome.directive_idx) == col(row.idx))
        found = found.outerjoin(outcome, same)
        applied = {DirectiveState.SENT: None, DirectiveState.REJECTED: 0, DirectiveState.APPLIED: 1}[sought.state]
        found = found.where(col(outcome.applied) == applied)  # `== None` becomes IS NULL.
    return found
