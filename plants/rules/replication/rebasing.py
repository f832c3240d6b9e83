"""Rebasing entries of a ledger behind others: the entries that cannot be rebased, and new positions in the rest.

Positions change. An entry that names a position of its own ledger at or behind the fork gets the new one. A decision
on a version of a batch that has changed must be requested again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from plants.rules.audit.events import ENTRY_CORRECTED
from plants.rules.identification.codes import NODE_ID_MIN, NODE_IN_TEXT
from plants.rules.ledger.events import Envelope
from plants.rules.ledger.payloads import Movement
from plants.rules.replication.events import DISPUTE_SETTLED

Places = Mapping[int, int | None]
"""Where the entries from the fork on stand now, by their old positions; None for those that are disputed."""


class PlaceLost(LookupError):
    """The entry builds on one that is disputed; the argument is that one's old position."""


def _lifted(payload: Any, places: Places) -> None:
    payload["lifted"] = [[batch, _place(hold, places)] for batch, hold in payload["lifted"]]


def _entry(payload: Any, places: Places) -> None:
    payload["entry"] = _place(payload["entry"], places)


def _retracted(payload: Any, places: Places) -> None:
    payload["retracted"] = [[_place(entry, places), line] for entry, line in payload["retracted"]]


def _dispute(payload: Any, places: Places) -> None:
    payload["dispute"] = _place(payload["dispute"], places)


# Members that name positions of the entry's own ledger, by event type; "*" for every type.
POSITIONS: Final = {
    ("*", "lifted"): _lifted,
    (ENTRY_CORRECTED.name, "entry"): _entry,
    (ENTRY_CORRECTED.name, "retracted"): _retracted,
    (DISPUTE_SETTLED.name, "dispute"): _dispute,
}


def renumbered(event: str, payload: Any, places: Places) -> Any:
    """Return the payload with the positions that its entries have now; raises PlaceLost."""
    if not isinstance(payload, dict):
        return payload
    copied = dict(payload)
    for (name, member), change in POSITIONS.items():
        if name in {"*", event} and member in copied:
            change(copied, places)
    return copied


def raised_series(payload: Any, present: Mapping[str, int]) -> dict[str, int]:
    """Return the series of a payload, none of them below where it is now."""
    return {name: max(following, present.get(name, 0)) for name, following in payload["series"].items()}


def answers_directive(envelope: Envelope, directive_origin: str) -> bool:
    """Tell whether an entry was caused by a directive of the hub, which will be answered again by itself."""
    return any(cause["origin"] == directive_origin for cause in envelope.get("causes", ()))


def nodes_in(*values: Any) -> frozenset[int]:
    """Return the ids of batches and process records anywhere in these values: as numbers, or at the end of texts."""
    return frozenset(_nodes(values))


def nodes_made(payload: Any) -> dict[int, str]:
    """Return the batches and process records that an entry makes, each with its code, or nothing."""
    if not isinstance(payload, dict):
        return {}
    made = {batch["id"]: batch["code"] for batch in payload.get("batches", ())}
    process = payload.get("process", {})
    if "kind" in process:
        made[process["id"]] = ""
    return made


def processes_in(movements: list[Movement]) -> frozenset[int]:
    """Return the process records that goods are moved into or out of."""
    places = (place for movement in movements for place in (movement["taken_from"], movement["put_in"]))
    return frozenset(int(place[8:]) for place in places if place.startswith("process:"))


def _place(index: int, places: Places) -> int:
    now = places.get(index, index)
    if now is None:
        raise PlaceLost(index)
    return now


def _nodes(values: Any) -> Iterator[int]:
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str):
            found = NODE_IN_TEXT.search(value)
            if found is not None:
                waiting.append(int(found[1]))
        elif isinstance(value, int) and value >= NODE_ID_MIN:
            yield value
