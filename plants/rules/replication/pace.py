"""How fast entries travel and are applied, how long the others will take, and how many go in one request."""

from dataclasses import dataclass
from typing import Final

MICROS: Final = 1_000_000
PER: Final = 1000  # seconds that a pace counts the entries of, so that slow lines have one too
ENTRIES_MIN: Final = 100  # fewer at once say nothing of how many could move
GAP_US_MAX: Final = 60 * MICROS  # between two moves that belong together
TARGET_US: Final = 2 * MICROS  # that one request should take: long enough to be worth it, short enough for others
BUSY_ENTRIES_MIN: Final = 256  # fewer do not help a hub that has no place free at all


@dataclass(frozen=True, slots=True)
class Ahead:
    """How long what is on its way will take, and at what pace; None where nothing is, or none has moved yet."""

    seconds: int | None = None
    entries_per_second: float | None = None


def paced(before: int | None, entries: int, took_us: int) -> int | None:
    """Return the pace in entries of 1000 seconds: that of so many in so many microseconds, smoothed by the one before.

    Leaves it where it was when they were too few, or took no time or longer than belongs together.
    """
    if entries < ENTRIES_MIN or not 0 < took_us <= GAP_US_MAX:
        return before
    now = entries * PER * MICROS // took_us
    return now if before is None else (3 * before + now) // 4


def ahead(to_travel: int, pace: int | None, to_apply: int, applied_pace: int | None) -> Ahead:
    """Return how long it takes until all is there and applied, and the pace of the slower of the two.

    What still travels has to be applied as well; both go on at the same time.
    """
    ways = [(to_travel, pace), (to_travel + to_apply if applied_pace else to_apply, applied_pace)]
    if any(entries > 0 and not each for entries, each in ways):
        return Ahead()
    found = [(entries * PER / each, each / PER) for entries, each in ways if entries > 0 and each]
    if not found:
        return Ahead()
    seconds, rate = max(found)
    return Ahead(int(seconds) + 1, rate)


def next_batch(allowed: int, limit: int, sent: int, took_us: int) -> int:
    """Return how many entries go in the next request, from 1 to the limit, after one that went well.

    It doubles while full requests stay under the target, and falls, at most by half, in proportion to one above it.
    Never below ENTRIES_MIN, though: what makes so few slow is not their number.
    """
    allowed = min(allowed or limit, limit)
    if took_us > TARGET_US:
        return min(allowed, max(ENTRIES_MIN, sent // 2, sent * TARGET_US // took_us))
    return min(limit, 2 * allowed) if sent >= allowed else allowed
