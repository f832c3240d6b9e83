"""Queries on the heads of ledgers, and on the watermarks of the projection."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import func
from sqlmodel import col, select

from infra.database import ReadSession, Session
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import from_micros
from plants.store.ledger.entries import HUB_LOG, LedgerEntry, Log

SELECT_FOREIGN: Final = "SELECT origin FROM logs WHERE log_id >= 0 AND log_id <> :log_id ORDER BY log_id LIMIT 1"
SELECT_HUB_WRITTEN: Final = "SELECT log_id FROM logs WHERE log_id <= :hub ORDER BY log_id"
SELECT_PLANTS: Final = "SELECT log_id FROM logs WHERE log_id > :hub ORDER BY log_id"
SELECT_ORIGINS: Final = "SELECT log_id, origin FROM logs ORDER BY ABS(log_id), log_id"
SELECT_OPENED: Final = "SELECT 1 FROM logs WHERE log_id = :log_id"
SELECT_OPENED_AT: Final = "SELECT recorded_us FROM entries WHERE log_id = :log_id AND idx = 0"
SELECT_HEADS: Final = "SELECT origin, log_id, size, frontier FROM logs ORDER BY log_id"
"""The rows of `LedgerHead`; a backup reads them in the snapshot that it copies."""
SELECT_WATERMARK: Final = "SELECT size, projected FROM logs WHERE log_id = :log_id"
SELECT_BEHIND: Final = "SELECT log_id, size - projected FROM logs WHERE log_id > 0 AND projected < size"
MOVE_WATERMARK: Final = "UPDATE logs SET projected = :projected WHERE log_id = :log_id"


def foreign_origin(reads: Session | ReadSession, log_id: int) -> str | None:
    """Return the origin of a ledger in this store that another node writes, the hub's directives aside."""
    rows = reads.rows(SELECT_FOREIGN, {"log_id": log_id})
    return str(rows[0][0]) if rows else None


class LedgerHead(NamedTuple):
    """The head of a ledger: its origin, log id, number of entries and frontier."""

    origin: str
    log_id: int
    size: int
    frontier: bytes


def is_opened(session: Session, log_id: int) -> bool:
    """Tell whether a ledger was opened in this store."""
    return session.row(SELECT_OPENED, {"log_id": log_id}) is not None


class StoredRange(NamedTuple):
    """The entries that a store holds of a ledger: their number, and the lowest and highest index, None for no entry."""

    entries: int
    low: int | None
    high: int | None


def opened_at(reads: Session | ReadSession, log_id: int) -> datetime | None:
    """Return when the first entry of a ledger was recorded, or None where there is none."""
    rows = reads.rows(SELECT_OPENED_AT, {"log_id": log_id})
    return from_micros(rows[0][0]) if rows else None


def logs_in(reads: ReadSession) -> list[Log]:
    """Return the heads of all ledgers in this store, by log id."""
    return list(reads.exec(select(Log).order_by(col(Log.log_id))))


def log_size(reads: Session | ReadSession, log_id: int) -> int:
    """Return the number of entries of a ledger, 0 where it was not opened."""
    found = reads.get(Log, log_id)
    return 0 if found is None else found.size


def stored_range(reads: ReadSession, log_id: int) -> StoredRange:
    """Return which entries of a ledger the store holds. In an intact ledger they are 0 to its size - 1."""
    index = col(LedgerEntry.idx)
    counted = select(func.count(), func.min(index), func.max(index)).where(LedgerEntry.log_id == log_id)
    return StoredRange(*reads.exec(counted).one())


def hub_written_logs(session: Session) -> list[int]:
    """Return the ledgers that the hub writes: its own and those of directives."""
    return [log_id for (log_id,) in session.rows(SELECT_HUB_WRITTEN, {"hub": HUB_LOG})]


def plant_logs(session: Session) -> list[int]:
    """Return the ledgers of plants in this store, in the order of their numbers."""
    return [log_id for (log_id,) in session.rows(SELECT_PLANTS, {"hub": HUB_LOG})]


def origins_by_log(session: Session) -> dict[int, str]:
    """Return the origins of all ledgers in this store: the hub's first, then each plant's directives and its own."""
    return dict(session.rows(SELECT_ORIGINS))


def watermark(session: Session, log_id: int) -> tuple[int, int]:
    """Return the size of a ledger and how many of its entries are projected; LookupError where it was not opened."""
    row = session.row(SELECT_WATERMARK, {"log_id": log_id})
    if row is None:
        raise LookupError(f"ledger {log_id} was not opened in this store")
    return row[0], row[1]


def move_watermark(session: Session, log_id: int, projected: int) -> None:
    """Store how many entries of a ledger are projected."""
    session.run(MOVE_WATERMARK, {"log_id": log_id, "projected": projected})


def backlogs(session: Session) -> dict[int, int]:
    """Return how many entries of each plant's ledger wait to be projected; a ledger without a backlog is left out."""
    return dict(session.rows(SELECT_BEHIND))


def lock_for_projection(session: Session) -> None:
    """Take the table lock that a rebuild also takes first, until the transaction ends. SQLite has one writer anyway."""
    if session.dialect == "postgresql":
        session.run("LOCK TABLE logs IN ROW EXCLUSIVE MODE")


def fenced_logs(reads: ReadSession, log_ids: Iterable[int]) -> dict[int, str]:
    """Return the origins of those of these ledgers that are fenced, by log id."""
    fenced = select(Log.log_id, Log.origin).where(col(Log.log_id).in_(set(log_ids)), Log.fenced == 1)
    return dict(reads.exec(fenced).all())


def logs_of(scope: frozenset[int]) -> set[int]:
    """Return the ledgers of plants: each plant's own and its directives; of the hub its own."""
    return {*scope, *(-plant for plant in scope if plant != HUB)}
