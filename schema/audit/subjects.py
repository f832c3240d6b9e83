"""The things that ledger entries are about, by their ids."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from auth.permissions import Permission
from plants.rules.ledger.events import Subject
from plants.store.audit.history import Position
from plants.store.audit.subjects import FINDERS as LISTED
from plants.store.audit.subjects import TYPES, About
from plants.store.inventory.batches import known_by_code
from plants.store.materials.plants import plants_by_code
from plants.store.projection.registry import EVENTS
from schema.engine.context import Info
from schema.engine.node_ids import read_kind
from schema.engine.nodes import FINDERS, Node, read_id

EntryFacts = tuple[str, str, Any]
"""Type, key and payload of an entry. The payload of a pruned entry is None."""
ReadEntry = Callable[[Info, Position], Awaitable[EntryFacts | None]]

REFERENCES_MAX: Final = 3
"""Entries that are followed to the thing of another entry: a settled conflict is about a kept entry."""
KINDS: Final[Mapping[str, Subject]] = {one.value: one for one in Subject}
INT_DIGITS: Final = 19  # of a text that is a 64-bit integer in every case


def thing(kind: Subject, parts: tuple[int | str, ...]) -> About:
    """Return a thing as the store looks for entries about it."""
    subjects = TYPES.get(kind, frozenset({kind}))
    return About(kind, parts, frozenset(name for name, event in EVENTS.items() if event.about in subjects))


def things_named(ids: Iterable[str]) -> tuple[About, ...]:
    """Return the things that ids name, without those that no entry can be about."""
    named = ((KINDS.get(read_kind(one) or ""), one) for one in ids)
    parts = ((kind, read_id(kind.value, one)) for kind, one in named if kind is not None and kind in LISTED)
    return tuple(thing(kind, part) for kind, part in parts if part is not None)


async def thing_of(info: Info, position: Position, facts: EntryFacts, read: ReadEntry) -> Node | None:
    """Return the thing that an entry is about, or None. `read` reads another entry that it refers to."""
    for _ in range(REFERENCES_MAX):
        event, content = EVENTS.get(facts[0]), facts[2]
        if event is None or event.about is not Subject.ENTRY:
            break
        kept = content.get("entry") if isinstance(content, dict) else None
        if isinstance(kept, dict):
            facts = kept.get("type", ""), kept.get("key", ""), kept.get("payload")
            continue
        other = _referred(position[0], content)
        found = None if other is None else await read(info, other)
        if other is None or found is None:
            return None
        position, facts = other, found
    named = await _named(info, position, facts)
    finder = None if named is None else FINDERS.get(named[0])
    if named is None or finder is None:
        return None
    node: Node | None = await finder[1](info, named[1])
    return node


def _referred(log_id: int, content: Any) -> Position | None:
    """Return the position of the entry that an entry is about."""
    match content:
        case {"plant": int(plant), "index": int(index)}:
            return plant, index
        case {"entry": int(index)} | {"dispute": int(index)}:
            return log_id, index
    return None


async def _named(info: Info, position: Position, facts: EntryFacts) -> tuple[str, tuple[Any, ...]] | None:
    """Return the kind and the parts of the id of the thing that an entry names itself."""
    event, key, content = EVENTS.get(facts[0]), facts[1], facts[2]
    plant = abs(position[0])
    match None if event is None else event.about:
        case Subject.BATCH:
            known = await info.load(Permission.BATCH_READ, known_by_code, key)
            return None if known is None else (Subject.BATCH.value, (known.stated.id,))
        case Subject.PLANT:
            seen = await info.load(Permission.LEDGER_READ, plants_by_code, key)
            return None if seen is None else (Subject.PLANT.value, (seen.number,))
        case Subject.PROCESS_RECORD | Subject.SHIPMENT | Subject.TRANSFER as kind:
            return (kind.value, (int(key),)) if key.isdecimal() and len(key) < INT_DIGITS else None
        case Subject.CHANGE_REQUEST | Subject.DIRECTIVE as kind:
            return _of_position(kind, position, content)
        case Subject.DEFINITION:
            return _definition(plant, key, content)
        case None | Subject.LEDGER | Subject.ENTRY | Subject.HOLD:
            return None
        case kind:
            return kind.value, (plant, key)


def _of_position(kind: Subject, position: Position, content: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Return the change request or directive that an entry answers, or that it is itself."""
    if not isinstance(content, dict):
        return None
    index = content.get(kind.value, position[1])
    return (kind.value, (abs(position[0]), index)) if isinstance(index, int) else None


def _definition(plant: int, code: str, content: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Return the definition that headquarters made or changed."""
    kind = content.get("kind") if isinstance(content, dict) else None
    return (kind.lower(), (plant, code)) if isinstance(kind, str) else None
