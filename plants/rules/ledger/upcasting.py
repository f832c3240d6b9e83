"""Upcasting: payloads of older versions of an event brought to the newest one, by one pure step per version.

The hub is upgraded first, so it receives entries of plants that are up to two versions behind. Only the newest version
of each type is applied to the tables. The bytes in the ledger, their hashes and proofs do not change.
"""

from collections.abc import Mapping

from plants.rules.ledger.events import Entry, Envelope, Step

Steps = Mapping[tuple[str, int], Step]
"""The steps of all events, by type and version."""


def upcast(entry: Entry, steps: Steps) -> Entry:
    """Return the entry in the newest version that the steps reach; without a step, the same entry."""
    name, version = entry.envelope["type"], entry.envelope["version"]
    if (name, version) not in steps:
        return entry
    payload = entry.envelope["payload"]
    while (name, version) in steps:
        payload = steps[name, version](payload)
        version += 1
    envelope: Envelope = {**entry.envelope, "version": version, "payload": payload}
    return Entry(envelope, entry.body, entry.leaf)


def reached(kind: tuple[str, int], steps: Steps) -> tuple[str, int]:
    """Return the type and version that an entry of this type and version is upcast to."""
    name, version = kind
    while (name, version) in steps:
        version += 1
    return name, version
