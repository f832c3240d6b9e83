"""Nudges: messages that wake jobs, queued on a background thread. Callers never block or fail, also without a broker.

A nudge that could not be sent is sent again until the broker takes it. So the return of a broker is noticed as well.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from celery import Celery

from sync_jobs.celery.app import nudge, transport_options
from sync_jobs.celery.jobs import Job
from sync_jobs.celery.supervision import SupervisedThread

GATHER_SECONDS: Final = 0.02
CONNECT_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0
STOP_SECONDS_MAX: Final = 10.0
LOG = logging.getLogger(__name__)


BrokerReport = Callable[[str | None], None]
"""Called once with the reason when the broker cannot be reached, and once with None when it answers again."""


class Nudges:
    """Wakes jobs from a background thread. `failures` counts the nudges that could not be sent."""

    def __init__(self, app: Celery, jobs: Mapping[str, Job], report: BrokerReport | None = None) -> None:
        self._app = app
        self._jobs = jobs
        self._report = report
        self._answers: bool | None = None
        self._asked: set[str] = set()
        self._unsent: set[str] = set()
        self._changed = threading.Condition()
        self.failures = 0
        self.thread = SupervisedThread("nudges", self._serve, self._wake)
        self.thread.start()

    def ask(self, name: str) -> None:
        """Wake a job soon; returns at once and never fails. Repeated calls before the message is sent count once."""
        with self._changed:
            self._asked.add(name)
            self._changed.notify()

    def stop(self) -> None:
        """Send nothing more."""
        self.thread.stop(STOP_SECONDS_MAX)

    @property
    def threads(self) -> tuple[SupervisedThread, ...]:
        """The thread of the nudges."""
        return (self.thread,)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._asked and not self.thread.stopping.is_set():
                    if not self._changed.wait(RETRY_SECONDS if self._unsent else None):
                        break
            if self.thread.stopping.wait(GATHER_SECONDS):
                return
            with self._changed:
                asked, self._asked = self._asked, set()
            for name in sorted(asked | self._unsent):
                self._send(name)

    def _send(self, name: str) -> None:
        job = self._jobs[name]
        try:
            if name not in self._unsent and not job.wanted():
                return
        except Exception as error:  # noqa: BLE001 -- the store is not ours to look after; the job's period comes anyway.
            LOG.warning("%s: cannot tell whether there is work: %s", name, type(error).__name__)
            return
        try:
            nudge(self._app, name, job)
        except Exception as error:  # noqa: BLE001 -- a nudge is a courtesy: the period of the job heals what is lost.
            self.failures += 1
            self._unsent.add(name)
            LOG.warning("%s: could not be nudged (%s so far)", name, self.failures)
            self._tell(type(error).__name__)
        else:
            self._unsent.discard(name)
            self._tell(None)

    def _tell(self, failure: str | None) -> None:
        """Report a change; a report that fails is repeated with the next nudge."""
        answers = failure is None
        if self._report is None or answers is self._answers:
            return
        try:
            self._report(failure)
        except Exception as error:  # noqa: BLE001 -- a store that takes nothing now.
            LOG.warning("could not write down that the broker %s: %s", failure or "answers", type(error).__name__)
        else:
            self._answers = answers


def broker_failure(broker_url: str) -> str | None:
    """Return why a broker cannot be reached, without its address, which may hold a password; None when it answers."""
    try:
        app = Celery(broker=broker_url, set_as_current=False)
        options = transport_options(broker_url)
        with app.connection_for_write(connect_timeout=CONNECT_SECONDS, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except Exception as error:  # noqa: BLE001 -- each transport has its own kinds, and all of them mean the same here.
        return type(error).__name__
    return None
