"""Limits for tests: seconds on a quiet machine, times a factor that follows the load of the machine.

The factor is the number of processes that want to run for each core, between 1 and FACTOR_MAX, times TEST_PATIENCE
from the environment (1 unless set; 3 for a machine that is three times as slow). It is read again while waiting: later
load counts too. It applies to the time-out of every test and to every wait for a condition.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, TypeVar

import pytest
import pytest_timeout

FACTOR_MAX: Final = 6.0
WAIT_SECONDS: Final = 90.0
FIRST_LOOK_SECONDS: Final = 0.002  # between the first two looks at a condition; doubled for each further look
LOOK_SECONDS_MAX: Final = 0.05
CONFIGURED: Final = float(os.environ.get("TEST_PATIENCE", "1"))
CORES: Final = len(os.sched_getaffinity(0))

T = TypeVar("T")


def factor() -> float:
    """Return how many times longer than on a quiet machine things may take now."""
    wanting_to_run, _, _ = os.getloadavg()
    return CONFIGURED * min(FACTOR_MAX, max(1.0, wanting_to_run / CORES))


def patient(seconds: float) -> float:
    """Return a limit for what takes one number: the time-out of a process, of a socket, of an event."""
    return seconds * factor()


@dataclass
class Limit:
    """A limit that begins now; it grows with the factor and never shrinks."""

    seconds: float
    ask: Callable[[], float] = factor
    began: float = field(default_factory=time.monotonic)
    highest: float = 0.0

    def left(self) -> float:
        """Return the seconds that are left, none or less when the limit is reached."""
        self.highest = max(self.highest, self.ask())
        return self.seconds * self.highest - (time.monotonic() - self.began)


def wait_until(true: Callable[[], T | None], what: str = "the condition holds", seconds: float = WAIT_SECONDS) -> T:
    """Return the first answer that is not empty; fails when there is none within the limit."""
    limit, pause = Limit(seconds), FIRST_LOOK_SECONDS
    while not (answer := true()):
        assert limit.left() > 0, f"in {seconds} s times {limit.highest:.1f} it did not come about that {what}"
        time.sleep(pause)
        pause = min(2 * pause, LOOK_SECONDS_MAX)
    return answer


def set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Set the alarm of a test's time-out, and set it again while the limit grows; pytest-timeout does the rest."""
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None
    limit = Limit(settings.timeout)

    def ring(_signal: int, _frame: FrameType | None) -> None:
        left = limit.left()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            pytest_timeout.timeout_sigalrm(item, settings)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    return True
