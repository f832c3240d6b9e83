"""Alarms: what a person has to know or do about this node, kept until it is over; nothing stands only in a log file.

One alarm for each kind and thing: raised again it counts on, and when it is over it stays as history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.values.instants import micros
from plants.store.sql.columns import big, text, text_key

TEXT_LENGTH_MAX = 1000  # characters of an alarm's text, both languages together

RAISE = (
    "INSERT INTO alarms (kind, about, text, first_us, last_us, times, over_us)"
    " VALUES (:kind, :about, :text, :now_us, :now_us, :times, NULL)"
    " ON CONFLICT (kind, about) DO UPDATE SET text = excluded.text, last_us = excluded.last_us,"
    " times = CASE WHEN alarms.over_us IS NULL THEN alarms.times + excluded.times ELSE excluded.times END,"
    " first_us = CASE WHEN alarms.over_us IS NULL THEN alarms.first_us ELSE excluded.first_us END,"
    " over_us = NULL"
)
END = "UPDATE alarms SET over_us = :now_us WHERE kind = :kind AND about = :about AND over_us IS NULL"


class AlarmKind(StrEnum):
    """What kind of thing is amiss; a kind is never renamed."""

    REPLICATION_REFUSED = "REPLICATION_REFUSED"  # the other side said no, or what it sent cannot be right
    PLANT_RESTORED = "PLANT_RESTORED"
    LEDGER_DIVERGED = "LEDGER_DIVERGED"
    HUB_REGRESSED = "HUB_REGRESSED"
    PLANT_FENCED = "PLANT_FENCED"
    MARKS_LOST = "MARKS_LOST"  # the file of high-water marks was missing
    ENTRY_DISPUTED = "ENTRY_DISPUTED"
    ENTRY_PARKED = "ENTRY_PARKED"
    PROJECTION_HALTED = "PROJECTION_HALTED"
    HUB_LEDGER_FORKED = "HUB_LEDGER_FORKED"  # the hub showed two histories
    LEDGER_DAMAGED = "LEDGER_DAMAGED"
    CLOCKS_DIFFER = "CLOCKS_DIFFER"
    ARCHIVE_FAILING = "ARCHIVE_FAILING"
    ARCHIVE_FORKED = "ARCHIVE_FORKED"  # the archive holds another history of a ledger than this store
    ARCHIVE_UNLOCKED = "ARCHIVE_UNLOCKED"  # the archive cannot lock, keep versions or refuse a second writer
    TRANSFER_UNMATCHED = "TRANSFER_UNMATCHED"
    BROKER_FAILING = "BROKER_FAILING"  # workers cannot be woken; jobs run on their periods, or not at all


class AlarmRow(SQLModel, table=True):
    """One alarm; `about` names the thing within its kind: a ledger's origin, an entry, a transfer."""

    __tablename__ = "alarms"
    __table_args__ = (Index("alarms_by_time", "over_us", "last_us"), table_options(Keeping.LOCAL))

    kind: str = text_key()
    about: str = text_key()
    text: str = text()
    first_us: int = big()
    last_us: int = big()
    times: int = big()
    over_us: int | None = big(None)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is amiss, about what, and what to do, in English and Simplified Chinese."""

    kind: AlarmKind
    about: str
    text: str


def raise_alarm(session: Session, alarm: Alarm, now: datetime, *, times: int = 1) -> None:
    """Raise an alarm, or count it once more (or `times` more) while it lasts."""
    given = {"kind": alarm.kind, "about": alarm.about, "text": alarm.text[:TEXT_LENGTH_MAX], "now_us": micros(now)}
    session.run(RAISE, given | {"times": times})


def end_alarm(session: Session, kind: AlarmKind, about: str, now: datetime) -> bool:
    """Write down that what was amiss is over; tell whether there was such an alarm."""
    return session.run(END, {"kind": kind, "about": about, "now_us": micros(now)}) == 1


def open_alarms(reads: Session | ReadSession, kind: AlarmKind) -> dict[str, int]:
    """Return what the open alarms of a kind are about, each with the time when it was last raised (microseconds)."""
    row = AlarmRow
    is_open = (row.kind == kind.value, col(row.over_us).is_(None))
    return dict(reads.rows(select(row.about, row.last_us).where(*is_open)))


def alarms(reads: ReadSession, *, over: bool = False, first: int = 100) -> Sequence[AlarmRow]:
    """Return the alarms that last, the newest first; with `over` also those that ended."""
    found = select(AlarmRow).order_by(col(AlarmRow.last_us).desc(), col(AlarmRow.kind), col(AlarmRow.about))
    if not over:
        found = found.where(col(AlarmRow.over_us).is_(None))
    return reads.exec(found.limit(first)).all()
