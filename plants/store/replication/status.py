"""Replication status per ledger: its rows, what the replication jobs write there, and what queries read.

The rows are local to a node; only the replication jobs write them. A plant has one row for its own ledger and one
for its directives. The hub has the same two rows for each plant, seen from the hub's side.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Integer, Update, bindparam, func, or_, update
from sqlalchemy import select as select_columns  # SQLModel's own is typed for four columns at most
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import Field, SQLModel, col, select

from infra.columns import SPACED, FlagSmallInteger, JsonText, instant, member, words
from infra.database import ReadSession, Row, Session
from infra.messages import StoredMessage, Worded, store
from infra.roles import Keeping, table_options
from plants.rules.ledger.merkle import Frontier
from plants.rules.replication import pace
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import EPOCH
from plants.rules.values.scope import PlantScope
from plants.store.ledger.archive import ArchivedRow
from plants.store.ledger.entries import Log
from plants.store.replication.disputes import DisputeRow, DisputeState
from plants.store.replication.projection_faults import ProjectionFault
from plants.store.sql.columns import big, key, octets, text

ALARM_LENGTH_MAX = 500  # characters of an alarm's English text


class ReplicationState(DescribedEnum):
    """State of replication between a plant and the hub. HUB_REGRESSED and later ones need an operator."""

    NEVER_MET = "NEVER_MET", "Plant and hub have not exchanged anything yet; check the enrolment and the connection."
    IN_SYNC = "IN_SYNC", "Plant and hub held the same entries at the last exchange."
    BEHIND = "BEHIND", "One side lacks entries that the other has; they are sent without an operator."
    UNREACHABLE = "UNREACHABLE", "The last exchange failed because the hub was busy or not reachable; it is retried."
    REFUSED = "REFUSED", "The last exchange was refused or its answer was invalid; it is retried, and `error` says why."
    HUB_REGRESSED = "HUB_REGRESSED", "The hub lost acknowledged entries and gets them from the plant; find the cause."
    RESTORED = "RESTORED", "The plant's store is older than the hub's copy of its ledger; it gets what is missing."
    DIVERGED = "DIVERGED", "The two ledgers differ; the plant adopts the hub's entries and appends its own again."
    FENCED = "FENCED", "Another copy of the plant has taken over, so this one does not write; decide which copy stays."


class ReplicationRow(SQLModel, table=True):
    """Replication of one ledger between this node and its peer."""

    __tablename__ = "replication"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    state: ReplicationState = member(ReplicationState)
    alarm: str | None = text(None)  # in English
    alarm_code: str | None = text(None)
    alarm_data: dict[str, Any] | None = Field(default=None, sa_type=JsonText(SPACED))
    alarm_at: datetime | None = instant("alarm_us", optional=True)
    acknowledged: int = big(0)  # size that the mirroring side has cosigned
    frontier: bytes = octets(b"")  # of the tree at that size, at the node that wrote the ledger
    peer_size: int | None = big(None)  # size of the ledger at the peer, as last reported
    session: str | None = text(None)  # at the hub: the current session
    session_next: tuple[str, ...] = words()  # at the hub: issued to the holder of `session`, unused
    offered: tuple[str, ...] = words()  # at the hub: issued to others, unused
    displaced: tuple[str, ...] = words()  # at the hub: sessions that the last takeovers ended
    take_over: bool = Field(default=False, sa_type=FlagSmallInteger)  # at the plant: an operator chose this copy
    epoch: str | None = text(None)  # of the peer's store
    version: str | None = text(None)  # of the peer's program
    supported: dict[str, int] | None = Field(default=None, sa_type=JsonText)  # event type -> version the peer reads
    skew_ms: int | None = big(None)  # the peer's clock less ours
    archived: int | None = big(None)  # at the plant: archived entries, as reported by the hub
    checkpoint_size: int | None = big(None)
    checkpoint: bytes | None = octets(None)  # the newest signed note with its cosignatures
    signed_at: datetime | None = instant("signed_us", optional=True)  # by the clock of its writer
    received_at: datetime | None = instant("received_us", optional=True)  # at this node
    contact_at: datetime | None = instant("contact_us", optional=True)  # the last successful exchange
    attempted_at: datetime | None = instant("attempted_us", optional=True)
    attempts: int = big(0)  # since the last successful exchange
    backoff_ms: int = big(0)
    next_attempt_at: datetime = instant("next_attempt_us", default=EPOCH)  # EPOCH means at once
    error: str | None = text(None)
    batch_entries: int = big(0)  # entries per request; 0 means the peer's limit
    pace: int | None = big(None)  # entries sent per 1000 seconds, see `plants.rules.replication.pace`
    applied_pace: int | None = big(None)  # at the hub: entries applied per 1000 seconds
    applied_at: datetime | None = instant("applied_us", optional=True)  # at the hub: when the last entry was applied

    @property
    def said(self) -> StoredMessage | None:
        """The message of the alarm, or None where there is none."""
        return None if self.alarm is None else StoredMessage(self.alarm, self.alarm_code, self.alarm_data)


class CheckpointRow(SQLModel, table=True):
    """A signed and cosigned checkpoint of a ledger; only the newest is kept per size."""

    __tablename__ = "checkpoints"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    size: int = key()
    note: bytes = octets()
    first_at: datetime = instant("first_us")  # when this node first received one of this size
    received_at: datetime = instant("received_us")
    frontier: bytes | None = octets(None)  # of the hub's own ledger at this size: proofs start there


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantReplication:
    """Replication status of one plant's ledger and directives at this node.

    `acknowledged` is the size that the hub holds and has cosigned. `directives_acknowledged` is the number of the
    hub's directives that the plant holds. `known_until` is when the newest checkpoint was signed or received,
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
    checkpoint_at: datetime | None
    received_at: datetime | None
    known_until: datetime | None
    contact_at: datetime | None
    skew_ms: int | None
    version: str | None
    lag_seconds: int | None
    faults: int
    parked: int
    attempts: int
    next_attempt_at: datetime | None
    fenced: bool
    disputed: int
    archived: int | None
    entries_per_second: float | None
    seconds_left: int | None

    @property
    def waiting(self) -> int:
        """The number of entries without a receipt of the hub."""
        return max(0, self.size - self.acknowledged)


NO_ALARM: Final = {"alarm": None, "alarm_code": None, "alarm_data": None, "alarm_at": None}
"""The values of a row's alarm columns when there is none."""


def alarm_columns(said: Worded, now: datetime) -> dict[str, object]:
    """Return the values of a row's alarm columns."""
    kept = store(said, length_max=ALARM_LENGTH_MAX)
    return {"alarm": kept.text, "alarm_code": kept.code, "alarm_data": kept.data, "alarm_at": now}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationStatus:
    """Columns of a `ReplicationRow` as the replication jobs read them, without the cost of a mapped row."""

    state: ReplicationState = ReplicationState.NEVER_MET
    alarm: str | None = None
    alarm_code: str | None = None
    alarm_data: dict[str, Any] | None = None
    error: str | None = None
    acknowledged: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    session: str | None = None
    session_next: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    take_over: bool = False
    epoch: str | None = None
    received_at: datetime | None = None
    contact_at: datetime | None = None
    attempted_at: datetime | None = None
    attempts: int = 0
    backoff_ms: int = 0
    next_attempt_at: datetime = EPOCH
    batch_entries: int = 0
    pace: int | None = None
    applied_pace: int | None = None
    applied_at: datetime | None = None
    checkpoint_size: int | None = None
    checkpoint: bytes | None = None

    @property
    def said(self) -> StoredMessage | None:
        """The message of the alarm, or None where there is none."""
        return None if self.alarm is None else StoredMessage(self.alarm, self.alarm_code, self.alarm_data)


# Declared once and run on the driver: each request of an exchange and each slice of the projection runs some of them.
ROW: Final = ReplicationRow
OF_LEDGER: Final = col(ROW.log_id) == bindparam("ledger")
STATUS_COLUMNS: Final = tuple(one.name for one in fields(ReplicationStatus))
SELECT_ROW: Final = select_columns(*(getattr(ROW, name) for name in STATUS_COLUMNS)).where(OF_LEDGER)
BEGIN_ROW: Final = (
    insert(ROW)
    .values(log_id=bindparam("ledger"), state=ReplicationState.NEVER_MET, acknowledged=0, frontier=b"", attempts=0)
    .values(backoff_ms=0, next_attempt_at=EPOCH, batch_entries=0, take_over=False)
    .on_conflict_do_nothing()
)
NEW_CHECKPOINT: Final = insert(CheckpointRow)
PUT_CHECKPOINT: Final = NEW_CHECKPOINT.on_conflict_do_update(
    index_elements=["log_id", "size"],
    set_={
        "note": NEW_CHECKPOINT.excluded.note,
        "received_us": NEW_CHECKPOINT.excluded.received_us,
        "frontier": func.coalesce(NEW_CHECKPOINT.excluded.frontier, CheckpointRow.frontier),
    },
)
POINT_TO_NEWEST: Final = (
    update(ROW)
    .where(OF_LEDGER, or_(col(ROW.checkpoint_size).is_(None), col(ROW.checkpoint_size) <= bindparam("size")))
    .values(checkpoint_size=bindparam("size"), checkpoint=bindparam("note"))
    .values(signed_at=bindparam("signed"), received_at=bindparam("received"))
)
SELECT_NOTE: Final = select(CheckpointRow.note).where(
    col(CheckpointRow.log_id) == bindparam("ledger"), col(CheckpointRow.size) == bindparam("size")
)

IS_DISPUTED: Final = DisputeRow.state == DisputeState.OPEN
COUNT_DISPUTED: Final = select(DisputeRow.plant_id, func.count()).where(IS_DISPUTED).group_by(col(DisputeRow.plant_id))
SELECT_ARCHIVED: Final = select(ArchivedRow.log_id, ArchivedRow.size)


@cache
def _amend(names: tuple[str, ...]) -> Update:
    """Return the statement that updates these fields; raises KeyError for an unknown one."""
    unknown = set(names) - (ROW.model_fields.keys() - {"log_id"})
    if unknown:
        raise KeyError(*unknown)
    return update(ROW).where(OF_LEDGER).values({name: bindparam(f"new_{name}") for name in names})


def ledger_status(session: Session, log_id: int) -> ReplicationStatus:
    """Return the status of a ledger; inserts its row on first use."""
    row = session.row(SELECT_ROW, {"ledger": log_id})
    if row is None:
        session.run(BEGIN_ROW, {"ledger": log_id})
        row = session.row(SELECT_ROW, {"ledger": log_id})
        assert row is not None
    return _status_of_row(row)


def known(reads: Session | ReadSession, log_id: int) -> ReplicationStatus:
    """Return the status of a ledger, or the initial one where there is no row; inserts none."""
    rows = reads.rows(SELECT_ROW, {"ledger": log_id})
    return _status_of_row(rows[0]) if rows else ReplicationStatus()


def _status_of_row(row: Row) -> ReplicationStatus:
    found = dict(zip(STATUS_COLUMNS, row, strict=True))
    frontier = found["frontier"]
    # The hub stores no frontier here: the ledger's head has it.
    found["frontier"] = Frontier.from_bytes(found["acknowledged"], frontier) if frontier else Frontier()
    return ReplicationStatus(**found)


def amend(session: Session, log_id: int, /, **changes: Any) -> None:
    """Update some fields of a ledger's row, inserting it if missing; raises KeyError for an unknown field."""
    statement = _amend(tuple(changes))
    given = {"ledger": log_id, **{f"new_{name}": value for name, value in changes.items()}}
    if session.run(statement, given) == 0:
        session.run(BEGIN_ROW, {"ledger": log_id})
        session.run(statement, given)


def keep_checkpoint(
    session: Session,
    log_id: int,
    size: int,
    note: bytes,
    *,
    signed_at: datetime | None,
    received_at: datetime,
    frontier: bytes | None = None,
) -> None:
    """Store a verified note, replacing an older one of the same size.

    `frontier` is that of the tree at this size; give it where proofs start at this size.
    """
    ledger_status(session, log_id)
    instants = {"first_us": received_at, "received_us": received_at}
    session.run(PUT_CHECKPOINT, {"log_id": log_id, "size": size, "note": note, "frontier": frontier, **instants})
    newest = {"signed": signed_at, "received": received_at}
    session.run(POINT_TO_NEWEST, {"ledger": log_id, "size": size, "note": note, **newest})


def checkpoint_at(session: Session, log_id: int, size: int) -> bytes | None:
    """Return the stored note of a ledger at exactly this size, or None."""
    row = session.row(SELECT_NOTE, {"ledger": log_id, "size": size})
    return None if row is None else row[0]


def keep_applied_pace(session: Session, log_id: int, pace: int | None, now: datetime) -> None:
    """Store how fast a plant's entries were applied lately, if the ledger has a status."""
    given = {"ledger": log_id, "new_applied_pace": pace, "new_applied_at": now}
    session.run(_amend(("applied_pace", "applied_at")), given)


def plant_clocks(reads: ReadSession) -> list[tuple[str, str, int | None]]:
    """Return the origin, newest stamp (`hlc`) and last measured skew in milliseconds of each plant that has entries."""
    found = select(Log.origin, Log.hlc, ROW.skew_ms).outerjoin(ROW, col(ROW.log_id) == col(Log.log_id))
    return list(reads.exec(found.where(Log.log_id > 0, Log.size > 0)))


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
    alarms = tuple(each.said for each in (row, directed) if each is not None and each.said is not None)
    until = row.signed_at
    if until is not None and row.received_at is not None:
        until = min(until, row.received_at)
    ahead = pace.ahead(_to_travel(log, row), row.pace, log.size - log.projected, row.applied_pace)
    return PlantReplication(
        plant_id=log.log_id,
        origin=log.origin,
        state=row.state,
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
        checkpoint_at=row.signed_at,
        received_at=row.received_at,
        contact_at=row.contact_at,
        skew_ms=row.skew_ms,
        version=row.version,
        known_until=until,
        lag_seconds=None if until is None else max(0, (now - until) // timedelta(seconds=1)),
        faults=sum(faults),
        parked=len(faults),
        attempts=row.attempts or 0,
        next_attempt_at=None if row.next_attempt_at == EPOCH else row.next_attempt_at,
        fenced=bool(log.fenced),
        disputed=disputed,
        archived=row.archived if archived is None else archived,
        entries_per_second=ahead.entries_per_second,
        seconds_left=ahead.seconds,
    )


def _to_travel(log: Log, row: ReplicationRow) -> int:
    """Return how many entries the hub lacks, by this store's ledger or by the size that the plant reported."""
    return max(log.size - row.acknowledged, (row.peer_size or 0) - log.size, 0)
