"""The scheduler of beat: a job is due by its last success in the store, so that a restart postpones nothing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from celery.beat import Scheduler

from plants.store.monitoring.job_runs import JobRun

LastSuccesses = Callable[[], Mapping[str, datetime]]
"""Reads the last success of each job."""

LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
SCHEDULER: Final = "sync_jobs.celery.scheduler:DueScheduler"


def successes(runs: list[JobRun]) -> dict[str, datetime]:
    """Return the last success by job, for those that have one."""
    return {one.name: one.succeeded for one in runs if one.succeeded is not None}


class DueScheduler(Scheduler):
    """Starts each entry at the last success of its job, which `last_successes` of the application reads.

    A job without a success is due at once. So is one with a success in the future: a wrong clock stored it.
    """

    def setup_schedule(self) -> None:
        """Fill the schedule."""
        super().setup_schedule()
        known = self.app.last_successes()
        now = self.app.now()
        for name, entry in self.schedule.items():
            at = known.get(name, LONG_AGO)
            entry.last_run_at = at if at <= now else LONG_AGO
