"""What the doctor finds, and what it looks with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from infra.clock import Clock
from infra.database import Store
from infra.settings import Settings


class Level(IntEnum):
    """How much a finding matters; from PERSON on somebody has to do something."""

    FINE = 0
    NOTE = 1
    PERSON = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: how much it matters, what is so, and what to do; both in English and Chinese."""

    level: Level
    en: str
    zh: str
    do_en: str = ""
    do_zh: str = ""
    check: str = ""


def fine(en: str, zh: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.FINE, en, zh)


@dataclass(slots=True)
class Look:
    """A node as the doctor looks at it; the store is there once it could be opened and has today's tables.

    `full` asks for what takes long: every entry verified, not the newest alone.
    """

    home: Path
    settings: Settings
    clock: Clock
    full: bool = False
    opened: Store | None = field(default=None)

    @property
    def store(self) -> Store:
        """The open store."""
        assert self.opened is not None
        return self.opened

    @property
    def number(self) -> int:
        """The plant's number, 0 at the hub."""
        return self.settings.plant_number


Check = Callable[[Look], Iterable[Finding]]
