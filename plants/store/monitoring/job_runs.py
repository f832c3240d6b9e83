"""Runs of the node's jobs: when each last succeeded and failed. A job is due by these rows, also after a restart."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.store.sql.columns import big, text, text_key

ERROR_LENGTH_MAX: Final = 500  # characters
WRITTEN_EVERY: Final = timedelta(seconds=60)  # a job that runs each second must not write each second
OVERDUE_PERIODS: Final = 3
OVERDUE_LEAST: Final = timedelta(minutes=2)


class JobRun(SQLModel, table=True):
    """The last runs of one job at this node."""

    __tablename__ = "job_runs"
    __table_args__ = table_options(Keeping.LOCAL)

    name: str = text_key()
    period_ms: int = big()
    known_since: datetime = instant("known_since_us")
    succeeded: datetime | None = instant("succeeded_us", optional=True)
    failed: datetime | None = instant("failed_us", optional=True)
    failures: int = big()  # in a row, since the last success
    error: str | None = text(None)

    def last_success(self, now: datetime) -> datetime | None:
        """Return the last success; None also for one in the future, which a wrong clock stored."""
        return None if self.succeeded is None or self.succeeded > now else self.succeeded

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the job has not succeeded for OVERDUE_PERIODS periods and OVERDUE_LEAST.

        A job that is known since an instant in the future, and has no success before now, is overdue.
        """
        limit = max(OVERDUE_LEAST, OVERDUE_PERIODS * timedelta(milliseconds=self.period_ms))
        since = self.last_success(now) or self.known_since
        return since > now or now - since > limit

    def is_recorded(self, now: datetime) -> bool:
        """Tell whether the last success is recent enough, so that one at `now` need not be written."""
        last = self.last_success(now)
        if last is None or self.failures:
            return False
        return now - last < min(WRITTEN_EVERY, timedelta(milliseconds=self.period_ms))


# One statement, because a node's start and the first run of a job may store the same job at the same time.
ADD_JOB: Final = insert(JobRun).on_conflict_do_nothing()


def job_runs(reads: ReadSession | Session) -> list[JobRun]:
    """Return the runs of every job of the node, by name."""
    return list(reads.exec(select(JobRun).order_by(col(JobRun.name))))


def job_run(reads: ReadSession | Session, name: str) -> JobRun | None:
    """Return the runs of one job."""
    return reads.get(JobRun, name)


def record_known(session: Session, periods_seconds: dict[str, float], now: datetime) -> None:
    """Store the jobs of the node and their periods, and forget jobs that it no longer has.

    A job that is known since an instant in the future is known since `now`.
    """
    for row in job_runs(session):
        if row.name not in periods_seconds:
            session.delete(row)
    for name, seconds in periods_seconds.items():
        row = _row(session, name, seconds, now)
        row.known_since = min(row.known_since, now)
        session.add(row)


def record_succeeded(session: Session, name: str, period_seconds: float, now: datetime) -> None:
    """Store that a run of a job succeeded, and forget its failures."""
    row = _row(session, name, period_seconds, now)
    row.succeeded, row.failures, row.error = now, 0, None
    session.add(row)


def record_failed(session: Session, name: str, period_seconds: float, error: str, now: datetime) -> None:
    """Store that a run of a job failed, and why."""
    row = _row(session, name, period_seconds, now)
    row.failed, row.failures, row.error = now, row.failures + 1, error[:ERROR_LENGTH_MAX]
    session.add(row)


def _row(session: Session, name: str, period_seconds: float, now: datetime) -> JobRun:
    row = job_run(session, name)
    if row is None:
        session.exec(ADD_JOB, params={"name": name, "period_ms": 0, "known_since": now, "failures": 0})
        row = session.get_one(JobRun, name)
    row.period_ms = round(period_seconds * 1000)
    return row
