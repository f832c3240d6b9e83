"""Writes down how far a ledger has travelled: the rows of `plants.store.positions`, in the caller's transaction."""

from dataclasses import dataclass
from typing import Any

from infra.database import Session
from plants.rules.merkle import Frontier
from plants.store.positions import ReplicationRow, ReplicationState

COLUMNS = frozenset(ReplicationRow.model_fields) - {"log_id"}
BEGIN_ROW = (
    "INSERT INTO replication"
    " (log_id, state, acknowledged, frontier, attempts, backoff_ms, next_attempt_us, batch_entries, session_used,"
    " take_over) VALUES (:log_id, :state, 0, :frontier, 0, 0, 0, 0, 0, 0) ON CONFLICT (log_id) DO NOTHING"
)
SELECT_ROW = (
    "SELECT state, alarm, acknowledged, frontier, session, epoch, received_us, attempts, backoff_ms, next_attempt_us,"
    " batch_entries, session_before, session_used, displaced, take_over, pace, applied_pace, applied_us,"
    " checkpoint_size, checkpoint FROM replication WHERE log_id = :log_id"
)
PUT_CHECKPOINT = (
    "INSERT INTO checkpoints (log_id, size, note, first_us, received_us, frontier)"
    " VALUES (:log_id, :size, :note, :received_us, :received_us, :frontier)"
    " ON CONFLICT (log_id, size) DO UPDATE SET note = excluded.note, received_us = excluded.received_us,"
    " frontier = coalesce(excluded.frontier, checkpoints.frontier)"
)
POINT_TO_NEWEST = (
    "UPDATE replication SET checkpoint_size = :size, checkpoint = :note, signed_us = :signed_us,"
    " received_us = :received_us"
    " WHERE log_id = :log_id AND (checkpoint_size IS NULL OR checkpoint_size <= :size)"
)
SELECT_NOTE = "SELECT note FROM checkpoints WHERE log_id = :log_id AND size = :size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is written down of one ledger; see `plants.store.positions.ReplicationRow`."""

    state: ReplicationState
    alarm: str | None
    acknowledged: int
    frontier: Frontier
    session: str | None
    epoch: str | None
    received_us: int | None
    attempts: int
    backoff_ms: int
    next_attempt_us: int
    batch_entries: int
    session_before: str | None
    session_used: bool
    displaced: tuple[str, ...]
    take_over: bool
    checkpoint_size: int | None
    checkpoint: bytes | None
    pace: int | None = None
    applied_pace: int | None = None
    applied_us: int | None = None


def standing(session: Session, log_id: int) -> Standing:
    """Return what is written down of a ledger; the first time, that nothing has travelled yet."""
    row = session.row(SELECT_ROW, {"log_id": log_id})
    if row is None:
        session.run(BEGIN_ROW, {"log_id": log_id, "state": ReplicationState.NEVER_MET, "frontier": b""})
        row = session.row(SELECT_ROW, {"log_id": log_id})
        assert row is not None
    state, alarm, acknowledged, frontier, *between, size, note = row
    session_id, epoch, received_us, attempts, backoff_ms, next_attempt_us, batch_entries, *chain = between
    session_before, session_used, displaced, take_over, pace, applied_pace, applied_us = chain
    return Standing(
        state=ReplicationState(state),
        alarm=alarm,
        acknowledged=acknowledged,
        # The hub keeps no frontier of its own beside the ledger's head.
        frontier=Frontier.from_bytes(acknowledged, frontier) if frontier else Frontier(),
        session=session_id,
        epoch=epoch,
        received_us=received_us,
        attempts=attempts,
        backoff_ms=backoff_ms,
        next_attempt_us=next_attempt_us,
        batch_entries=batch_entries,
        session_before=session_before,
        session_used=bool(session_used),
        displaced=tuple((displaced or "").split()),
        take_over=bool(take_over),
        checkpoint_size=size,
        checkpoint=None if note is None else bytes(note),
        pace=pace,
        applied_pace=applied_pace,
        applied_us=applied_us,
    )


def amend(session: Session, log_id: int, /, **columns: Any) -> None:
    """Change some columns of a ledger's row, making it if there is none; raises KeyError for an unknown column."""
    unknown = columns.keys() - COLUMNS
    if unknown:
        raise KeyError(*unknown)
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    sql = f"UPDATE replication SET {changes} WHERE log_id = :log_id"
    if session.run(sql, {"log_id": log_id, **columns}) == 0:
        session.run(BEGIN_ROW, {"log_id": log_id, "state": ReplicationState.NEVER_MET, "frontier": b""})
        session.run(sql, {"log_id": log_id, **columns})


def keep_checkpoint(
    session: Session,
    log_id: int,
    size: int,
    note: bytes,
    *,
    signed_us: int | None,
    received_us: int,
    frontier: bytes | None = None,
) -> None:
    """Keep a note whose signatures were checked, in place of an older one of the same size.

    `frontier` is that of the tree at this size, where proofs shall begin at it.
    """
    standing(session, log_id)
    values = {"log_id": log_id, "size": size, "note": note, "received_us": received_us}
    session.run(PUT_CHECKPOINT, values | {"frontier": frontier})
    session.run(POINT_TO_NEWEST, {**values, "signed_us": signed_us})


def checkpoint_at(session: Session, log_id: int, size: int) -> bytes | None:
    """Return the note kept of a ledger at exactly this size."""
    row = session.row(SELECT_NOTE, {"log_id": log_id, "size": size})
    return None if row is None else bytes(row[0])
