"""Queries of the projection job on its faults: entries that failed, entries blocked behind them, and halts.

Operators list and decide them through `plants.store.replication.parked_entries`.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Index, Integer, and_, bindparam, delete, func, or_, update
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.ledger.events import Entry
from plants.store.ledger.decoding import read_rows
from plants.store.ledger.entries import LedgerEntry, Log
from plants.store.sql.columns import big, key, text

HALTED = "*"
"""The key of a fault that stops all further projection of a ledger."""


class ProjectionFault(SQLModel, table=True):
    """An entry that failed to apply, or that waits behind such an entry: then `error` is empty."""

    __tablename__ = "projection_faults"
    __table_args__ = (
        Index("projection_faults_by_key", "log_id", "key", "idx"),
        table_options(Keeping.LOCAL, frozenset({Role.HUB})),
    )

    log_id: int = key(Integer)
    idx: int = key()
    key: str = text()
    type: str = text()
    error: str | None = text(None)
    attempts: int = big(0)
    parked_at: datetime = instant("parked_us")
    next_attempt_at: datetime | None = instant(
        "next_attempt_us", optional=True
    )  # empty: only an operator or a newer program retries
    needs_version: int | None = big(None)  # the version of its type, if unknown to this program; costs no attempts


# Declared once and run on the driver: the projection asks for faults around each of its slices.
ROW: Final = ProjectionFault
OF_LEDGER: Final = col(ROW.log_id) == bindparam("ledger")
AT_POSITION: Final = (OF_LEDGER, col(ROW.idx) == bindparam("position"))
IS_HALT: Final = col(ROW.key) == HALTED
HAS_FAILED: Final = col(ROW.error).is_not(None)
IS_DUE: Final = or_(col(ROW.next_attempt_at) <= bindparam("now"), col(ROW.next_attempt_at) > bindparam("latest"))
SELECT_DUE: Final = select(ROW.log_id).where(IS_DUE).group_by(col(ROW.log_id)).order_by(col(ROW.log_id))
SELECT_IS_DUE: Final = select(ROW.idx).where(OF_LEDGER, IS_DUE).limit(1)
SELECT_FAULTS: Final = (
    select(ROW.idx, ROW.error, ROW.attempts, ROW.next_attempt_at).where(OF_LEDGER, ~IS_HALT).order_by(col(ROW.idx))
)
SELECT_ENTRIES: Final = (
    select(LedgerEntry.body, LedgerEntry.leaf)
    .join(ROW, and_(col(ROW.log_id) == LedgerEntry.log_id, col(ROW.idx) == LedgerEntry.idx))
    .where(OF_LEDGER, ~IS_HALT)
    .order_by(col(LedgerEntry.idx))
)
SELECT_HALT: Final = select(ROW.idx).where(OF_LEDGER, IS_HALT)
SELECT_FAILED: Final = select(ROW.idx).where(OF_LEDGER, HAS_FAILED, ~IS_HALT)
SELECT_FIRST_FAILED: Final = (
    select(ROW.idx, ROW.type, ROW.error).where(OF_LEDGER, HAS_FAILED, ~IS_HALT).order_by(col(ROW.idx)).limit(1)
)
SELECT_BETWEEN: Final = select(ROW.idx).where(
    OF_LEDGER, col(ROW.idx) >= bindparam("low"), col(ROW.idx) < bindparam("high")
)
SELECT_UNKNOWN: Final = select(ROW.type, ROW.needs_version).where(col(ROW.needs_version).is_not(None)).distinct()
COUNT: Final = select(func.count()).select_from(ROW).where(OF_LEDGER, ~IS_HALT)
NEW: Final = insert(ROW)
PUT: Final = NEW.on_conflict_do_update(
    index_elements=["log_id", "idx"],
    set_={name: NEW.excluded[name] for name in ("error", "attempts", "next_attempt_us", "needs_version")},
)
DELETE: Final = delete(ROW).where(*AT_POSITION)
DELETE_HALT: Final = delete(ROW).where(OF_LEDGER, IS_HALT)
COUNT_ATTEMPT: Final = (
    update(ROW).where(*AT_POSITION).values(attempts=col(ROW.attempts) + 1, next_attempt_at=bindparam("now"))
)
AGAIN: Final = update(ROW).values(attempts=0, next_attempt_at=bindparam("now"))
RETRY_ONE: Final = AGAIN.where(*AT_POSITION)
RETRY_KIND: Final = AGAIN.values(needs_version=None).where(
    col(ROW.type) == bindparam("kind"), col(ROW.needs_version) == bindparam("unknown")
)
RETRY_FAILED: Final = AGAIN.where(HAS_FAILED)
RETRY_FAILED_OF_LEDGER: Final = RETRY_FAILED.where(OF_LEDGER)
RETRY_BLOCKED: Final = (
    update(ROW)
    .where(OF_LEDGER, or_(~HAS_FAILED, IS_HALT))
    .where(or_(col(ROW.next_attempt_at).is_(None), col(ROW.next_attempt_at) > bindparam("now")))
    .values(next_attempt_at=bindparam("now"))
)
STOP_RETRYING_BLOCKED: Final = (
    update(ROW).where(OF_LEDGER, ~HAS_FAILED, col(ROW.next_attempt_at).is_not(None)).values(next_attempt_at=None)
)


class Fault(NamedTuple):
    """An entry that waits; `error` is None where it is blocked by another entry."""

    idx: int
    error: str | None
    attempts: int
    next_attempt_at: datetime | None


class FailedEntry(NamedTuple):
    """An entry that failed: its position, its event type, and why."""

    idx: int
    type: str
    error: str


class FailedLedger(NamedTuple):
    """The failed entries of one ledger: their number, the first position, and one of the errors."""

    origin: str
    entries: int
    first: int
    error: str | None


def failed_ledgers(reads: ReadSession) -> list[FailedLedger]:
    """Return the ledgers with entries that failed to apply, by origin."""
    fault = ProjectionFault
    counted = (
        select(Log.origin, func.count(), func.min(fault.idx), func.min(fault.error))
        .join(Log, col(Log.log_id) == fault.log_id)
        .where(col(fault.error).is_not(None))
        .group_by(Log.origin)
        .order_by(Log.origin)
    )
    return [FailedLedger(*row) for row in reads.exec(counted)]


def ledgers_due(session: Session, now: datetime, longest: timedelta) -> list[int]:
    """Return the ledgers with a fault that is due. A wait above `longest` was set by a wrong clock: due."""
    return [log_id for (log_id,) in session.rows(SELECT_DUE, {"now": now, "latest": now + longest})]


def is_due(session: Session, log_id: int, now: datetime, longest: timedelta) -> bool:
    """Tell whether a fault of a ledger is due, as `ledgers_due` has it."""
    given = {"ledger": log_id, "now": now, "latest": now + longest}
    return session.row(SELECT_IS_DUE, given) is not None


def faults_of(session: Session, log_id: int) -> list[Fault]:
    """Return the entries of a ledger that wait, in order; a halt is not among them."""
    return [Fault(*row) for row in session.rows(SELECT_FAULTS, {"ledger": log_id})]


def parked_entries(session: Session, log_id: int) -> list[Entry]:
    """Return the entries of a ledger that wait, in order, with their content."""
    return read_rows(session.rows(SELECT_ENTRIES, {"ledger": log_id}))


def first_failed(session: Session, log_id: int) -> FailedEntry | None:
    """Return the first entry of a ledger that failed."""
    row = session.row(SELECT_FIRST_FAILED, {"ledger": log_id})
    return None if row is None else FailedEntry(*row)


def failed_positions(session: Session, log_id: int) -> set[int]:
    """Return the positions of the entries that failed and may block others."""
    return {index for (index,) in session.rows(SELECT_FAILED, {"ledger": log_id})}


def parked_count(session: Session, log_id: int) -> int:
    """Return how many entries of a ledger wait, failed or blocked."""
    row = session.row(COUNT, {"ledger": log_id})
    assert row is not None
    return int(row[0])


def parked_between(session: Session, log_id: int, low: int, high: int) -> set[int]:
    """Return the positions from low to high - 1 of a ledger that have a fault."""
    return {index for (index,) in session.rows(SELECT_BETWEEN, {"ledger": log_id, "low": low, "high": high})}


def unknown_kinds(session: Session) -> list[tuple[str, int]]:
    """Return the event types and versions that were parked because the program did not know them."""
    return [(kind, version) for kind, version in session.rows(SELECT_UNKNOWN)]


def put_fault(session: Session, fault: ProjectionFault) -> None:
    """Insert a fault, or update the error, the attempts and the version of one at the same position."""
    given = fault.model_dump(exclude={"parked_at", "next_attempt_at"})
    session.run(PUT, {**given, "parked_us": fault.parked_at, "next_attempt_us": fault.next_attempt_at})


def delete_fault(session: Session, log_id: int, index: int) -> bool:
    """Delete the fault at a position; tells whether there was one."""
    return session.run(DELETE, {"ledger": log_id, "position": index}) != 0


def is_halted(session: Session, log_id: int) -> bool:
    """Tell whether the projection of a ledger is halted at its watermark."""
    return session.row(SELECT_HALT, {"ledger": log_id}) is not None


def delete_halt(session: Session, log_id: int) -> None:
    """Let the projection of a ledger continue from its watermark."""
    session.run(DELETE_HALT, {"ledger": log_id})


def count_attempt(session: Session, log_id: int, index: int, now: datetime) -> bool:
    """Count one more attempt; returns False where the fault no longer exists."""
    return session.run(COUNT_ATTEMPT, {"ledger": log_id, "position": index, "now": now}) != 0


def retry_one(session: Session, log_id: int, index: int, now: datetime) -> None:
    """Make the fault at a position due now and reset its attempts."""
    session.run(RETRY_ONE, {"ledger": log_id, "position": index, "now": now})


def retry_kind(session: Session, kind: str, version: int, now: datetime) -> int:
    """Make faults of an event type and version due now; returns how many."""
    return session.run(RETRY_KIND, {"kind": kind, "unknown": version, "now": now})


def retry_failed(session: Session, now: datetime, log_id: int = 0) -> int:
    """Make the failed entries of a ledger, or of all (0), due now and reset their attempts; returns how many."""
    if log_id == 0:
        return session.run(RETRY_FAILED, {"now": now})
    return session.run(RETRY_FAILED_OF_LEDGER, {"ledger": log_id, "now": now})


def retry_blocked(session: Session, log_id: int, now: datetime) -> None:
    """Make blocked entries due now, because one of those that block them was resolved."""
    session.run(RETRY_BLOCKED, {"ledger": log_id, "now": now})


def stop_retrying_blocked(session: Session, log_id: int) -> None:
    """Stop retrying blocked entries until `retry_blocked`."""
    session.run(STOP_RETRYING_BLOCKED, {"ledger": log_id})
