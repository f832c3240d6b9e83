"""The only reader of the wall clock. Tests and simulations replace it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock that changes only by `advance`: for tests, demonstrations and simulations."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 14, 8, 0, tzinfo=UTC))

    def now(self) -> datetime:
        """Return the instant of the last advance."""
        return self.at

    def advance(self, **step: float) -> datetime:
        """Advance the clock by a timedelta's keywords (seconds=…, days=…) and return the new instant."""
        self.at += timedelta(**step)
        return self.at
