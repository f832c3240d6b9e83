"""Attempts that are counted in the database before they are made, and the backoff after each failure."""

from datetime import datetime, timedelta
from typing import Final

from infra.database import Session
from infra.ids import draw_between
from infra.messages import Worded
from plants.rules.values.instants import EPOCH
from plants.store.replication import status
from plants.store.replication.status import ReplicationState

WAIT_MS_MIN: Final = 1_000
WAIT_MS_MAX: Final = 300_000
RETRY_SECONDS_MAX: Final = 3600  # the longest wait that the other side can ask for
LONGEST_WAIT: Final = timedelta(seconds=RETRY_SECONDS_MAX)
ERROR_LENGTH_MAX: Final = 500


def next_wait_ms(before_ms: int) -> int:
    """Return the wait after one more failure, in milliseconds.

    Decorrelated jitter spreads the retries of plants. Formula: min(cap, random between base and 3 x the previous wait)
    (M. Brooker, "Exponential backoff and jitter", 2015).
    """
    return min(WAIT_MS_MAX, draw_between(WAIT_MS_MIN, max(WAIT_MS_MIN, 3 * before_ms)))


def is_due(next_attempt_at: datetime, now: datetime, *, began_at: datetime | None = None) -> bool:
    """Tell whether the wait is over.

    A wait longer than the maximum, or started in the future, was written under a wrong clock. It counts as due.
    """
    if began_at is not None and began_at > now:
        return True
    return not timedelta(0) < next_attempt_at - now <= LONGEST_WAIT


def begin(session: Session, log_id: int, *, now: datetime) -> None:
    """Count an attempt before it is made. It counts as failed until `succeeded`, so that a killed process backs off."""
    before = status.ledger_status(session, log_id)
    wait_ms = next_wait_ms(before.backoff_ms)
    status.amend(
        session,
        log_id,
        attempts=before.attempts + 1,
        attempted_at=now,
        backoff_ms=wait_ms,
        next_attempt_at=now + timedelta(milliseconds=wait_ms),
    )


def succeeded(session: Session, log_id: int, *, now: datetime) -> None:
    """Reset the attempts and the backoff."""
    status.amend(session, log_id, attempts=0, backoff_ms=0, next_attempt_at=EPOCH, error=None, contact_at=now)


def failed(
    session: Session,
    log_id: int,
    state: ReplicationState,
    error: str,
    *,
    now: datetime,
    alarm: Worded | None = None,
    retry_seconds: int | None = None,
) -> None:
    """Store the state and the error of a failed attempt, and the alarm if there is one."""
    status.amend(session, log_id, state=state, error=error[:ERROR_LENGTH_MAX])
    if alarm is not None:
        status.amend(session, log_id, **status.alarm_columns(alarm, now))
    if retry_seconds is not None:
        wait = timedelta(seconds=min(retry_seconds, RETRY_SECONDS_MAX))
        status.amend(session, log_id, next_attempt_at=now + wait)
