"""One copy of a plant counts at a time: sessions form a chain at the hub, and who has fallen out of it stops writing.

| a greeting presents                                    | the hub                                             |
| ------------------------------------------------------ | --------------------------------------------------- |
| the session that counts                                | gives the next one                                  |
| the one before, while the one that counts was not used | gives another one: its answer was lost              |
| nothing, and none was ever given                       | gives the first one                                 |
| one that a takeover ended                              | gives none: this copy is fenced                     |
| nothing, or one it does not know                       | gives one, raises an alarm; the other is displaced  |
| whatever, and that a person has said "this copy"       | the same, without the alarm                         |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from infra.database import Session
from plants.rules.instants import micros
from plants.store import ledger, replication
from plants.store.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.positions import ReplicationState
from plants.store.replication import Standing

DISPLACED_MAX: Final = 16  # sessions of other copies that the hub remembers
QUIET: Final = timedelta(days=1)
SELECT_RAISED: Final = "SELECT last_us FROM alarms WHERE kind = :kind AND about = :about AND over_us IS NULL"
FENCED: Final = (
    "Another copy of this plant exchanges with the hub, so this one writes nothing more. Find out which copy is the "
    "right one; on that one run `batchloom plant take-over`. / "
    "本厂的另一副本正在与总部交换数据，此副本已停止写入。请确认以哪一份为准，并在其上运行 `batchloom plant take-over`。"
)
TAKEN_OVER: Final = (
    "Another copy of plant {origin} has taken over: it was restored, replaced or cloned. If two run, stop one. / "
    "工厂 {origin} 的另一副本已接管（恢复、更换或克隆）。如有两份同时运行，请停用其一。"
)
SUPERSEDED: Final = (
    "A copy of plant {origin} that another one has displaced asks again: it is fenced and writes nothing. / "
    "工厂 {origin} 已被取代的副本仍在请求同步：已将其隔离，停止写入。"
)


class Presenting(StrEnum):
    """What a greeting comes to."""

    GOES_ON = "GOES_ON"
    TAKES_OVER = "TAKES_OVER"
    SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True)
class Presented:
    """What became of the session that a plant presented, and the columns of the plant's row that change."""

    verdict: Presenting
    columns: dict[str, Any]


def present(before: Standing, session: str | None, following: str, *, take_over: bool = False) -> Presented:
    """Decide on the session that a greeting presents; `following` is the one to be given next."""
    current = before.session
    given = {"session": following, "session_used": 0}
    if current is None or session == current:
        return Presented(Presenting.GOES_ON, given | {"session_before": current})
    if session is not None and session == before.session_before and not before.session_used:
        return Presented(Presenting.GOES_ON, given)
    if session in before.displaced and not take_over:
        return Presented(Presenting.SUPERSEDED, {})
    displaced = [one for one in (*before.displaced, current) if one != session][-DISPLACED_MAX:]
    return Presented(Presenting.TAKES_OVER, given | {"session_before": None, "displaced": " ".join(displaced)})


def note_at_hub(session: Session, origin: str, verdict: Presenting, now: datetime, *, take_over: bool) -> None:
    """Raise or end the hub's alarm about copies of a plant."""
    if verdict is Presenting.GOES_ON or take_over:
        # A copy that goes on says nothing of the other one: a person ends it, or that nothing came of it for a day.
        row = None if take_over else session.row(SELECT_RAISED, {"kind": AlarmKind.PLANT_FENCED, "about": origin})
        if take_over or (row is not None and row[0] < micros(now - QUIET)):
            end_alarm(session, AlarmKind.PLANT_FENCED, origin, now)
        return
    text = TAKEN_OVER if verdict is Presenting.TAKES_OVER else SUPERSEDED
    raise_alarm(session, Alarm(AlarmKind.PLANT_FENCED, origin, text.format(origin=origin)), now)


def fence(session: Session, log_id: int, origin: str, now: datetime) -> None:
    """Stop the plant's people from writing and its jobs from sending, until a person says which copy counts."""
    ledger.fence(session, log_id, fenced=True)
    replication.amend(
        session, log_id, state=ReplicationState.FENCED, alarm=FENCED, alarm_us=micros(now), error="FENCED"
    )
    raise_alarm(session, Alarm(AlarmKind.PLANT_FENCED, origin, FENCED), now)


def lift_fence(session: Session, log_id: int, now: datetime | None = None) -> None:
    """Let a fenced plant write and exchange again: a person has said that this copy is the one.

    The next greeting takes over from the other copy, which is fenced in turn.
    """
    ledger.fence(session, log_id, fenced=False)
    replication.amend(
        session, log_id, state=ReplicationState.BEHIND, alarm=None, alarm_us=None, next_attempt_us=0, take_over=1
    )
    if now is not None:
        end_alarm(session, AlarmKind.PLANT_FENCED, ledger.origin_of(session, log_id), now)
