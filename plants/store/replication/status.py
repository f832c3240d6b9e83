"""Writes the rows of `plants.store.replication.positions` in the caller's transaction."""

from dataclasses import dataclass, field, fields
from typing import Any

from infra.database import Session
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
    checkpoint_size: int | None = None
    checkpoint: bytes | None = None


STOOD = tuple(one.name for one in fields(Standing))
SELECT_ROW = f"SELECT {', '.join(STOOD)} FROM replication WHERE log_id = :log_id"


def standing(session: Session, log_id: int) -> Standing:
    """Return what is written down of a ledger; the first time, that nothing has travelled yet."""
    row = session.row(SELECT_ROW, {"log_id": log_id})
    if row is None:
        session.run(BEGIN_ROW, {"log_id": log_id, "state": ReplicationState.NEVER_MET, "frontier": b""})
        row = session.row(SELECT_ROW, {"log_id": log_id})
        assert row is not None
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
