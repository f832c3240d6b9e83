"""Queries of the projection job on its faults: entries that failed, entries blocked behind them, and halts.

Operators list and decide them through `plants.store.replication.parked_entries`.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Index, Integer, func
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.ledger.events import Entry
from plants.store.ledger.decoding import read_rows
from plants.store.ledger.entries import Log
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
    parked_us: int = big()
    next_attempt_us: int | None = big(None)  # empty: only an operator or a newer program retries
    needs_version: int | None = big(None)  # the version of its type, if unknown to this program; costs no attempts


DUE: Final = "next_attempt_us - :now_us NOT BETWEEN 1 AND :longest_us"
SELECT_DUE: Final = f"SELECT log_id FROM projection_faults WHERE {DUE} GROUP BY log_id ORDER BY log_id"
SELECT_IS_DUE: Final = f"SELECT 1 FROM projection_faults WHERE log_id = :log_id AND {DUE} LIMIT 1"
SELECT_FAULTS: Final = (
    "SELECT idx, error, attempts, next_attempt_us FROM projection_faults"
    " WHERE log_id = :log_id AND key <> :halted ORDER BY idx"
)
SELECT_ENTRIES: Final = (
    "SELECT entries.body, entries.leaf FROM projection_faults JOIN entries"
    " ON entries.log_id = projection_faults.log_id AND entries.idx = projection_faults.idx"
    " WHERE projection_faults.log_id = :log_id AND projection_faults.key <> :halted ORDER BY entries.idx"
)
SELECT_HALT: Final = "SELECT 1 FROM projection_faults WHERE log_id = :log_id AND key = :halted"
SELECT_FIRST_FAILED: Final = (
    "SELECT idx, type, error FROM projection_faults WHERE log_id = :log_id AND error IS NOT NULL AND key <> :halted"
    " ORDER BY idx LIMIT 1"
)
SELECT_FAILED: Final = (
    "SELECT idx FROM projection_faults WHERE log_id = :log_id AND error IS NOT NULL AND key <> :halted"
)
SELECT_UNKNOWN: Final = "SELECT DISTINCT type, needs_version FROM projection_faults WHERE needs_version IS NOT NULL"
COUNT: Final = "SELECT count(*) FROM projection_faults WHERE log_id = :log_id AND key <> :halted"
PUT: Final = (
    "INSERT INTO projection_faults"
    " (log_id, idx, key, type, error, attempts, parked_us, next_attempt_us, needs_version)"
    " VALUES (:log_id, :idx, :key, :type, :error, :attempts, :now_us, :next_attempt_us, :needs_version)"
    " ON CONFLICT (log_id, idx) DO UPDATE SET error = excluded.error, attempts = excluded.attempts,"
    " next_attempt_us = excluded.next_attempt_us, needs_version = excluded.needs_version"
)
DELETE: Final = "DELETE FROM projection_faults WHERE log_id = :log_id AND idx = :idx"
DELETE_HALT: Final = "DELETE FROM projection_faults WHERE log_id = :log_id AND key = :halted"
COUNT_ATTEMPT: Final = (
    "UPDATE projection_faults SET attempts = attempts + 1, next_attempt_us = :now_us"
    " WHERE log_id = :log_id AND idx = :idx"
)
RETRY_KIND: Final = (
    "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us, needs_version = NULL"
    " WHERE type = :type AND needs_version = :version"
)
RETRY_FAILED: Final = (
    "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us"
    " WHERE error IS NOT NULL AND (:log_id = 0 OR log_id = :log_id)"
)
RETRY_BLOCKED: Final = (
    "UPDATE projection_faults SET next_attempt_us = :now_us WHERE log_id = :log_id AND (error IS NULL OR key = :halted)"
    " AND (next_attempt_us IS NULL OR next_attempt_us > :now_us)"
)
STOP_RETRYING_BLOCKED: Final = (
    "UPDATE projection_faults SET next_attempt_us = NULL"
    " WHERE log_id = :log_id AND error IS NULL AND next_attempt_us IS NOT NULL"
)


class Fault(NamedTuple):
    """An entry that waits; `error` is None where it is blocked by another entry."""

    idx: int
    error: str | None
    attempts: int
    next_attempt_us: int | None


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


def ledgers_due(session: Session, now_us: int, longest_us: int) -> list[int]:
    """Return the ledgers with a fault that is due. A wait above `longest_us` was set by a wrong clock: due."""
    return [log_id for (log_id,) in session.rows(SELECT_DUE, {"now_us": now_us, "longest_us": longest_us})]


def is_due(session: Session, log_id: int, now_us: int, longest_us: int) -> bool:
    """Tell whether a fault of a ledger is due, as `ledgers_due` has it."""
    given = {"log_id": log_id, "now_us": now_us, "longest_us": longest_us}
    return session.row(SELECT_IS_DUE, given) is not None


def faults_of(session: Session, log_id: int) -> list[Fault]:
    """Return the entries of a ledger that wait, in order; a halt is not among them."""
    return [Fault(*row) for row in session.rows(SELECT_FAULTS, {"log_id": log_id, "halted": HALTED})]


def parked_entries(session: Session, log_id: int) -> list[Entry]:
    """Return the entries of a ledger that wait, in order, with their content."""
    return read_rows(session.rows(SELECT_ENTRIES, {"log_id": log_id, "halted": HALTED}))


def first_failed(session: Session, log_id: int) -> FailedEntry | None:
    """Return the first entry of a ledger that failed."""
    row = session.row(SELECT_FIRST_FAILED, {"log_id": log_id, "halted": HALTED})
    return None if row is None else FailedEntry(*row)


def failed_positions(session: Session, log_id: int) -> set[int]:
    """Return the positions of the entries that failed and may block others."""
    return {index for (index,) in session.rows(SELECT_FAILED, {"log_id": log_id, "halted": HALTED})}


def parked_count(session: Session, log_id: int) -> int:
    """Return how many entries of a ledger wait, failed or blocked."""
    row = session.row(COUNT, {"log_id": log_id, "halted": HALTED})
    assert row is not None
    return int(row[0])


def unknown_kinds(session: Session) -> list[tuple[str, int]]:
    """Return the event types and versions that were parked because the program did not know them."""
    return [(kind, version) for kind, version in session.rows(SELECT_UNKNOWN)]


def put_fault(session: Session, log_id: int, **columns: Any) -> None:
    """Insert or update the fault at a position; `columns` are those of the row, with `now_us` for `parked_us`."""
    session.run(PUT, {"log_id": log_id, **columns})


def delete_fault(session: Session, log_id: int, index: int) -> bool:
    """Delete the fault at a position; tells whether there was one."""
    return session.run(DELETE, {"log_id": log_id, "idx": index}) != 0


def is_halted(session: Session, log_id: int) -> bool:
    """Tell whether the projection of a ledger is halted at its watermark."""
    return session.row(SELECT_HALT, {"log_id": log_id, "halted": HALTED}) is not None


def delete_halt(session: Session, log_id: int) -> None:
    """Let the projection of a ledger continue from its watermark."""
    session.run(DELETE_HALT, {"log_id": log_id, "halted": HALTED})


def count_attempt(session: Session, log_id: int, index: int, now_us: int) -> bool:
    """Count one more attempt; returns False where the fault no longer exists."""
    return session.run(COUNT_ATTEMPT, {"log_id": log_id, "idx": index, "now_us": now_us}) != 0


def retry_kind(session: Session, kind: str, version: int, now_us: int) -> int:
    """Make faults of an event type and version due now; returns how many."""
    return session.run(RETRY_KIND, {"type": kind, "version": version, "now_us": now_us})


def retry_failed(session: Session, now_us: int, log_id: int = 0) -> int:
    """Make the failed entries of a ledger, or of all (0), due now and reset their attempts; returns how many."""
    return session.run(RETRY_FAILED, {"log_id": log_id, "now_us": now_us})


def retry_blocked(session: Session, log_id: int, now_us: int) -> None:
    """Make blocked entries due now, because one of those that block them was resolved."""
    session.run(RETRY_BLOCKED, {"log_id": log_id, "now_us": now_us, "halted": HALTED})


def stop_retrying_blocked(session: Session, log_id: int) -> None:
    """Stop retrying blocked entries until `retry_blocked`."""
    session.run(STOP_RETRYING_BLOCKED, {"log_id": log_id})
