"""Findings of the doctor, and the node under examination."""

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
    """The severity of a finding. PERSON and BROKEN need action."""

    FINE = 0
    NOTE = 1
    PERSON = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of one check: its severity, its text, and what to do."""

    level: Level
    text: str
    todo: str = ""
    check: str = ""


def fine(text: str) -> Finding:
    """Return a finding that a check passed."""
    return Finding(Level.FINE, text)


@dataclass(slots=True)
class Examination:
    """A node under examination. The store is set once it was opened and has this program's tables.

    `full` asks to verify every entry, not only the newest.
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


Check = Callable[[Examination], Iterable[Finding]]
