"""Threads that are started again when they end by themselves."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from infra.messages import term

WAIT_SECONDS_MIN: Final = 0.5
WAIT_SECONDS_MAX: Final = 30.0
RECENT_SECONDS: Final = 60.0
RETURNED: Final = term("why", "it returned")
LOG = logging.getLogger(__name__)


class SupervisedThread:
    """Runs `work` on a thread until `stop`. Work that raises or returns before that is begun again.

    The wait between two starts doubles up to WAIT_SECONDS_MAX, and is short again after a run of RECENT_SECONDS.
    `failure` is why the work ended; None while it runs. `stopping` is set before `interrupt` is called, which must make
    `work` return.
    """

    def __init__(self, name: str, work: Callable[[], None], interrupt: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.failure: str | None = None
        self._ended: tuple[float, str] | None = None
        self._work = work
        self._interrupt = interrupt
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the work runs now."""
        return self._thread.is_alive() and self.failure is None

    def recent_failure(self) -> str | None:
        """Return why the work ended, where that was less than RECENT_SECONDS ago; it may run again."""
        if self._ended is None or time.monotonic() - self._ended[0] > RECENT_SECONDS:
            return None
        return self._ended[1]

    def stop(self, seconds_max: float) -> None:
        """Interrupt the work and wait until it has returned, at most `seconds_max`."""
        self.stopping.set()
        self._interrupt()
        if self._thread.is_alive():
            self._thread.join(seconds_max)

    def _serve(self) -> None:
        wait = WAIT_SECONDS_MIN
        while not self.stopping.is_set():
            self.failure = None
            began = time.monotonic()
            try:
                self._work()
                ended = RETURNED
            except BaseException as error:
                ended = f"{type(error).__name__}: {error}"
                if not self.stopping.is_set():
                    LOG.exception("the thread %s ended; it is started again", self.name)
            if self.stopping.is_set():
                return
            if time.monotonic() - began > RECENT_SECONDS:
                wait = WAIT_SECONDS_MIN
            self.failure = ended
            self._ended = time.monotonic(), ended
            self.stopping.wait(wait)
            wait = min(2 * wait, WAIT_SECONDS_MAX)
