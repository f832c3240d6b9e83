"""Alarms of this node: conditions that need an operator, kept until they end.

There is one alarm per kind and subject. Raised again, it is counted; ended, it stays as history. An alarm is stored
with its message's code and data, and worded when it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from infra.messages import StoredMessage, Worded, store
from infra.roles import Keeping, table_options
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import micros
from plants.store.sql.columns import big, text, text_key

TEXT_LENGTH_MAX = 1000  # characters of an alarm's English text

RAISE = (
    "INSERT INTO alarms (kind, about, text, code, data, first_us, last_us, times, over_us)"
    " VALUES (:kind, :about, :text, :code, :data, :now_us, :now_us, :times, NULL)"
    " ON CONFLICT (kind, about) DO UPDATE SET text = excluded.text, code = excluded.code,"
    " data = excluded.data, last_us = excluded.last_us,"
    " times = CASE WHEN alarms.over_us IS NULL THEN alarms.times + excluded.times ELSE excluded.times END,"
    " first_us = CASE WHEN alarms.over_us IS NULL THEN alarms.first_us ELSE excluded.first_us END,"
    " over_us = NULL"
)
END = "UPDATE alarms SET over_us = :now_us WHERE kind = :kind AND about = :about AND over_us IS NULL"


class AlarmKind(DescribedEnum):
    """Kind of an alarm. A kind is never renamed."""

    REPLICATION_REFUSED = "REPLICATION_REFUSED", "The peer refused a request, or its answer was invalid."
    PLANT_RESTORED = "PLANT_RESTORED", "A plant's store was restored from a backup, from the hub or from the archive."
    LEDGER_DIVERGED = "LEDGER_DIVERGED", "Plant and hub have different entries at the same position."
    HUB_REGRESSED = "HUB_REGRESSED", "The hub lost entries that it had acknowledged."
    PLANT_FENCED = "PLANT_FENCED", "Another copy of the plant is in use."
    MARKS_LOST = "MARKS_LOST", "The file of high-water marks was missing."
    ENTRY_DISPUTED = "ENTRY_DISPUTED", "Entries conflict with other records and need a decision."
    ENTRY_PARKED = "ENTRY_PARKED", "Entries could not be applied and were parked."
    PROJECTION_HALTED = "PROJECTION_HALTED", "A ledger is no longer applied."
    HUB_LEDGER_FORKED = "HUB_LEDGER_FORKED", "The hub signed two histories of one ledger."
    LEDGER_DAMAGED = "LEDGER_DAMAGED", "A stored ledger does not verify."
    CLOCKS_DIFFER = "CLOCKS_DIFFER", "The clocks of plant and hub differ."
    ARCHIVE_FAILING = "ARCHIVE_FAILING", "The archive cannot be written."
    ARCHIVE_FORKED = "ARCHIVE_FORKED", "The archive holds another history of a ledger than the store."
    ARCHIVE_UNLOCKED = "ARCHIVE_UNLOCKED", "The archive cannot lock objects, keep versions or refuse a second writer."
    TRANSFER_UNMATCHED = "TRANSFER_UNMATCHED", "A transfer is overdue, or differs between its two plants."
    BROKER_FAILING = "BROKER_FAILING", "The broker cannot be reached, so jobs run on their periods or not at all."
    JOB_OVERDUE = "JOB_OVERDUE", "A job has not succeeded for several of its periods."
    WORKERS_MISSING = "WORKERS_MISSING", "A broker is set and no worker takes jobs."
    THREAD_ENDED = "THREAD_ENDED", "A thread of the node's jobs ended by itself."


class AlarmRow(SQLModel, table=True):
    """One alarm. `about` names the subject within its kind: a ledger's origin, an entry, a transfer.

    `text` is the message in English. `code` and `data` (JSON) are null for alarms of programs that kept texts only.
    """

    __tablename__ = "alarms"
    __table_args__ = (Index("alarms_by_time", "over_us", "last_us"), table_options(Keeping.LOCAL))

    kind: str = text_key()
    about: str = text_key()
    code: str | None = text(None)
    data: str | None = text(None)
    text: str = text()  # Last: it hides the function of its name.
    first_us: int = big()
    last_us: int = big()
    times: int = big()
    over_us: int | None = big(None)

    @property
    def said(self) -> StoredMessage:
        """The message."""
        return StoredMessage(self.text, self.code, self.data)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm to raise: its kind, its subject and its message."""

    kind: AlarmKind
    about: str
    said: Worded


def raise_alarm(session: Session, alarm: Alarm, now: datetime, *, times: int = 1) -> None:
    """Raise an alarm, or count it once more (or `times` more) while it lasts."""
    kept = store(alarm.said, length_max=TEXT_LENGTH_MAX)
    given = {"text": kept.text, "code": kept.code, "data": kept.data, "times": times}
    session.run(RAISE, given | {"kind": alarm.kind, "about": alarm.about, "now_us": micros(now)})


def end_alarm(session: Session, kind: AlarmKind, about: str, now: datetime) -> bool:
    """End an alarm. Returns whether it was open."""
    return session.run(END, {"kind": kind, "about": about, "now_us": micros(now)}) == 1


def open_alarms(reads: Session | ReadSession, kind: AlarmKind) -> dict[str, int]:
    """Return what the open alarms of a kind are about, each with the time when it was last raised (microseconds)."""
    row = AlarmRow
    is_open = (row.kind == kind.value, col(row.over_us).is_(None))
    return dict(reads.rows(select(row.about, row.last_us).where(*is_open)))


def alarms(reads: ReadSession, *, over: bool = False, first: int = 100) -> Sequence[AlarmRow]:
    """Return the open alarms, newest first; with `over` also those that ended."""
    found = select(AlarmRow).order_by(col(AlarmRow.last_us).desc(), col(AlarmRow.kind), col(AlarmRow.about))
    if not over:
        found = found.where(col(AlarmRow.over_us).is_(None))
    return reads.exec(found.limit(first)).all()
