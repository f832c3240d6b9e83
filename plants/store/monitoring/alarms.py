"""Alarms of this node: conditions that need an operator, kept until they end.

There is one alarm per kind and subject. Raised again, it is counted; ended, it stays as history. An alarm is stored
with its message's code and data, and worded when it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, bindparam, case, update
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import Field, SQLModel, col, select

from infra.columns import SPACED, JsonText, instant, member
from infra.database import ReadSession, Session
from infra.messages import StoredMessage, Worded, store
from infra.roles import Keeping, table_options
from plants.rules.values.enums import DescribedEnum
from plants.store.sql.columns import big, text, text_key

TEXT_LENGTH_MAX = 1000  # characters of an alarm's English text


class AlarmKind(DescribedEnum):
    """Kind of an alarm. A kind is never renamed."""

    REPLICATION_REFUSED = "REPLICATION_REFUSED", "The peer refused a request, or its answer was invalid."
    HUB_UNREACHED = "HUB_UNREACHED", "The hub has not answered a plant for five minutes. The plant works on."
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

    `text` is the message in English. `code` and `data` are null for alarms of programs that kept texts only.
    """

    __tablename__ = "alarms"
    __table_args__ = (Index("alarms_by_time", "over_us", "last_us"), table_options(Keeping.LOCAL))

    kind: AlarmKind = member(AlarmKind, key=True, growing=True)
    about: str = text_key()
    code: str | None = text(None)
    data: dict[str, Any] | None = Field(default=None, sa_type=JsonText(SPACED))
    text: str = text()  # Last: it hides the function of its name.
    first_at: datetime = instant("first_us")
    last_at: datetime = instant("last_us")
    times: int = big()
    over_at: datetime | None = instant("over_us", optional=True)

    @property
    def said(self) -> StoredMessage:
        """The message."""
        return StoredMessage(self.text, self.code, self.data)


IS_OPEN: Final = col(AlarmRow.over_at).is_(None)
NEW: Final = insert(AlarmRow)
# One statement, because two processes may raise one alarm at the same time.
RAISE: Final = NEW.on_conflict_do_update(
    index_elements=["kind", "about"],
    set_={name: NEW.excluded[name] for name in ("text", "code", "data", "last_us", "over_us")}
    | {
        "times": NEW.excluded.times + case((IS_OPEN, col(AlarmRow.times)), else_=0),
        "first_us": case((IS_OPEN, col(AlarmRow.first_at)), else_=NEW.excluded.first_us),
    },
)
END: Final = (
    update(AlarmRow)
    .where(col(AlarmRow.kind) == bindparam("kind"), col(AlarmRow.about) == bindparam("about"), IS_OPEN)
    .values(over_at=bindparam("now"))
)
OPEN_OF_KIND: Final = select(AlarmRow.about, AlarmRow.last_at).where(col(AlarmRow.kind) == bindparam("kind"), IS_OPEN)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm to raise: its kind, its subject and its message."""

    kind: AlarmKind
    about: str
    said: Worded


def raise_alarm(session: Session, alarm: Alarm, now: datetime, *, times: int = 1) -> None:
    """Raise an alarm, or count it once more (or `times` more) while it lasts."""
    kept = store(alarm.said, length_max=TEXT_LENGTH_MAX)
    said = {"text": kept.text, "code": kept.code, "data": kept.data}
    instants = {"first_us": now, "last_us": now, "over_us": None}
    session.run(RAISE, {"kind": alarm.kind, "about": alarm.about, "times": times, **said, **instants})


def end_alarm(session: Session, kind: AlarmKind, about: str, now: datetime) -> bool:
    """End an alarm. Returns whether it was open."""
    return session.run(END, {"kind": kind, "about": about, "now": now}) == 1


def open_alarms(reads: Session | ReadSession, kind: AlarmKind) -> dict[str, datetime]:
    """Return what the open alarms of a kind are about, each with the time when it was last raised."""
    return dict(reads.rows(OPEN_OF_KIND, {"kind": kind}))


def alarms(reads: ReadSession, *, over: bool = False, first: int = 100) -> Sequence[AlarmRow]:
    """Return the open alarms, newest first; with `over` also those that ended."""
    found = select(AlarmRow).order_by(col(AlarmRow.last_at).desc(), col(AlarmRow.kind), col(AlarmRow.about))
    return reads.exec((found if over else found.where(IS_OPEN)).limit(first)).all()
