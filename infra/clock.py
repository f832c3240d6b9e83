"""The one place that reads the wall clock, so that tests and simulations can own time."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; everything that needs it is handed one."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is advanced: for tests, demonstrations and simulations."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 14, 8, 0, tzinfo=UTC))

    def now(self) -> datetime:
        """Return the instant the clock stands at."""
        return self.at

    def advance(self, **step: float) -> datetime:
        """Move the clock on by a timedelta's keywords (seconds=…, days=…) and return the new instant."""
        self.at += timedelta(**step)
        return self.at
