"""A Celery worker and a beat in threads of the node's own process: the default, with no service to install."""

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from celery.beat import Service
from celery.worker import WorkController

from sync_jobs.celery.app import build_app, no_successes
from sync_jobs.celery.jobs import Job
from sync_jobs.celery.nudges import Nudges
from sync_jobs.celery.scheduler import DueScheduler, LastSuccesses
from sync_jobs.celery.supervision import SupervisedThread

STOP_SECONDS_MAX: Final = 30  # a job's slice and one request that stalls
BEAT_SECONDS: Final = 1
LOG = logging.getLogger(__name__)


class WorkerEnded(Exception):
    """The embedded worker ended by an error, which Celery logged; the argument is its exit code."""


class EmbeddedJobs:
    """The jobs of a node, running from `start` to `stop`; also a context. One process may run several nodes' jobs.

    A worker or beat that ends by itself is started again.
    """

    def __init__(self, jobs: Mapping[str, Job], *, queue: str, last_successes: LastSuccesses = no_successes) -> None:
        self.app = build_app(jobs, queue=queue, last_successes=last_successes)
        self._jobs = jobs
        self._queue = queue
        self._worker: Any = None
        self._beat: Any = None
        self._threads = (
            SupervisedThread("jobs", self._work, self._end_worker),
            SupervisedThread("beat", self._schedule, self._end_beat),
        )
        self.nudges: Nudges | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the worker, the beat and the sender of nudges."""
        # Without a default, code of Celery that runs in our threads would look for a broker on this machine.
        self.app.set_default()
        self.app.finalize()
        for thread in self._threads:
            thread.start()
        self.nudges = Nudges(self.app, self._jobs)

    def ask(self, name: str) -> None:
        """Have a job woken soon; does nothing when stopped."""
        if self.nudges is not None:
            self.nudges.ask(name)

    @property
    def threads(self) -> tuple[SupervisedThread, ...]:
        """The threads of the jobs."""
        return self._threads if self.nudges is None else (*self._threads, *self.nudges.threads)

    def stop(self) -> None:
        """End the beat and the worker; waits for a job that runs."""
        if self.nudges is None:
            return
        self.nudges.stop()
        self.nudges = None
        for thread in reversed(self._threads):
            thread.stop(STOP_SECONDS_MAX)

    def _work(self) -> None:
        self.app.set_current()
        self._worker = WorkController(
            app=self.app,
            hostname=f"jobs@{self._queue}",
            pool_cls="solo",
            concurrency=1,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel=logging.WARNING,
        )
        if not self._threads[0].stopping.is_set():
            self._worker.start()
            # Celery swallows the error that ends a worker.
            if self._worker.exitcode:
                raise WorkerEnded(self._worker.exitcode)

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def _schedule(self) -> None:
        self.app.set_current()
        self._beat = Service(self.app, max_interval=BEAT_SECONDS, scheduler_cls=DueScheduler)
        if not self._threads[1].stopping.is_set():
            self._beat.start()

    def _end_beat(self) -> None:
        if self._beat is not None:
            self._beat.stop()
