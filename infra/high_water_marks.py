"""High-water marks of a node: a small file outside the database that no backup of the database restores.

The file holds the size and root of the node's ledger, and the number below which each series may have been used. A
database that was restored from an old backup is detected by it, before a number is given a second time. Numbers are
reserved in blocks, so that one write serves many of them. The write always precedes the commit that needs it.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from infra.clock import Clock
from infra.folders import sync_folder
from infra.messages import Failure, message

FILE_NAME: Final = "marks.json"
REFRESHED_AFTER: Final = timedelta(seconds=10)  # the largest age of size and root, by the node's clock
SERIES_MAX: Final = 1000  # names stored: the last in sort order, because dated names end in the day
MARKS_NOT_JSON: Final = message("MARKS_NOT_JSON", "it is not valid JSON")
MARKS_INCOMPLETE: Final = message("MARKS_INCOMPLETE", "a member is missing or has the wrong type")


class MarksUnreadable(Failure):
    """The file holds no valid marks."""


@dataclass(slots=True)
class PendingMarks:
    """The marks of one transaction before its commit: the next number of each series used, and the new position.

    `truncated_to` is the position to which a transaction removes entries before it appends others.
    """

    series: dict[str, int] = field(default_factory=dict)
    position: tuple[int, Callable[[], bytes]] | None = None
    truncated_to: tuple[int, Callable[[], bytes]] | None = None

    def draw(self, series: Mapping[str, int]) -> None:
        """Record the next numbers of series."""
        for name, following in series.items():
            if following > self.series.get(name, 0):
                self.series[name] = following

    def set_position(self, size: int, root: Callable[[], bytes]) -> None:
        """Record the size of the node's own ledger and a function that returns its root."""
        self.position = size, root

    def truncate(self, size: int, root: Callable[[], bytes]) -> None:
        """Record that the entries from this size on are removed."""
        self.position = self.truncated_to = size, root

    def copied(self) -> "PendingMarks":
        """Return a copy, for a savepoint."""
        other = copy(self)
        other.series = dict(self.series)
        return other


@dataclass(frozen=True, slots=True)
class HighWaterMarks:
    """The content of the file. Numbers of a series below its value may have been used. `turn` counts the rebases."""

    origin: str
    size: int = 0
    root: str = ""  # hexadecimal; empty until the ledger's first entry
    series: Mapping[str, int] = field(default_factory=dict)
    turn: int = 0

    def to_bytes(self) -> bytes:
        """Return the marks as JSON."""
        content = {"origin": self.origin, "size": self.size, "root": self.root, "series": dict(self.series)}
        return json.dumps(content | {"turn": self.turn}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def read(cls, raw: bytes) -> "HighWaterMarks":
        """Read what `to_bytes` wrote; raises MarksUnreadable."""
        try:
            content = json.loads(raw)
        except ValueError as error:
            raise MarksUnreadable(MARKS_NOT_JSON) from error
        try:
            series = {str(name): int(following) for name, following in content["series"].items()}
            return cls(str(content["origin"]), int(content["size"]), str(content["root"]), series, int(content["turn"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MarksUnreadable(MARKS_INCOMPLETE) from error


class MarksFile(Protocol):
    """Storage of marks with atomic replacement and a lock between processes."""

    def read(self) -> bytes | None:
        """Return the content, or None where the file is missing."""
        ...

    def replace(self, content: bytes) -> None:
        """Replace the content atomically and durably."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Lock out the node's other processes until the block ends."""
        ...


class FileMarks:
    """Marks in a file in the node's home."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the content, or None where the file is missing."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, content: bytes) -> None:
        """Write a new file, synchronise it and rename it over the old one; raises OSError."""
        draft = self._path.with_name(f".{self._path.name}.new")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_folder(self._path.parent)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold an exclusive lock on the lock file."""
        with self._path.with_name(f".{self._path.name}.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class MarkKeeper:
    """Updates the marks of one node's store with its commits; one per process that has the store open.

    `ahead` returns the number of numbers to reserve at a time for a series.
    """

    def __init__(self, file: MarksFile, marks: HighWaterMarks, clock: Clock, ahead: Callable[[str], int]) -> None:
        self._file = file
        self._known = marks
        self._clock = clock
        self._ahead = ahead
        self._lock = threading.Lock()
        self._position: tuple[int, Callable[[], bytes]] | None = None
        self._turn = marks.turn
        self._refreshed = clock.now()
        self.failure: str | None = None

    @property
    def reserved(self) -> Mapping[str, int]:
        """The number of each series below which every number may have been used."""
        return self._known.series

    def before_commit(self, pending: PendingMarks) -> None:
        """Reserve the numbers of a transaction; when this raises OSError, the transaction must not be committed."""
        known = self._known.series
        beyond = {name: following for name, following in pending.series.items() if following > known.get(name, 0)}
        if beyond or pending.truncated_to is not None:
            with self._lock:
                self._write(beyond, pending.truncated_to)

    def committed(self, pending: PendingMarks) -> None:
        """Record the committed position, and write the file when it is REFRESHED_AFTER old.

        Write at once where the transaction removed entries: the file then names a position that older stores share.
        """
        with self._lock:
            if pending.position is not None:
                self._position = pending.position
            self._catch_up(at_once=pending.truncated_to is not None)

    def resume(self, size: int, root: Callable[[], bytes]) -> None:
        """Record and write the position of a ledger that continues the marks; a crash may have left them behind."""
        with self._lock:
            self._position = size, root
            self._catch_up(at_once=True)

    def catch_up(self) -> None:
        """Write the last committed position if it is due, so that an idle node's marks become current."""
        with self._lock:
            self._catch_up()

    def rewind(self, size: int, root: Callable[[], bytes]) -> None:
        """Write a smaller position once the restore is recorded in the ledger. Raises OSError."""
        with self._lock:
            self._write({}, (size, root))

    def close(self) -> None:
        """Write the last committed position."""
        with self._lock:
            if self._position is not None:
                self._refresh()

    @property
    def behind(self) -> bool:
        """True while the file names an older position than the last commit."""
        return self._position is not None and self._position[0] != self._known.size

    def _catch_up(self, *, at_once: bool = False) -> None:
        if self.behind and (at_once or abs(self._clock.now() - self._refreshed) >= REFRESHED_AFTER):
            self._refresh()

    def _refresh(self) -> None:
        # The entries are durable already: a failed write only makes the marks older.
        try:
            self._write({}, None)
            self.failure = None
        except OSError as error:
            self.failure = f"{type(error).__name__}: {error}"

    def _write(self, beyond: Mapping[str, int], truncated_to: tuple[int, Callable[[], bytes]] | None) -> None:
        with self._file.alone():
            before = self._known
            raw = self._file.read()
            if raw is not None:
                try:
                    before = HighWaterMarks.read(raw)
                except MarksUnreadable:
                    before = self._known  # writes are atomic, so another program changed the file.
            if before.origin != self._known.origin:
                before = self._known
            series = dict(before.series)
            for name, following in self._known.series.items():
                series[name] = max(series.get(name, 0), following)
            for name, following in beyond.items():
                series[name] = max(series.get(name, 0), following + self._ahead(name))
            size, root, turn = before.size, before.root, before.turn
            if truncated_to is not None:
                turn += 1
                self._position = None
                if truncated_to[0] < size:
                    size, root = truncated_to[0], truncated_to[1]().hex()
            elif self._position is not None and self._turn == turn and self._position[0] >= size:
                size, root = self._position[0], self._position[1]().hex()
            last = sorted(series)[-SERIES_MAX:]
            marks = HighWaterMarks(
                before.origin, size, root, {name: series[name] for name in last} | _undated(series), turn
            )
            self._file.replace(marks.to_bytes())
            self._known, self._turn = marks, turn
            if self._position is not None and size == self._position[0]:
                self._refreshed = self._clock.now()


def _undated(series: Mapping[str, int]) -> dict[str, int]:
    return {name: following for name, following in series.items() if "/" not in name}
