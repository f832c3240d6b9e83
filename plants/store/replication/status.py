"""Writes the rows of `plants.store.replication.positions` in the caller's transaction."""

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from infra.database import ReadSession, Row, Session
from plants.rules.ledger.merkle import Frontier
from plants.store.replication.positions import ReplicationRow, ReplicationState

COLUMNS = frozenset(ReplicationRow.model_fields) - {"log_id"}
BEGIN_ROW = (
    "INSERT INTO replication (log_id, state, acknowledged, frontier, attempts, backoff_ms, next_attempt_us,"
    " batch_entries, take_over) VALUES (:log_id, :state, 0, :frontier, 0, 0, 0, 0, 0) ON CONFLICT (log_id) DO NOTHING"
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
KEEP_APPLIED_PACE = "UPDATE replication SET applied_pace = :pace, applied_us = :now_us WHERE log_id = :log_id"
SELECT_CLOCKS = (
    "SELECT logs.origin, logs.hlc, replication.skew_ms FROM logs"
    " LEFT JOIN replication ON replication.log_id = logs.log_id WHERE logs.log_id > 0 AND logs.size > 0"
)
SELECT_SIGNED = (
    "SELECT logs.log_id, logs.origin, logs.size, replication.checkpoint_size, replication.received_us FROM logs"
    " LEFT JOIN replication ON replication.log_id = logs.log_id ORDER BY ABS(logs.log_id), logs.log_id"
)
SELECT_NOTES = (
    "SELECT size, note FROM checkpoints WHERE log_id = :log_id AND size > :low AND size <= :high ORDER BY size"
)
SELECT_NEWEST_NOTES = "SELECT size, note FROM checkpoints WHERE log_id = :log_id ORDER BY size DESC LIMIT :most"
SELECT_NOTE_UP_TO = (
    "SELECT size, note, received_us FROM checkpoints WHERE log_id = :log_id AND size <= :high"
    " ORDER BY size DESC LIMIT 1"
)
DELETE_NOTES_BEYOND = "DELETE FROM checkpoints WHERE log_id = :log_id AND size > :size"
SELECT_NOTE = "SELECT note FROM checkpoints WHERE log_id = :log_id AND size = :size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is written down of one ledger; see `plants.store.replication.positions.ReplicationRow`."""

    state: ReplicationState = ReplicationState.NEVER_MET
    alarm: str | None = None
    acknowledged: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    session: str | None = None
    session_next: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    take_over: bool = False
    epoch: str | None = None
    received_us: int | None = None
    attempted_us: int | None = None
    attempts: int = 0
    backoff_ms: int = 0
    next_attempt_us: int = 0
    batch_entries: int = 0
    pace: int | None = None
    applied_pace: int | None = None
    applied_us: int | None = None
    checkpoint_size: int | None = None
    checkpoint: bytes | None = None


class KeptNote(NamedTuple):
    """A checkpoint: the size that it covers, its note, and when this node received it."""

    size: int
    note: bytes
    received_us: int


class SignedLedger(NamedTuple):
    """A ledger as this store has it; `signed` is the largest size that a checkpoint covers."""

    log_id: int
    origin: str
    size: int
    signed: int
    received_us: int


STOOD = tuple(one.name for one in fields(Standing))
SELECT_ROW = f"SELECT {', '.join(STOOD)} FROM replication WHERE log_id = :log_id"


def standing(session: Session, log_id: int) -> Standing:
    """Return what is written down of a ledger; the first time, that nothing has travelled yet."""
    row = session.row(SELECT_ROW, {"log_id": log_id})
    if row is None:
        session.run(BEGIN_ROW, {"log_id": log_id, "state": ReplicationState.NEVER_MET, "frontier": b""})
        row = session.row(SELECT_ROW, {"log_id": log_id})
        assert row is not None
    return _standing(row)


def known(reads: Session | ReadSession, log_id: int) -> Standing:
    """Return the status of a ledger, or that of a ledger never exchanged where there is no row; writes nothing."""
    rows = reads.rows(SELECT_ROW, {"log_id": log_id})
    return _standing(rows[0]) if rows else Standing()


def _standing(row: Row) -> Standing:
    found = dict(zip(STOOD, row, strict=True))
    frontier, checkpoint = found["frontier"], found["checkpoint"]
    sessions = {name: tuple((found[name] or "").split()) for name in ("session_next", "offered", "displaced")}
    return Standing(
        **found
        | sessions
        | {
            "state": ReplicationState(found["state"]),
            # The hub keeps no frontier of its own beside the ledger's head.
            "frontier": Frontier.from_bytes(found["acknowledged"], frontier) if frontier else Frontier(),
            "take_over": bool(found["take_over"]),
            "checkpoint": None if checkpoint is None else bytes(checkpoint),
        }
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


def notes_between(reads: ReadSession, log_id: int, low: int, high: int) -> list[tuple[int, bytes]]:
    """Return sizes and notes of the checkpoints above `low` and up to `high`, smallest first."""
    rows = reads.rows(SELECT_NOTES, {"log_id": log_id, "low": low, "high": high})
    return [(int(size), bytes(note)) for size, note in rows]


def newest_notes(reads: Session | ReadSession, log_id: int, most: int) -> list[tuple[int, bytes]]:
    """Return sizes and notes of the newest checkpoints of a ledger, largest first."""
    rows = reads.rows(SELECT_NEWEST_NOTES, {"log_id": log_id, "most": most})
    return [(int(size), bytes(note)) for size, note in rows]


def note_up_to(reads: ReadSession, log_id: int, high: int) -> KeptNote | None:
    """Return the largest checkpoint of a ledger up to a size."""
    rows = reads.rows(SELECT_NOTE_UP_TO, {"log_id": log_id, "high": high})
    return KeptNote(rows[0][0], bytes(rows[0][1]), rows[0][2]) if rows else None


def delete_notes_beyond(session: Session, log_id: int, size: int) -> None:
    """Delete the checkpoints above a size, because the ledger that they cover no longer exists here."""
    session.run(DELETE_NOTES_BEYOND, {"log_id": log_id, "size": size})


def keep_applied_pace(session: Session, log_id: int, pace: int | None, now_us: int) -> None:
    """Store how fast a plant's entries were applied lately, if the ledger has a status."""
    session.run(KEEP_APPLIED_PACE, {"log_id": log_id, "pace": pace, "now_us": now_us})


def plant_clocks(reads: ReadSession) -> list[tuple[str, str, int | None]]:
    """Return the origin, newest stamp (`hlc`) and last measured skew in milliseconds of each plant that has entries."""
    return [(origin, stamp, skew_ms) for origin, stamp, skew_ms in reads.rows(SELECT_CLOCKS)]


def signed_ledgers(reads: ReadSession) -> list[SignedLedger]:
    """Return all ledgers of this store with the size that a checkpoint covers, in the order of their numbers."""
    return [
        SignedLedger(log_id, origin, size, min(signed or 0, size), received_us or 0)
        for log_id, origin, size, signed, received_us in reads.rows(SELECT_SIGNED)
    ]
