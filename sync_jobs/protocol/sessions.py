"""Only one copy of a plant is active at a time: sessions form a chain at the hub, and a displaced copy stops writing.

| a Hello or a parcel presents                           | the hub                                             |
| ------------------------------------------------------ | --------------------------------------------------- |
| the current session                                    | continues                                           |
| one that was issued to the holder of the current one   | continues: from now on this one is current          |
| one that was offered to an unknown client              | takes over: raises an alarm, displaces the other    |
| one that a takeover ended                              | issues none: this copy is fenced                    |
| nothing, or an unknown one, in a Hello                 | offers one; nothing changes until it is used        |
| the last two, after an operator chose this copy        | offers one; its use takes over without the alarm    |

Every Hello is given a session of its own, so that two copies never share one; it becomes current at its first use. A
plant stores its session under the lease of its exchange before it uses it. So a duplicated or late Hello, or one of a
stalled worker, displaces no copy: its answer is never used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from infra.database import Session
from infra.messages import message
from plants.rules.values.instants import EPOCH
from plants.store.ledger import entries
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState, ReplicationStatus

DISPLACED_MAX: Final = 16  # sessions of other copies that the hub remembers
GIVEN_MAX: Final = 8  # unused sessions that are stored per side: more Hellos than are ever in flight
QUIET: Final = timedelta(days=1)
FENCED: Final = message(
    "COPY_FENCED",
    "Another copy of this plant exchanges with the hub, so this one writes nothing more. Find out which copy is the "
    "right one; on that one run `batchloom plant take-over`.",
)
TAKEN_OVER: Final = message(
    "COPY_TAKEN_OVER",
    "Another copy of plant {origin} has taken over: it was restored, replaced or cloned. If two run, stop one.",
)
SUPERSEDED: Final = message(
    "COPY_SUPERSEDED",
    "A displaced copy of plant {origin} sent a request: it is fenced and writes nothing. Stop that copy.",
)


class SessionVerdict(StrEnum):
    """The result for a session that a Hello or a parcel presents."""

    GOES_ON = "GOES_ON"
    TAKES_OVER = "TAKES_OVER"
    OFFERED = "OFFERED"
    SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True)
class SessionDecision:
    """The verdict on a presented session, and the columns of the plant's status that change."""

    verdict: SessionVerdict
    columns: Mapping[str, object]


def resolve_session(before: ReplicationStatus, session: str | None) -> SessionDecision:
    """Decide whether a session is current, at its use."""
    if session is not None and session == before.session:
        return SessionDecision(SessionVerdict.GOES_ON, {})
    if session in before.session_next:
        return SessionDecision(SessionVerdict.GOES_ON, {"session": session, "session_next": ()})
    if session in before.offered:
        ended = [one for one in (*before.displaced, before.session, *before.session_next) if one is not None]
        given = {"session_next": (), "offered": (), "displaced": tuple(ended[-DISPLACED_MAX:])}
        return SessionDecision(SessionVerdict.TAKES_OVER, {"session": session, **given})
    return SessionDecision(SessionVerdict.SUPERSEDED, {})


def issue_session(
    before: ReplicationStatus, session: str | None, following: str, *, take_over: bool = False
) -> SessionDecision:
    """Decide on the session that a Hello presents; `following` is issued next, unless it is superseded."""
    found = resolve_session(before, session)
    if found.verdict is not SessionVerdict.SUPERSEDED or before.session is None:
        given = () if "session_next" in found.columns else before.session_next
        verdict = SessionVerdict.GOES_ON if before.session is None else found.verdict
        return SessionDecision(verdict, {**found.columns, "session_next": _appended(given, following)})
    if session in before.displaced and not take_over:
        return found
    return SessionDecision(SessionVerdict.OFFERED, {"offered": _appended(before.offered, following)})


def _appended(given: tuple[str, ...], following: str) -> tuple[str, ...]:
    return (*given, following)[-GIVEN_MAX:]


def update_copy_alarm(
    session: Session, origin: str, verdict: SessionVerdict, now: datetime, *, take_over: bool
) -> None:
    """Raise or end the hub's alarm about copies of a plant."""
    if verdict is SessionVerdict.OFFERED:
        return
    if verdict is SessionVerdict.GOES_ON or take_over:
        # An active copy reveals nothing about the other: an operator ends the alarm, or a day without its requests.
        raised_at = None if take_over else open_alarms(session, AlarmKind.PLANT_FENCED).get(origin)
        if take_over or (raised_at is not None and raised_at < now - QUIET):
            end_alarm(session, AlarmKind.PLANT_FENCED, origin, now)
        return
    text = TAKEN_OVER if verdict is SessionVerdict.TAKES_OVER else SUPERSEDED
    raise_alarm(session, Alarm(AlarmKind.PLANT_FENCED, origin, text(origin=origin)), now)


def fence(session: Session, log_id: int, origin: str, now: datetime) -> None:
    """Reject the plant's commands and stop its replication, until an operator chooses the active copy."""
    entries.fence(session, log_id, fenced=True)
    status.amend(session, log_id, state=ReplicationState.FENCED, error="FENCED", **status.alarm_columns(FENCED(), now))
    raise_alarm(session, Alarm(AlarmKind.PLANT_FENCED, origin, FENCED()), now)


def lift_fence(session: Session, log_id: int, now: datetime | None = None) -> None:
    """Let a fenced plant write and exchange again, after an operator chose this copy.

    The next Hello takes over from the other copy, which is fenced in turn.
    """
    entries.fence(session, log_id, fenced=False)
    status.amend(
        session, log_id, state=ReplicationState.BEHIND, next_attempt_at=EPOCH, take_over=True, **status.NO_ALARM
    )
    if now is not None:
        end_alarm(session, AlarmKind.PLANT_FENCED, entries.origin_of(session, log_id), now)
