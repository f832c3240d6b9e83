"""Virtual time: one true time for the world, and each node's own idea of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

BEGINNING: Final = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR


@dataclass(slots=True)
class TrueTime:
    """The world's time in microseconds since BEGINNING; it only goes forward."""

    us: int = 0

    def advance(self, us: int) -> None:
        """Let so many microseconds pass."""
        assert us >= 0
        self.us += us


@dataclass(slots=True)
class NodeClock:
    """A node's wall clock: the true time, more or less, and wrong by whatever somebody did to it."""

    true: TrueTime
    ahead_us: int = 0
    steps: list[int] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the instant that this node believes in."""
        return BEGINNING + timedelta(microseconds=self.true.us + self.ahead_us)

    def step(self, us: int) -> None:
        """Set the clock forward or back."""
        self.ahead_us += us
        self.steps.append(us)

    def set_right(self) -> None:
        """Do what a person does who notices, or what a time server does."""
        self.ahead_us = 0
