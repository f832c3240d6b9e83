"""A node's second memory: a small file beside the database that no backup of the database brings back.

It says how long the node's ledger was, with which root, and up to which number each series may have been used. So a
database that was restored from an old backup is noticed before a number is given a second time. Numbers are reserved
ahead, so that the file is written once for many of them, and always before the commit that needs it.
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

FILE_NAME: Final = "marks.json"
REFRESHED_AFTER: Final = timedelta(seconds=10)  # how late size and root may be, by the node's clock
SERIES_MAX: Final = 1000  # names kept; the last in the order of names, which end in the day


class MarksUnreadable(ValueError):
    """The file holds no marks."""


@dataclass(slots=True)
class Raised:
    """What one transaction is about to make durable: the next number of each series drawn from, and the new position.

    `kept` is the position that holds before and after a transaction that takes entries away.
    """

    series: dict[str, int] = field(default_factory=dict)
    position: tuple[int, Callable[[], bytes]] | None = None
    kept: tuple[int, Callable[[], bytes]] | None = None

    def draw(self, series: Mapping[str, int]) -> None:
        """Note the next numbers of series."""
        for name, following in series.items():
            if following > self.series.get(name, 0):
                self.series[name] = following

    def stand(self, size: int, root: Callable[[], bytes]) -> None:
        """Note how long the node's own ledger is, and what gives its root."""
        self.position = size, root

    def go_back(self, size: int, root: Callable[[], bytes]) -> None:
        """Note that entries from this size on are taken away."""
        self.position = self.kept = size, root

    def copied(self) -> "Raised":
        """Return a copy, to go back to when a part of the transaction is undone."""
        other = copy(self)
        other.series = dict(self.series)
        return other


@dataclass(frozen=True, slots=True)
class Marks:
    """What the file says. Of each series, numbers below its value may have been used; `turn` counts the rebases."""

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
    def read(cls, raw: bytes) -> "Marks":
        """Read what `to_bytes` wrote; raises MarksUnreadable."""
        try:
            content = json.loads(raw)
            series = {str(name): int(following) for name, following in content["series"].items()}
            return cls(str(content["origin"]), int(content["size"]), str(content["root"]), series, int(content["turn"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MarksUnreadable(f"{type(error).__name__}: {error}") from error


class MarksFile(Protocol):
    """Where marks are kept: whole or not at all, and by one process at a time."""

    def read(self) -> bytes | None:
        """Return the content, or None where there is none."""
        ...

    def replace(self, content: bytes) -> None:
        """Put new content in place of the old; durable when this returns."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep the node's other processes from changing it until the block ends."""
        ...


class FileMarks:
    """Marks in a file of the node's home."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the content, or None where there is no file."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, content: bytes) -> None:
        """Write a file beside it, synchronise it, and rename it over the old one; raises OSError as it happens."""
        draft = self._path.with_name(f".{self._path.name}.new")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_folder(self._path.parent)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock file beside it."""
        with self._path.with_name(f".{self._path.name}.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Keeper:
    """Keeps the marks of one node's store up with what it commits; one for each process that has it open.

    `ahead` says how many numbers of a series are reserved at a time.
    """

    def __init__(self, file: MarksFile, marks: Marks, clock: Clock, ahead: Callable[[str], int]) -> None:
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
        """Of each series, the number below which any may have been used."""
        return self._known.series

    def before_commit(self, raised: Raised) -> None:
        """Reserve what the transaction drew; raises OSError, and then the transaction must not be committed."""
        known = self._known.series
        beyond = {name: following for name, following in raised.series.items() if following > known.get(name, 0)}
        if beyond or raised.kept is not None:
            with self._lock:
                self._write(beyond, raised.kept)

    def committed(self, raised: Raised) -> None:
        """Note where the ledger stands now, and write it down when the file is REFRESHED_AFTER old.

        At once where entries were taken away before others were appended: until then the file names a position that
        older stores have as well.
        """
        with self._lock:
            if raised.position is not None:
                self._position = raised.position
            self._catch_up(at_once=raised.kept is not None)

    def found(self, size: int, root: Callable[[], bytes]) -> None:
        """Note where the ledger stands that was found to continue the marks: a crash may have left them behind."""
        with self._lock:
            self._position = size, root
            self._catch_up(at_once=True)

    def catch_up(self) -> None:
        """Write down what the last commits left, so that the last one before a quiet hour is remembered too."""
        with self._lock:
            self._catch_up()

    def rewind(self, size: int, root: Callable[[], bytes]) -> None:
        """Write down that the ledger stands here, though it was longer: the restore is on record. Raises OSError."""
        with self._lock:
            self._write({}, (size, root))

    def close(self) -> None:
        """Write down where the ledger stands."""
        with self._lock:
            if self._position is not None:
                self._refresh()

    @property
    def behind(self) -> bool:
        """Whether the file does not name the last entry yet."""
        return self._position is not None and self._position[0] != self._known.size

    def _catch_up(self, *, at_once: bool = False) -> None:
        if self.behind and (at_once or abs(self._clock.now() - self._refreshed) >= REFRESHED_AFTER):
            self._refresh()

    def _refresh(self) -> None:
        # The entries are durable already: a file that cannot be written now only makes the memory older.
        try:
            self._write({}, None)
            self.failure = None
        except OSError as error:
            self.failure = f"{type(error).__name__}: {error}"

    def _write(self, beyond: Mapping[str, int], kept: tuple[int, Callable[[], bytes]] | None) -> None:
        with self._file.alone():
            before = self._known
            raw = self._file.read()
            if raw is not None:
                try:
                    before = Marks.read(raw)
                except MarksUnreadable:
                    before = self._known  # whole files alone are written, so somebody else's hand was in it.
            if before.origin != self._known.origin:
                before = self._known
            series = dict(before.series)
            for name, following in self._known.series.items():
                series[name] = max(series.get(name, 0), following)
            for name, following in beyond.items():
                series[name] = max(series.get(name, 0), following + self._ahead(name))
            size, root, turn = before.size, before.root, before.turn
            if kept is not None:
                turn += 1
                self._position = None
                if kept[0] < size:
                    size, root = kept[0], kept[1]().hex()
            elif self._position is not None and self._turn == turn and self._position[0] >= size:
                size, root = self._position[0], self._position[1]().hex()
            last = sorted(series)[-SERIES_MAX:]
            marks = Marks(before.origin, size, root, {name: series[name] for name in last} | _undated(series), turn)
            self._file.replace(marks.to_bytes())
            self._known, self._turn = marks, turn
            if self._position is not None and size == self._position[0]:
                self._refreshed = self._clock.now()


def _undated(series: Mapping[str, int]) -> dict[str, int]:
    return {name: following for name, following in series.items() if "/" not in name}
