"""Rates of transfer and projection, the remaining time, and the number of entries in the next request."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PER: Final = 1000  # seconds that a pace counts the entries of, so that slow lines have one too
ENTRIES_MIN: Final = 100  # fewer at once say nothing of how many could move
SECOND: Final = timedelta(seconds=1)
GAP_MAX: Final = timedelta(seconds=60)  # between two moves that belong together
TARGET: Final = timedelta(seconds=2)  # of one request: long enough to be worth it, short enough for others
BUSY_ENTRIES_MIN: Final = 256  # fewer do not help a hub that has no place free at all


@dataclass(frozen=True, slots=True)
class Ahead:
    """The remaining time and rate of the backlog. None without a backlog, or before any entry has moved."""

    seconds: int | None = None
    entries_per_second: float | None = None


def paced(before: int | None, entries: int, took: timedelta) -> int | None:
    """Return the rate in entries per 1000 seconds: the latest measurement, smoothed with the rate before.

    Returns the rate before, unchanged, for fewer than ENTRIES_MIN entries, or no time, or more than GAP_MAX.
    """
    if entries < ENTRIES_MIN or not timedelta(0) < took <= GAP_MAX:
        return before
    now = entries * PER * SECOND // took
    return now if before is None else (3 * before + now) // 4


def ahead(to_travel: int, pace: int | None, to_apply: int, applied_pace: int | None) -> Ahead:
    """Return how long it takes until all is there and applied, and the pace of the slower of the two.

    Entries that are still sent must be applied as well. Both run at the same time.
    """
    ways = [(to_travel, pace), (to_travel + to_apply if applied_pace else to_apply, applied_pace)]
    if any(entries > 0 and not each for entries, each in ways):
        return Ahead()
    found = [(entries * PER / each, each / PER) for entries, each in ways if entries > 0 and each]
    if not found:
        return Ahead()
    seconds, rate = max(found)
    return Ahead(int(seconds) + 1, rate)


def next_batch(allowed: int, limit: int, sent: int, took: timedelta) -> int:
    """Return how many entries go in the next request, from 1 to the limit, after one that went well.

    It doubles while full requests stay under the target, and falls, at most by half, in proportion to one above it.
    It stays at least ENTRIES_MIN: a request with fewer is slow for another reason.
    """
    allowed = min(allowed or limit, limit)
    if took > TARGET:
        return min(allowed, max(ENTRIES_MIN, sent // 2, sent * TARGET // took))
    return min(limit, 2 * allowed) if sent >= allowed else allowed
