"""The scheduler of beat: a job is due by its last success in the store, so that a restart postpones nothing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

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

    A job without a success is due at once. So is one with a success in the future: a wrong clock stored it. The same
    holds when the clock is set back while beat runs.
    """

    _ticked_at = LONG_AGO

    def setup_schedule(self) -> None:
        """Fill the schedule."""
        super().setup_schedule()
        known = self.app.last_successes()
        now = self._ticked_at = self.app.now()
        for name, entry in self.schedule.items():
            entry.last_run_at = _past(known.get(name, LONG_AGO), now)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Start the entry that is due next; returns the seconds until another one may be."""
        now = self.app.now()
        if now < self._ticked_at:
            # Its runs lie in the future now, and so do the times in the heap.
            for entry in self.schedule.values():
                entry.last_run_at = _past(entry.last_run_at, now)
            self._heap = None
        self._ticked_at = now
        return super().tick(*args, **kwargs)


def _past(at: datetime, now: datetime) -> datetime:
    return at if at <= now else LONG_AGO
