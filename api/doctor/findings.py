"""What the doctor finds, and what it looks with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from auth.actors import Role, system_actor
from auth.permissions import Permission
from auth.scope import plants_for
from infra.clock import Clock
from infra.database import ReadSession, Store
from infra.settings import Settings
from plants.rules.identification.codes import HUB
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import known_plants


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
    text: str
    todo: str = ""
    check: str = ""


def fine(text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.FINE, text)


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


def whole_scope(reads: ReadSession) -> PlantScope:
    """Return the scope of all plants that the store holds."""
    actor = system_actor("doctor", Role.ADMINISTRATOR)
    return plants_for(actor, Permission.REPLICATION_READ, {HUB, *known_plants(reads)})


Check = Callable[[Look], Iterable[Finding]]
