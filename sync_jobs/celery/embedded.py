"""A Celery worker and a beat in threads of the node's own process: the default, with no service to install."""

import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from celery.beat import EmbeddedService, Scheduler
from celery.worker import WorkController

from sync_jobs.celery.app import build_app
from sync_jobs.celery.jobs import Job
from sync_jobs.celery.nudges import Nudges

STOP_SECONDS_MAX: Final = 30  # a job's slice and one request that stands still
LOG = logging.getLogger(__name__)


class EmbeddedJobs:
    """The jobs of a node, running from `start` to `stop`; also a context. One process may run several nodes' jobs."""

    def __init__(self, jobs: Mapping[str, Job], *, queue: str) -> None:
        self.app = build_app(jobs, queue=queue)
        self._jobs = jobs
        self._queue = queue
        self._worker: Any = None
        self._beat: Any = None
        self._thread: threading.Thread | None = None
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
        self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
        self._thread.start()
        # Named here because the service passes over `beat_scheduler`, and would keep a file in the working directory.
        self._beat = EmbeddedService(self.app, thread=True, scheduler_cls=Scheduler)
        self._beat.start()
        self.nudges = Nudges(self.app, self._jobs)

    def ask(self, name: str) -> None:
        """Have a job woken soon; does nothing when stopped."""
        if self.nudges is not None:
            self.nudges.ask(name)

    def stop(self) -> None:
        """End the beat and the worker; a job that runs is waited for."""
        if self.nudges is None or self._thread is None:
            return
        self.nudges.stop()
        self.nudges = None
        self._beat.stop()
        self._worker.stop()
        self._thread.join(STOP_SECONDS_MAX)
        self._thread = None

    def _serve(self) -> None:
        self.app.set_current()
        self._worker.start()
