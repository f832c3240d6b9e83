"""Every condition of a node that needs an operator, in one list: alarms, stopped replication, parked entries.

Replication rows and projection faults exist only while the condition lasts. An alarm row of the same kind and subject
replaces them, because it is counted and has a history.
"""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Text, and_, false, func, or_, type_coerce
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from infra.messages import StoredMessage, message, store
from plants.rules.identification.codes import HUB
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import EPOCH, micros
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import Log
from plants.store.materials.plants import plants_admitted
from plants.store.monitoring.alarms import IS_OPEN, TEXT_LENGTH_MAX, AlarmKind, AlarmRow
from plants.store.replication.projection_faults import HALTED, ProjectionFault
from plants.store.replication.status import ReplicationRow, ReplicationState
from plants.store.sql.filters import CodeCriterion, Span, filtered
from plants.store.sql.orders import Order, OrderDirection
from plants.store.sql.pages import Key, count, page

ALPHANUMERICS: Final = tuple(string.ascii_letters + string.digits)
KINDS = {
    ReplicationState.RESTORED: AlarmKind.PLANT_RESTORED,
    ReplicationState.DIVERGED: AlarmKind.LEDGER_DIVERGED,
    ReplicationState.HUB_REGRESSED: AlarmKind.HUB_REGRESSED,
    ReplicationState.FENCED: AlarmKind.PLANT_FENCED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSeen:
    """One alarm. `about` names the subject within the kind. `over_at` is None while open.

    `plant` is the number of the plant whose ledger `about` begins with, None where it names none.
    """

    kind: AlarmKind
    about: str
    plant: int | None
    said: StoredMessage
    first_at: datetime
    last_at: datetime
    times: int
    over_at: datetime | None = None


PARKED: Final = message(
    "ENTRIES_PARKED", "{count} entries could not be applied, the first at {index}: {why}. Decide what becomes of them."
)


class AlarmOrderField(DescribedEnum):
    """Field to order alarms by."""

    LAST_AT = "LAST_AT", "The time of the last occurrence."


NEWEST_FIRST: Final = Order(AlarmOrderField.LAST_AT, OrderDirection.DESCENDING)


@dataclass(frozen=True, slots=True)
class AlarmsFilter:
    """Criteria for alarms, and their order. A field that is None does not filter.

    `own` is the number of the plant whose node this is: users who may see that plant see all alarms. At the hub (0)
    users with a grant for the group see all, others only those about the ledgers of plants in their scope.
    """

    own: int = HUB
    active: bool | None = None
    kind: CodeCriterion | None = None
    about: CodeCriterion | None = None
    plant: CodeCriterion | None = None
    first_at: Span[datetime] | None = None
    last_at: Span[datetime] | None = None
    order: Order[AlarmOrderField] = NEWEST_FIRST


def alarms_seen(
    reads: ReadSession, scope: PlantScope, *, own: int = HUB, over: bool = False, first: int = 100
) -> list[AlarmSeen]:
    """Return the alarms of this node, the newest first; with `over` also those that have ended."""
    return alarms_page(reads, scope, AlarmsFilter(own=own, active=None if over else True), None, first)


def alarms_page(
    reads: ReadSession, scope: PlantScope, filters: AlarmsFilter, after: Key | None, limit: int
) -> list[AlarmSeen]:
    """Return one page of alarms: stored ones, and those of conditions that have no row of their own."""
    row, descending = AlarmRow, filters.order.descending
    key = type_coerce(col(row.last_at), BigInteger), type_coerce(col(row.kind), Text), col(row.about)
    origins = _origins(reads)
    stored = reads.exec(page(_filtered(reads, scope, filters, origins), key, after, limit, descending=descending))
    found = [_seen(one, origins) for one in stored]
    for one in _unstored(reads, scope, filters, origins):
        mine = alarm_key(one)
        if after is None or (mine < tuple(after) if descending else mine > tuple(after)):
            found.append(one)
    return sorted(found, key=alarm_key, reverse=descending)[:limit]


def alarms_count(reads: ReadSession, scope: PlantScope, filters: AlarmsFilter) -> int:
    """Return how many alarms there are."""
    origins = _origins(reads)
    unstored = _unstored(reads, scope, filters, origins)
    return count(reads, _filtered(reads, scope, filters, origins)) + len(unstored)


def alarm_key(one: AlarmSeen) -> tuple[int, str, str]:
    """Return the key of an alarm in the order of `alarms_page`."""
    return micros(one.last_at), str(one.kind), one.about


def _origins(reads: ReadSession) -> dict[int, str]:
    """Return the origins of all ledgers by log id."""
    return dict(reads.exec(select(Log.log_id, Log.origin)).all())


def _visible(
    reads: ReadSession, scope: PlantScope, filters: AlarmsFilter, origins: Mapping[int, str]
) -> list[str] | None:
    """Return the origins of the ledgers that alarms may be about, or None where all alarms may be seen."""
    if filters.own in scope and filters.plant is None:
        return None
    admitted = plants_admitted(reads, scope, filters.plant)
    return [origin for log_id, origin in origins.items() if abs(log_id) in admitted]


def _filtered(
    reads: ReadSession, scope: PlantScope, filters: AlarmsFilter, origins: Mapping[int, str]
) -> SelectOfScalar[AlarmRow]:
    row, names = AlarmRow, _visible(reads, scope, filters, origins)
    found = select(row)
    if names is not None:
        found = found.where(or_(false(), *(_about_ledger(name) for name in names)))
    if filters.active is not None:
        found = found.where(IS_OPEN if filters.active else ~IS_OPEN)
    criteria = {
        row.kind: filters.kind,
        row.about: filters.about,
        row.first_at: filters.first_at,
        row.last_at: filters.last_at,
    }
    return filtered(found, criteria)


def _about_ledger(origin: str) -> ColumnElement[bool]:
    """Return the condition that `_is_about` is true of a row."""
    about = col(AlarmRow.about)
    following = func.substr(about, len(origin) + 1, 1)
    return and_(func.substr(about, 1, len(origin)) == origin, following.not_in(ALPHANUMERICS))


def _seen(row: AlarmRow, origins: Mapping[int, str]) -> AlarmSeen:
    return AlarmSeen(
        kind=row.kind,
        about=row.about,
        plant=_plant_of(row.about, origins),
        said=row.said,
        first_at=row.first_at,
        last_at=row.last_at,
        times=row.times,
        over_at=row.over_at,
    )


def _plant_of(about: str, origins: Mapping[int, str]) -> int | None:
    return next((abs(log) for log, origin in origins.items() if log != HUB and _is_about(about, origin)), None)


def _unstored(
    reads: ReadSession, scope: PlantScope, filters: AlarmsFilter, origins: Mapping[int, str]
) -> list[AlarmSeen]:
    """Return the alarms of lasting conditions without an open row of their own."""
    if filters.active is False:
        return []
    names = _visible(reads, scope, filters, origins)
    also = [*_stopped(reads, origins), *_parked(reads, origins)]
    rows = reads.exec(select(AlarmRow).where(IS_OPEN, col(AlarmRow.about).in_({one.about for one in also})))
    standing = [_seen(row, origins) for row in rows]
    return [
        one
        for one in also
        if not any(_is_the_same(one, row) for row in standing)
        and (names is None or any(_is_about(one.about, name) for name in names))
        and (filters.kind is None or filters.kind.admits(one.kind))
        and (filters.about is None or filters.about.admits(one.about))
        and (filters.first_at is None or filters.first_at.admits(one.first_at))
        and (filters.last_at is None or filters.last_at.admits(one.last_at))
    ]


def _is_the_same(one: AlarmSeen, row: AlarmSeen) -> bool:
    """Return whether an alarm row has the same kind and subject, or a more exact kind and the same text."""
    return row.about == one.about and (
        row.kind == one.kind or (one.said.text != "" and row.said.text.startswith(one.said.text))
    )


def _is_about(about: str, origin: str) -> bool:
    rest = about.removeprefix(origin)
    return about.startswith(origin) and not rest[:1].isalnum()


def _stopped(reads: ReadSession, logs: Mapping[int, str]) -> Iterable[AlarmSeen]:
    for row in reads.exec(select(ReplicationRow).where(col(ReplicationRow.alarm).is_not(None))):
        since = row.alarm_at or EPOCH
        yield AlarmSeen(
            kind=KINDS.get(row.state, AlarmKind.REPLICATION_REFUSED),
            about=logs.get(row.log_id, str(row.log_id)),
            plant=abs(row.log_id) or None,
            said=StoredMessage(row.alarm or "", row.alarm_code, row.alarm_data),
            first_at=since,
            last_at=since,
            times=max(1, row.attempts),
        )


def _parked(reads: ReadSession, logs: Mapping[int, str]) -> Iterable[AlarmSeen]:
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
            plant=abs(log_id) or None,
            said=store(PARKED(count=len(found), index=first.idx, why=first.error), length_max=TEXT_LENGTH_MAX),
            first_at=min(one.parked_at for one in found),
            last_at=max(one.parked_at for one in found),
            times=len(found),
        )
