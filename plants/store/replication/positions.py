"""How far each ledger has travelled: checkpoints, receipts, alarms and parked entries, and the status read from them.

The rows are local to a node and written by the replication jobs alone; the status is here so that whoever answers
questions can read it. One form serves both roles: a plant has a row for its own ledger (what the hub has) and one for
its directives (what it has of them); the hub has both for each plant, seen from the other side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Integer
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession
from infra.roles import Keeping, Role, table_options
from plants.rules.ledger.merkle import Frontier
from plants.rules.replication import pace
from plants.rules.values.instants import micros
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import Log
from plants.store.sql.columns import big, key, octets, small, text


class ReplicationState(StrEnum):
    """How a ledger stands with the other side. From HUB_REGRESSED on nothing moves until a person has looked."""

    NEVER_MET = "NEVER_MET"
    IN_SYNC = "IN_SYNC"
    BEHIND = "BEHIND"
    UNREACHABLE = "UNREACHABLE"
    REFUSED = "REFUSED"
    HUB_REGRESSED = "HUB_REGRESSED"
    RESTORED = "RESTORED"
    DIVERGED = "DIVERGED"
    FENCED = "FENCED"


class ReplicationRow(SQLModel, table=True):
    """Where one ledger stands between this node and the other one; times are microseconds since the epoch."""

    __tablename__ = "replication"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    state: str = text()
    alarm: str | None = text(None)
    alarm_us: int | None = big(None)
    acknowledged: int = big(0)  # what the side that mirrors the ledger has cosigned
    frontier: bytes = octets(b"")  # of the tree at that size, at the node that wrote the ledger
    peer_size: int | None = big(None)  # the ledger's size at the other side, as it last said
    session: str | None = text(None)  # at the hub the one that counts
    session_next: str | None = text(None)  # at the hub: given to who has that one, not used yet, space-separated
    offered: str | None = text(None)  # at the hub: given to others, not used yet, space-separated
    displaced: str | None = text(None)  # at the hub: the last sessions that a takeover ended, space-separated
    take_over: int = small(0)  # at the plant: 1 when a person has said that this copy is the one
    epoch: str | None = text(None)  # of the other side's store
    version: str | None = text(None)  # of the other side's program
    supported: str | None = text(None)  # canonical JSON: event type -> newest version the other side reads
    skew_ms: int | None = big(None)  # the other side's clock less ours
    archived: int | None = big(None)  # how many entries of it the hub says are archived; at the plant
    checkpoint_size: int | None = big(None)
    checkpoint: bytes | None = octets(None)  # the newest signed note with its cosignatures
    signed_us: int | None = big(None)  # when its own side signed it, by its own clock
    received_us: int | None = big(None)  # when this node got it
    contact_us: int | None = big(None)  # the last exchange that went well
    attempted_us: int | None = big(None)
    attempts: int = big(0)  # since the last exchange that went well
    backoff_ms: int = big(0)
    next_attempt_us: int = big(0)
    error: str | None = text(None)
    batch_entries: int = big(0)  # how many go in one request; 0 is the other side's limit
    pace: int | None = big(None)  # entries that lately travelled in 1000 seconds, see `plants.rules.replication.pace`
    applied_pace: int | None = big(None)  # entries that were lately applied in 1000 seconds; at the hub
    applied_us: int | None = big(None)  # when the last of them were; at the hub


class CheckpointRow(SQLModel, table=True):
    """A signed and cosigned checkpoint of a ledger; of several at one size the newest."""

    __tablename__ = "checkpoints"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    size: int = key()
    note: bytes = octets()
    first_us: int = big()  # when this node first had one of this size
    received_us: int = big()
    frontier: bytes | None = octets(None)  # of the hub's own ledger at this size, so that proofs begin there


class ProjectionFault(SQLModel, table=True):
    """An entry that could not be applied to the tables, or that waits behind one: `error` is empty for the latter."""

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
    next_attempt_us: int | None = big(None)  # empty: only a person, or a newer program, tries again
    needs_version: int | None = big(None)  # of its type, where this program does not know that; costs no attempts


COUNT_DISPUTED = "SELECT plant_id, COUNT(*) FROM disputes WHERE state = 'OPEN' GROUP BY plant_id"
SELECT_ARCHIVED = "SELECT log_id, size FROM archived"
HALTED = "*"
"""The key of a fault that stops all further projection of a ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantReplication:
    """How one plant's ledger and its directives stand, as this node knows it; times are microseconds.

    `acknowledged` is what the hub holds and has cosigned, `directives_acknowledged` what the plant has of the hub's
    directives. `known_until_us` is when the newest checkpoint was signed, or came, whichever is earlier, so that no
    clock that is ahead makes a ledger look fresh; `lag_seconds` is its age: what the plant wrote since then may not be
    in an answer. None where there never was one. `seconds_left` is how long what is on its way will take at the pace
    of lately, `entries_per_second`; both None where nothing is, or none has moved yet.
    """

    plant_id: int
    origin: str
    state: ReplicationState
    alarm: str | None
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
        """How many entries the hub has no receipt for."""
        return max(0, self.size - self.acknowledged)


def replication_status(reads: ReadSession, scope: PlantScope, *, now: datetime) -> list[PlantReplication]:
    """Return how the plants in the scope stand, in the order of their numbers: at a plant itself, at the hub all."""
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


def projection_faults(reads: ReadSession, scope: PlantScope, *, first: int = 100) -> list[ProjectionFault]:
    """Return the entries that could not be applied, or wait behind one, by plant and position."""
    found = select(ProjectionFault).where(col(ProjectionFault.log_id).in_(scope))
    return list(reads.exec(found.order_by(col(ProjectionFault.log_id), col(ProjectionFault.idx)).limit(first)))


def checkpoints_between(reads: ReadSession, log_id: int, low: int, high: int) -> list[CheckpointRow]:
    """Return the signed checkpoints kept of a ledger with low <= size <= high, smallest first."""
    row = CheckpointRow
    within = (row.log_id == log_id, row.size >= low, row.size <= high)
    return list(reads.exec(select(row).where(*within).order_by(col(row.size))))


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
    alarms = [each.alarm for each in (row, directed) if each is not None and each.alarm is not None]
    until_us = row.signed_us
    if until_us is not None and row.received_us is not None:
        until_us = min(until_us, row.received_us)
    ahead = pace.ahead(_to_travel(log, row), row.pace, log.size - log.projected, row.applied_pace)
    return PlantReplication(
        plant_id=log.log_id,
        origin=log.origin,
        state=ReplicationState(row.state),
        alarm="; ".join(alarms) or None,
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
    """Return how many entries the hub does not have yet: by our own ledger, or by what the plant has said of its."""
    return max(log.size - row.acknowledged, (row.peer_size or 0) - log.size, 0)
