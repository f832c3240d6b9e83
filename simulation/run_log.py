"""The log of one simulated run: all lines are hashed, and the last ones are kept for a failure."""

from collections import Counter, deque
from hashlib import sha256
from typing import Final

LINES_KEPT: Final = 400


class Violation(AssertionError):
    """The system did what it promises never to do; `invariant` is I1 to I19, or SIM where the run itself broke."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant


class RunLog:
    """The trace of a run: equal seeds give equal digests, whatever the machine and the time of day."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.hits: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()
        self._hash = sha256()
        self._count = 0

    def tell(self, us: int, who: str, what: str) -> None:
        """Add one line: when in virtual microseconds since the beginning, who, and what happened."""
        self._count += 1
        line = f"{us // 1_000_000:>8}.{us % 1_000_000:06d} s  {who:<8} {what}"
        self._hash.update(line.encode() + b"\n")
        self.lines.append(line)

    def hit(self, fault: str, times: int = 1) -> None:
        """Count a fault that really struck, by its number in the list of faults (F1 to F55)."""
        if times:
            self.hits[fault] += times

    def mark(self, name: str) -> None:
        """Count that a run came by a place worth seeing: coverage that the person reading the totals understands."""
        self.marks[name] += 1

    @property
    def digest(self) -> str:
        """The hash over all lines so far, in hexadecimal."""
        return self._hash.hexdigest()

    def __len__(self) -> int:
        return self._count
