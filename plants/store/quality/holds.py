"""Holds on goods: those a plant placed, those headquarters directed, and those pending for an unknown batch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Index, func
from sqlmodel import SQLModel, col, select

from infra.columns import instant, member
from infra.database import Session
from infra.roles import Keeping, table_options
from plants.rules.ledger.payloads import DirectedBatch
from plants.rules.quality.holds import HoldKind
from plants.store.sql.columns import PLANT, big, key, text, text_key


class HoldRow(SQLModel, table=True):
    """A hold on a plant's goods of a batch; open while `lifted_idx` is empty."""

    __tablename__ = "holds"
    __table_args__ = table_options(Keeping.PROJECTION)

    plant_id: int = key(PLANT)
    batch_id: int = key()
    hold_id: int = key()  # index of the entry that placed it
    kind: HoldKind = member(HoldKind)
    reason: str = text()
    placed_by: str = text()
    placed_at: datetime = instant("placed_us")
    lifted_idx: int | None = big(None)
    lifted_at: datetime | None = instant("lifted_us", optional=True)
    directed: str | None = text(None)  # the id of the hold or recall of headquarters that it is


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
    kind: HoldKind = member(HoldKind)
    reason: str = text()
    directed_by: str = text()
    directed_at: datetime = instant("directed_us")
    directive_idx: int = big()
    ended_idx: int | None = big(None)  # index of the directive that lifts it
    ended_at: datetime | None = instant("ended_us", optional=True)


class WaitingHoldRow(SQLModel, table=True):
    """A hold of headquarters that a plant keeps for a batch it does not know yet."""

    __tablename__ = "waiting_holds"
    __table_args__ = table_options(Keeping.PROJECTION)

    plant_id: int = key(PLANT)
    batch_code: str = text_key()
    hold: str = text_key()
    batch_id: int | None = big(None)
    kind: HoldKind = member(HoldKind)
    reason: str = text()
    directive_idx: int = big()


# Text, because each receipt of goods asks.
SELECT_WAITING: Final = (
    "SELECT batch_id, hold, kind, reason, directive_idx FROM waiting_holds"
    " WHERE plant_id = :plant AND batch_code = :code ORDER BY directive_idx, hold"
)


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


def in_force(session: Session, hold: str) -> dict[int, list[DirectedBatch]]:
    """Return to which plants a hold or recall was directed and for which batches, as far as it was not lifted."""
    row = DirectedHoldRow
    found = select(row.plant_id, row.batch_id, row.batch_code).where(row.hold == hold, col(row.ended_idx).is_(None))
    directed: dict[int, list[DirectedBatch]] = {}
    for plant, batch, code in session.exec(found.order_by(col(row.plant_id), col(row.batch_code))):
        directed.setdefault(plant, []).append({"id": batch, "code": code})
    return directed


def all_in_force(session: Session) -> dict[str, list[tuple[int, int]]]:
    """Return every hold and recall that headquarters has in force: the log id and index of each directive of it."""
    row, by = DirectedHoldRow, (col(DirectedHoldRow.hold), col(DirectedHoldRow.log_id))
    found = select(row.hold, row.log_id, func.min(row.directive_idx)).where(col(row.ended_idx).is_(None))
    directed: dict[str, list[tuple[int, int]]] = {}
    for hold, log_id, index in session.exec(found.group_by(*by).order_by(*by)):
        directed.setdefault(hold, []).append((log_id, index))
    return directed
