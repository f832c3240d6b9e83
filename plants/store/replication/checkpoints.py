"""Stored checkpoints of ledgers: signed notes by the size that they cover."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlmodel import col, delete, func, select

from infra.database import ReadSession, Session
from plants.rules.values.instants import EPOCH
from plants.store.ledger.entries import Log
from plants.store.replication.status import CheckpointRow, ReplicationRow

ROW: Final = CheckpointRow


class KeptNote(NamedTuple):
    """A checkpoint: the size that it covers, its note, and when this node received it."""

    size: int
    note: bytes
    received_at: datetime


class SignedLedger(NamedTuple):
    """A ledger as this store has it; `signed` is the largest size that a checkpoint covers."""

    log_id: int
    origin: str
    size: int
    signed: int
    received_at: datetime


def checkpoints_between(reads: ReadSession, log_id: int, low: int, high: int) -> list[CheckpointRow]:
    """Return the stored checkpoints of a ledger with low <= size <= high, smallest first."""
    within = (ROW.log_id == log_id, ROW.size >= low, ROW.size <= high)
    return list(reads.exec(select(ROW).where(*within).order_by(col(ROW.size))))


def newest_notes(reads: Session | ReadSession, log_id: int, most: int) -> list[KeptNote]:
    """Return the newest checkpoints of a ledger, largest first."""
    return _notes(reads, log_id, None, most)


def note_up_to(reads: ReadSession, log_id: int, high: int) -> KeptNote | None:
    """Return the largest checkpoint of a ledger up to a size."""
    return next(iter(_notes(reads, log_id, high, 1)), None)


def delete_notes_beyond(session: Session, log_id: int, size: int) -> None:
    """Delete the checkpoints above a size, because the ledger that they cover no longer exists here."""
    session.exec(delete(ROW).where(col(ROW.log_id) == log_id, col(ROW.size) > size))


def signed_ledgers(reads: ReadSession) -> list[SignedLedger]:
    """Return all ledgers of this store with the size that a checkpoint covers: the hub's, then each plant's two."""
    status = ReplicationRow
    columns = select(Log, col(status.checkpoint_size), col(status.received_at))
    joined = columns.outerjoin(status, col(status.log_id) == col(Log.log_id))
    return [
        SignedLedger(log.log_id, log.origin, log.size, min(signed or 0, log.size), received_at or EPOCH)
        for log, signed, received_at in reads.exec(joined.order_by(func.abs(Log.log_id), col(Log.log_id)))
    ]


def _notes(reads: Session | ReadSession, log_id: int, high: int | None, most: int) -> list[KeptNote]:
    query = select(ROW.size, ROW.note, ROW.received_at).where(ROW.log_id == log_id)
    if high is not None:
        query = query.where(ROW.size <= high)
    return [KeptNote(*row) for row in reads.exec(query.order_by(col(ROW.size).desc()).limit(most))]
