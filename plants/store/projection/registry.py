"""The registry of events and their projectors, found in the areas.

An area declares its events in `plants.rules.<area>.events` and registers what they do to its tables in
`plants.store.<area>.projectors`. Importing this module imports them all, so the registry is never incomplete.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

import plants.rules
import plants.store
from infra.discovery import modules_named
from plants.rules.ledger.events import Entry, Event, Step
from plants.rules.ledger.payloads import Outcome
from plants.store.sql.rows import Parts, Projector, Projectors, RowWrites

PLANS_KEPT: Final = 256  # combinations of members; this program writes a few dozen


class RegistryInvalid(Exception):
    """An event is declared twice, or has no projector or several."""


def declared_events(found: Iterable[ModuleType]) -> dict[str, Event[Any]]:
    """Return the events declared in these modules, by name; raises RegistryInvalid."""
    events: dict[str, Event[Any]] = {}
    for module in found:
        for value in vars(module).values():
            if isinstance(value, Event) and events.setdefault(value.name, value) is not value:
                message = f"{value.name} is declared twice"
                raise RegistryInvalid(message)
    return events


def registered(events: Iterable[Event[Any]], areas: Iterable[Projectors]) -> dict[tuple[str, int], Projector]:
    """Return the projector of each event, by name and newest version; raises RegistryInvalid.

    The parts that an event shares with others are applied before what its own area adds.
    """
    own: dict[Event[Any], Projector] = {}
    for projectors in areas:
        for event, projector in projectors.items():
            if event in own:
                message = f"{event.name} has several projectors"
                raise RegistryInvalid(message)
            own[event] = projector
    found: dict[tuple[str, int], Projector] = {}
    for event in events:
        combined = _combined(own.pop(event, None), shares_parts=_shares_parts(event))
        if combined is None:
            message = f"{event.name} has no projector"
            raise RegistryInvalid(message)
        found[event.name, event.version] = combined
    if own:
        message = f"{next(iter(own)).name} has a projector and no declaration"
        raise RegistryInvalid(message)
    return found


def project_parts(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Apply the members of an Outcome, each by the areas that registered a part for it."""
    payload = entry.payload
    for member, part in _plan(tuple(payload)):
        part(writes, log_id, entry, payload[member])


@lru_cache(maxsize=PLANS_KEPT)
def _plan(members: tuple[str, ...]) -> Parts:
    """Return the parts that apply to a payload with these members, in the order in which they are registered."""
    return tuple(part for part in PARTS if part[0] in members)


def _combined(own: Projector | None, *, shares_parts: bool) -> Projector | None:
    if not shares_parts or own is None:
        return project_parts if shares_parts else own

    def project(writes: RowWrites, log_id: int, entry: Entry) -> None:
        project_parts(writes, log_id, entry)
        own(writes, log_id, entry)

    return project


def _shares_parts(event: Event[Any]) -> bool:
    """Tell whether the payload is an Outcome: `issubclass` cannot tell it of a TypedDict."""
    return Outcome.__annotations__.items() <= event.payload.__annotations__.items()


EVENTS: Final[Mapping[str, Event[Any]]] = declared_events(modules_named(plants.rules, "events"))
"""The closed set of events, by name."""

SUPPORTED: Final[dict[str, int]] = {event.name: event.version for event in EVENTS.values()}
"""The newest version of each event that this program reads and writes, by name."""

STEPS: Final[dict[tuple[str, int], Step]] = {
    (event.name, version): step for event in EVENTS.values() for version, step in event.steps.items()
}
"""The upcasting steps of all events, by name and version."""

_AREAS: Final[Sequence[ModuleType]] = tuple(modules_named(plants.store, "projectors"))
PARTS: Final[Parts] = tuple(part for area in _AREAS for part in getattr(area, "PARTS", ()))
PROJECTORS: Final = registered(EVENTS.values(), (getattr(area, "PROJECTORS", {}) for area in _AREAS))
"""The projector of each event, by name and newest version."""
