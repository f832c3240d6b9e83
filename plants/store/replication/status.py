"""Replication status per ledger: its rows, what the replication jobs write there, and what queries read.

The rows are local to a node; only the replication jobs write them. A plant has one row for its own ledger and one
for its directives. The hub has the same two rows for each plant, seen from the hub's side.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Row, Session
from infra.messages import StoredMessage, Worded, store
from infra.roles import Keeping, table_options
from plants.rules.ledger.merkle import Frontier
from plants.rules.replication import pace
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import micros
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import Log
from plants.store.replication.projection_faults import ProjectionFault
from plants.store.sql.columns import big, key, octets, small, text

ALARM_LENGTH_MAX = 500  # characters of an alarm's English text


class ReplicationState(DescribedEnum):
    """State of replication between a plant and the hub. HUB_REGRESSED and later ones need an operator."""

    NEVER_MET = "NEVER_MET", "Plant and hub have not exchanged anything yet; check the enrolment and the connection."
    IN_SYNC = "IN_SYNC", "Plant and hub held the same entries at the last exchange."
    BEHIND = "BEHIND", "One side lacks entries that the other has; they are sent without an operator."
    UNREACHABLE = "UNREACHABLE", "The last exchange failed because the hub was busy or not reachable; it is retried."
    REFUSED = "REFUSED", "The last exchange was refused or its answer was invalid; it is retried, and `error` says why."
    HUB_REGRESSED = (
        "HUB_REGRESSED",
        "The hub lost entries that it had acknowledged; the plant returns them. Find out why they were lost.",
    )
    RESTORED = (
        "RESTORED",
        "The plant's store is older than the hub's copy of its ledger; the hub sends what is missing.",
    )
    DIVERGED = (
        "DIVERGED",
        "Plant and hub hold different entries at one position; the plant adopts the hub's and appends its own again.",
    )
    FENCED = "FENCED", "Another copy of the plant has taken over, so this one does not write; decide which copy stays."


class ReplicationRow(SQLModel, table=True):
    """Replication of one ledger between this node and its peer; times are microseconds since the epoch."""

    __tablename__ = "replication"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    state: str = text()
    alarm: str | None = text(None)  # in English
    alarm_code: str | None = text(None)
    alarm_data: str | None = text(None)  # JSON
    alarm_us: int | None = big(None)
    acknowledged: int = big(0)  # size that the mirroring side has cosigned
    frontier: bytes = octets(b"")  # of the tree at that size, at the node that wrote the ledger
    peer_size: int | None = big(None)  # size of the ledger at the peer, as last reported
    session: str | None = text(None)  # at the hub: the current session
    session_next: str | None = text(None)  # at the hub: issued to the holder of `session`, unused, space-separated
    offered: str | None = text(None)  # at the hub: issued to others, unused, space-separated
    displaced: str | None = text(None)  # at the hub: sessions that the last takeovers ended, space-separated
    take_over: int = small(0)  # at the plant: 1 after an operator chose this copy
    epoch: str | None = text(None)  # of the peer's store
    version: str | None = text(None)  # of the peer's program
    supported: str | None = text(None)  # canonical JSON: event type -> newest version that the peer reads
    skew_ms: int | None = big(None)  # the peer's clock less ours
    archived: int | None = big(None)  # at the plant: archived entries, as reported by the hub
    checkpoint_size: int | None = big(None)
    checkpoint: bytes | None = octets(None)  # the newest signed note with its cosignatures
    signed_us: int | None = big(None)  # when its writer signed it, by the writer's clock
    received_us: int | None = big(None)  # when this node received it
    contact_us: int | None = big(None)  # the last successful exchange
    attempted_us: int | None = big(None)
    attempts: int = big(0)  # since the last successful exchange
    backoff_ms: int = big(0)
    next_attempt_us: int = big(0)
    error: str | None = text(None)
    batch_entries: int = big(0)  # entries per request; 0 means the peer's limit
    pace: int | None = big(None)  # entries sent per 1000 seconds, see `plants.rules.replication.pace`
    applied_pace: int | None = big(None)  # at the hub: entries applied per 1000 seconds
    applied_us: int | None = big(None)  # at the hub: when the last entry was applied


class CheckpointRow(SQLModel, table=True):
    """A signed and cosigned checkpoint of a ledger; only the newest is kept per size."""

    __tablename__ = "checkpoints"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    size: int = key()
    note: bytes = octets()
    first_us: int = big()  # when this node first received one of this size
    received_us: int = big()
    frontier: bytes | None = octets(None)  # of the hub's own ledger at this size: proofs start there


COUNT_DISPUTED = "SELECT plant_id, COUNT(*) FROM disputes WHERE state = 'OPEN' GROUP BY plant_id"


SELECT_ARCHIVED = "SELECT log_id, size FROM archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantReplication:
    """Replication status of one plant's ledger and directives at this node; times are microseconds.

    `acknowledged` is the size that the hub holds and has cosigned. `directives_acknowledged` is the number of the
    hub's directives that the plant holds. `known_until_us` is when the newest checkpoint was signed or received,
    whichever is earlier: a clock that runs ahead must not make a ledger look fresh. `lag_seconds` is the age of that
    instant; later entries of the plant may be missing from an answer. Both are None before the first checkpoint.
    `entries_per_second` is the recent pace and `seconds_left` the time that pending entries need at it; both are None
    when nothing is pending or nothing has moved yet.
    """

    plant_id: int
    origin: str
    state: ReplicationState
    alarms: tuple[StoredMessage, ...]
    error: str | None
    size: int
    root: bytes
    projected: int
    acknowledged: int
    peer_size: int | None
    directives: int
    directives_acknowledged: int
    checkpoint_size: int | None
    checkpoint_us: int | None
    received_us: int | None
    known_until_us: int | None
    contact_us: int | None
    skew_ms: int | None
    version: str | None
    lag_seconds: int | None
    faults: int
    parked: int
    attempts: int
    next_attempt_us: int | None
    fenced: bool
    disputed: int
    archived: int | None
    entries_per_second: float | None
    seconds_left: int | None

    @property
    def waiting(self) -> int:
        """The number of entries without a receipt of the hub."""
        return max(0, self.size - self.acknowledged)


NO_ALARM: Final = {"alarm": None, "alarm_code": None, "alarm_data": None, "alarm_us": None}
"""The values of a row's alarm columns when there is none."""


def alarm_columns(said: Worded, now: datetime) -> dict[str, object]:
    """Return the values of a row's alarm columns."""
    kept = store(said, length_max=ALARM_LENGTH_MAX)
    return {"alarm": kept.text, "alarm_code": kept.code, "alarm_data": kept.data, "alarm_us": micros(now)}


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
SELECT_NOTE = "SELECT note FROM checkpoints WHERE log_id = :log_id AND size = :size"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationStatus:
    """A row of `replication` as typed values; see `ReplicationRow`."""

    state: ReplicationState = ReplicationState.NEVER_MET
    alarm: str | None = None
    alarm_code: str | None = None
    alarm_data: str | None = None
    error: str | None = None
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

    @property
    def said(self) -> StoredMessage | None:
        """The message of the alarm, or None where there is none."""
        return None if self.alarm is None else StoredMessage(self.alarm, self.alarm_code, self.alarm_data)


STATUS_COLUMNS = tuple(one.name for one in fields(ReplicationStatus))
SELECT_ROW = f"SELECT {', '.join(STATUS_COLUMNS)} FROM replication WHERE log_id = :log_id"


def ledger_status(session: Session, log_id: int) -> ReplicationStatus:
    """Return the status of a ledger; inserts its row on first use."""
    row = session.row(SELECT_ROW, {"log_id": log_id})
    if row is None:
        session.run(BEGIN_ROW, {"log_id": log_id, "state": ReplicationState.NEVER_MET, "frontier": b""})
        row = session.row(SELECT_ROW, {"log_id": log_id})
        assert row is not None
    return _status_of_row(row)


def known(reads: Session | ReadSession, log_id: int) -> ReplicationStatus:
    """Return the status of a ledger, or the initial one where there is no row; inserts none."""
    rows = reads.rows(SELECT_ROW, {"log_id": log_id})
    return _status_of_row(rows[0]) if rows else ReplicationStatus()


def _status_of_row(row: Row) -> ReplicationStatus:
    found = dict(zip(STATUS_COLUMNS, row, strict=True))
    frontier, checkpoint = found["frontier"], found["checkpoint"]
    sessions = {name: tuple((found[name] or "").split()) for name in ("session_next", "offered", "displaced")}
    return ReplicationStatus(
        **found
        | sessions
        | {
            "state": ReplicationState(found["state"]),
            # The hub stores no frontier here: the ledger's head has it.
            "frontier": Frontier.from_bytes(found["acknowledged"], frontier) if frontier else Frontier(),
            "take_over": bool(found["take_over"]),
            "checkpoint": None if checkpoint is None else bytes(checkpoint),
        }
    )


def amend(session: Session, log_id: int, /, **columns: Any) -> None:
    """Update some columns of a ledger's row, inserting it if missing; raises KeyError for an unknown column."""
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
    """Store a verified note, replacing an older one of the same size.

    `frontier` is that of the tree at this size; give it where proofs start at this size.
    """
    ledger_status(session, log_id)
    values = {"log_id": log_id, "size": size, "note": note, "received_us": received_us}
    session.run(PUT_CHECKPOINT, values | {"frontier": frontier})
    session.run(POINT_TO_NEWEST, {**values, "signed_us": signed_us})


def checkpoint_at(session: Session, log_id: int, size: int) -> bytes | None:
    """Return the stored note of a ledger at exactly this size, or None."""
    row = session.row(SELECT_NOTE, {"log_id": log_id, "size": size})
    return None if row is None else bytes(row[0])


def keep_applied_pace(session: Session, log_id: int, pace: int | None, now_us: int) -> None:
    """Store how fast a plant's entries were applied lately, if the ledger has a status."""
    session.run(KEEP_APPLIED_PACE, {"log_id": log_id, "pace": pace, "now_us": now_us})


def plant_clocks(reads: ReadSession) -> list[tuple[str, str, int | None]]:
    """Return the origin, newest stamp (`hlc`) and last measured skew in milliseconds of each plant that has entries."""
    return [(origin, stamp, skew_ms) for origin, stamp, skew_ms in reads.rows(SELECT_CLOCKS)]


def replication_status(reads: ReadSession, scope: PlantScope, *, now: datetime) -> list[PlantReplication]:
    """Return the status of the plants in the scope whose ledgers this store holds, by plant number."""
    plants = [plant for plant in scope if plant > 0]
    logs = _by_log(reads.exec(select(Log).where(col(Log.log_id).in_([*plants, *(-plant for plant in plants)]))))
    wanted = col(ReplicationRow.log_id).in_(logs)
    rows = _by_log(reads.exec(select(ReplicationRow).where(wanted)))
    faults: dict[int, list[bool]] = {}
    counting = select(ProjectionFault.log_id, ProjectionFault.error).where(col(ProjectionFault.log_id).in_(plants))
    for log_id, error in reads.exec(counting):
        faults.setdefault(log_id, []).append(error is not None)
    disputed: dict[int, int] = dict(reads.rows(COUNT_DISPUTED))
    archived: dict[int, int] = dict(reads.rows(SELECT_ARCHIVED))
    return [
        _status(
            (logs[plant], logs.get(-plant)),
            (rows.get(plant), rows.get(-plant)),
            (faults.get(plant, []), disputed.get(plant, 0), archived.get(plant)),
            now,
        )
        for plant in sorted(plants)
        if plant in logs
    ]


def _by_log(rows: Iterable[Any]) -> dict[int, Any]:
    return {row.log_id: row for row in rows}


def _status(
    logs: tuple[Log, Log | None],
    rows: tuple[ReplicationRow | None, ReplicationRow | None],
    counted: tuple[list[bool], int, int | None],
    now: datetime,
) -> PlantReplication:
    (log, directives), (own, directed), (faults, disputed, archived) = logs, rows, counted
    row = own or ReplicationRow(log_id=log.log_id, state=ReplicationState.NEVER_MET)
    alarms = tuple(
        StoredMessage(each.alarm, each.alarm_code, each.alarm_data)
        for each in (row, directed)
        if each is not None and each.alarm is not None
    )
    until_us = row.signed_us
    if until_us is not None and row.received_us is not None:
        until_us = min(until_us, row.received_us)
    ahead = pace.ahead(_to_travel(log, row), row.pace, log.size - log.projected, row.applied_pace)
    return PlantReplication(
        plant_id=log.log_id,
        origin=log.origin,
        state=ReplicationState(row.state),
        alarms=alarms,
        error=row.error,
        size=log.size,
        root=Frontier.from_bytes(log.size, log.frontier).root(),
        projected=log.projected,
        acknowledged=row.acknowledged,
        peer_size=row.peer_size,
        directives=0 if directives is None else directives.size,
        directives_acknowledged=0 if directed is None else directed.acknowledged,
        checkpoint_size=row.checkpoint_size,
        checkpoint_us=row.signed_us,
        received_us=row.received_us,
        contact_us=row.contact_us,
        skew_ms=row.skew_ms,
        version=row.version,
        known_until_us=until_us,
        lag_seconds=None if until_us is None else max(0, (micros(now) - until_us) // 1_000_000),
        faults=sum(faults),
        parked=len(faults),
        attempts=row.attempts or 0,
        next_attempt_us=row.next_attempt_us or None,
        fenced=bool(log.fenced),
        disputed=disputed,
        archived=row.archived if archived is None else archived,
        entries_per_second=ahead.entries_per_second,
        seconds_left=ahead.seconds,
    )


def _to_travel(log: Log, row: ReplicationRow) -> int:
    """Return how many entries the hub lacks, by this store's ledger or by the size that the plant reported."""
    return max(log.size - row.acknowledged, (row.peer_size or 0) - log.size, 0)
