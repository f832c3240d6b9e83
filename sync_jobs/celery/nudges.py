"""Sending nudges beside the work: quick for whoever asks, gathered, and a broker that is down fails nobody's write.

A nudge that could not be sent is sent again until the broker takes it, so that whoever is told that the broker is away
hears as well when it is back.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from celery import Celery

from sync_jobs.celery.app import nudge
from sync_jobs.celery.jobs import Job

GATHER_SECONDS: Final = 0.02
CONNECT_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0
LOG = logging.getLogger(__name__)


Told = Callable[[str | None], None]
"""Hears once why the broker cannot be reached, and once, with None, that it answers."""


class Nudges:
    """Wakes jobs from a thread of its own. `failures` counts the nudges that could not be sent."""

    def __init__(self, app: Celery, jobs: Mapping[str, Job], told: Told | None = None) -> None:
        self._app = app
        self._jobs = jobs
        self._told = told
        self._answers: bool | None = None
        self._asked: set[str] = set()
        self._unsent: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self.failures = 0
        self._thread = threading.Thread(target=self._serve, name="nudges", daemon=True)
        self._thread.start()

    def ask(self, name: str) -> None:
        """Have a job woken soon; returns at once and never fails. Asking twice before it is sent is asking once."""
        with self._changed:
            self._asked.add(name)
            self._changed.notify()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._asked and not self._stopping.is_set():
                    if not self._changed.wait(RETRY_SECONDS if self._unsent else None):
                        break
            if self._stopping.wait(GATHER_SECONDS):
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
        """Tell of a change; where that fails it is told again with the next nudge."""
        answers = failure is None
        if self._told is None or answers is self._answers:
            return
        try:
            self._told(failure)
        except Exception as error:  # noqa: BLE001 -- a store that takes nothing now.
            LOG.warning("could not write down that the broker %s: %s", failure or "answers", type(error).__name__)
        else:
            self._answers = answers


def broker_failure(broker_url: str) -> str | None:
    """Return why a broker cannot be reached, without its address, which may hold a password; None when it answers."""
    try:
        with Celery(broker=broker_url, set_as_current=False).connection_for_write(
            connect_timeout=CONNECT_SECONDS
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except Exception as error:  # noqa: BLE001 -- each transport has its own kinds, and all of them mean the same here.
        return type(error).__name__
    return None
