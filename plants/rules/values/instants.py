"""Instants: aware datetimes in code, RFC 3339 texts in entries, microseconds since the epoch in tables."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def format_instant(at: datetime) -> str:
    """Return an aware instant as entries write it: UTC, six decimals, Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def readable_instant(at: datetime) -> str:
    """Return an aware instant for a text that people read: UTC, whole seconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Return the instant that an entry wrote; raises ValueError on another form."""
    return datetime.fromisoformat(text)


def micros(at: datetime) -> int:
    """Return an aware instant as microseconds since the epoch, exactly."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(at: int) -> datetime:
    """Return the instant, aware and in UTC, for microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=at)


@lru_cache(maxsize=16_384)  # An entry's instants are needed several times over, those of a whole request twice.
def instant_micros(text: str) -> int:
    """Return the instant that an entry wrote as microseconds since the epoch."""
    return micros(datetime.fromisoformat(text))
