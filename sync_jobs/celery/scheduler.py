"""The scheduler of beat: a job is due by its last success in the store, so that a restart postpones nothing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from celery import Celery
from celery.beat import Scheduler

from plants.store.monitoring.job_runs import JobRun

LastSuccesses = Callable[[], Mapping[str, datetime]]
"""Reads the last success of each job."""

LAST_SUCCESSES: Final = "batchloom_last_successes"  # the attribute of the application
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
SCHEDULER: Final = "sync_jobs.celery.scheduler:DueScheduler"


def successes(runs: list[JobRun]) -> dict[str, datetime]:
    """Return the last success by job, for those that have one."""
    return {one.name: one.succeeded for one in runs if one.succeeded is not None}


class DueScheduler(Scheduler):
    """Starts each entry at the last success of its job, as `last_successes` reads it.

    A job without a success is due at once. So is one with a success in the future:
    a wrong clock stored it.
    """

    def setup_schedule(self) -> None:
        """Fill the schedule."""
        super().setup_schedule()
        known = last_successes(self.app)
        now = self.app.now()
        for name, entry in self.schedule.items():
            at = known.get(name, LONG_AGO)
            entry.last_run_at = at if at <= now else LONG_AGO


def last_successes(app: Celery) -> Mapping[str, datetime]:
    """Return the last success of each job of an application."""
    read: LastSuccesses = getattr(app, LAST_SUCCESSES)
    return read()


def set_last_successes(app: Celery, read: LastSuccesses) -> None:
    """Give an application the function that reads the last success of each job."""
    setattr(app, LAST_SUCCESSES, read)
