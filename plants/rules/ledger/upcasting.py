"""Older versions of events brought to the newest: one pure step from each version to the next.

A hub is upgraded first and hears from plants that are up to two versions behind. Only the newest version of each type
is applied to the tables; what an older program wrote goes through its steps first. The bytes in the ledger, and what
is hashed and proven, stay as they were written.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from plants.rules.ledger.events import EVENTS, Entry, Envelope

VERSIONS_UNDERSTOOD: Final = 2  # behind the newest

Step = Callable[[Any], Any]
"""Makes the payload of the next version from that of one version, and changes nothing in what it was given."""

Steps = Mapping[tuple[str, int], Step]

UPCASTERS: Steps = {}
"""For each type and version that is no longer written, the step to the version after it."""


def upcast(entry: Entry, steps: Steps | None = None) -> Entry:
    """Return the entry as the newest program would have written it; one without steps comes back as it is."""
    steps = UPCASTERS if steps is None else steps
    kind = entry.envelope["type"], entry.envelope["version"]
    if kind not in steps:
        return entry
    name, version = kind
    payload = entry.envelope["payload"]
    while (name, version) in steps:
        payload = steps[name, version](payload)
        version += 1
    envelope: Envelope = {**entry.envelope, "version": version, "payload": payload}
    return Entry(envelope, entry.body, entry.leaf)


def reached(kind: tuple[str, int], steps: Steps | None = None) -> tuple[str, int]:
    """Return the type and version that an entry of this type and version is brought to."""
    steps = UPCASTERS if steps is None else steps
    name, version = kind
    while (name, version) in steps:
        version += 1
    return name, version


def missing_steps(steps: Steps | None = None, events: Mapping[str, int] = EVENTS) -> list[tuple[str, int]]:
    """Return the types and versions, down to VERSIONS_UNDERSTOOD behind the newest, that cannot be brought to it."""
    return [
        (name, version)
        for name, newest in events.items()
        for version in range(max(1, newest - VERSIONS_UNDERSTOOD), newest)
        if reached((name, version), steps) != (name, newest)
    ]
