"""Every condition of a node that needs an operator, in one list: alarms, stopped replication, parked entries.

Replication rows and projection faults exist only while the condition lasts. An alarm row of the same kind and subject
replaces them, because it is counted and has a history.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select

from infra.database import ReadSession
from infra.messages import StoredMessage, message, store
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import EPOCH
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import Log
from plants.store.monitoring.alarms import TEXT_LENGTH_MAX, AlarmKind
from plants.store.monitoring.alarms import alarms as alarm_rows
from plants.store.replication.projection_faults import HALTED, ProjectionFault
from plants.store.replication.status import ReplicationRow, ReplicationState

ROWS_MAX = 1_000  # alarms looked through for those that the asker may see
KINDS = {
    ReplicationState.RESTORED: AlarmKind.PLANT_RESTORED,
    ReplicationState.DIVERGED: AlarmKind.LEDGER_DIVERGED,
    ReplicationState.HUB_REGRESSED: AlarmKind.HUB_REGRESSED,
    ReplicationState.FENCED: AlarmKind.PLANT_FENCED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSeen:
    """One alarm. `about` names the subject within the kind. `over_at` is None while open."""

    kind: AlarmKind
    about: str
    said: StoredMessage
    first_at: datetime
    last_at: datetime
    times: int
    over_at: datetime | None = None


PARKED: Final = message(
    "ENTRIES_PARKED", "{count} entries could not be applied, the first at {index}: {why}. Decide what becomes of them."
)


def alarms_seen(
    reads: ReadSession, scope: PlantScope, *, own: int = HUB, over: bool = False, first: int = 100
) -> list[AlarmSeen]:
    """Return the alarms of this node, the newest first; with `over` also those that have ended.

    `own` is the number of the plant whose node this is: users who may see that plant see all alarms. At the hub (0)
    users with a grant for the group see all, others only those about the ledgers of plants in their scope.
    """
    logs: dict[int, str] = dict(reads.exec(select(Log.log_id, Log.origin)).all())
    plants = {abs(log_id): logs[log_id] for log_id in logs if abs(log_id) in scope}
    everything = own in scope
    if not everything and not plants:
        return []
    names = [origin for log_id, origin in logs.items() if abs(log_id) in plants]
    rows = [
        AlarmSeen(
            kind=row.kind,
            about=row.about,
            said=row.said,
            first_at=row.first_at,
            last_at=row.last_at,
            times=row.times,
            over_at=row.over_at,
        )
        for row in alarm_rows(reads, over=over, first=ROWS_MAX)
        if everything or any(_is_about(row.about, name) for name in names)
    ]
    standing = [row for row in rows if row.over_at is None]
    also = [*_stopped(reads, logs), *_parked(reads, logs)]
    rows += [
        one
        for one in also
        if not any(_is_the_same(one, row) for row in standing)
        and (everything or any(_is_about(one.about, name) for name in names))
    ]
    return sorted(rows, key=lambda one: (EPOCH - one.last_at, one.kind, one.about))[:first]


def _is_the_same(one: AlarmSeen, row: AlarmSeen) -> bool:
    """Return whether an alarm row has the same kind and subject, or a more exact kind and the same text."""
    return row.about == one.about and (
        row.kind == one.kind or (one.said.text != "" and row.said.text.startswith(one.said.text))
    )


def _is_about(about: str, origin: str) -> bool:
    rest = about.removeprefix(origin)
    return about.startswith(origin) and not rest[:1].isalnum()


def _stopped(reads: ReadSession, logs: dict[int, str]) -> Iterable[AlarmSeen]:
    for row in reads.exec(select(ReplicationRow).where(col(ReplicationRow.alarm).is_not(None))):
        since = row.alarm_at or EPOCH
        yield AlarmSeen(
            kind=KINDS.get(row.state, AlarmKind.REPLICATION_REFUSED),
            about=logs.get(row.log_id, str(row.log_id)),
            said=StoredMessage(row.alarm or "", row.alarm_code, row.alarm_data),
            first_at=since,
            last_at=since,
            times=max(1, row.attempts),
        )


def _parked(reads: ReadSession, logs: dict[int, str]) -> Iterable[AlarmSeen]:
    """Yield one alarm for each ledger with entries that could not be applied: they are listed elsewhere."""
    faults: dict[int, list[ProjectionFault]] = {}
    for fault in reads.exec(select(ProjectionFault).where(col(ProjectionFault.error).is_not(None))):
        faults.setdefault(fault.log_id, []).append(fault)
    for log_id, found in sorted(faults.items()):
        first = min(found, key=lambda one: one.idx)
        halted = any(one.key == HALTED for one in found)
        yield AlarmSeen(
            kind=AlarmKind.PROJECTION_HALTED if halted else AlarmKind.ENTRY_PARKED,
            about=logs.get(log_id, str(log_id)),
            said=store(PARKED(count=len(found), index=first.idx, why=first.error), length_max=TEXT_LENGTH_MAX),
            first_at=min(one.parked_at for one in found),
            last_at=max(one.parked_at for one in found),
            times=len(found),
        )
