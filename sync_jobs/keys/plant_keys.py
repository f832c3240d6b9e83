"""What the hub's own ledger says of the plants' keys, and the machines that follow from it.

Each change of a plant's keys is written into that ledger and into the table of machines in one transaction. So a hub
whose store was lost knows from its archived ledger who counts, who was revoked, and which key proves which part of a
plant's ledger.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from auth.actors import Role, system_actor
from auth.machines import (
    enrol_machine,
    exchange_assertion_key,
    exchange_ledger_key,
    readmit_machine,
    revoke_machine,
)
from infra.database import Session
from infra.settings import directive_origin
from plants.rules.ledger.events import Entry
from plants.rules.ledger.notes import NoteKey
from plants.rules.values.instants import parse_instant
from plants.store.ledger.entries import HUB_LOG, Head, entries_between, open_log
from plants.store.ledger.entry_search import positions_of_key, positions_of_types
from sync_jobs.protocol import checkpoints

ARCHIVE: Final = system_actor("archive", Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class PlantKey:
    """A key of a plant's ledger, and how many entries it signed at most; None where it goes on signing."""

    vkey: str
    size: int | None = None


def ledger_keys(session: Session, number: int) -> list[PlantKey]:
    """Return the keys that a plant's ledger ever had, the oldest first."""
    code = Head(session, number).origin.split("/")[-2]
    keys: list[PlantKey] = []
    # The hub's ledger is long, and the entries about one plant, which its code finds, are few.
    for entry in _entries(session, positions_of_key(session, HUB_LOG, code)):
        told, following = entry.payload, FOLLOWING.get(entry.envelope["type"])
        if keys and "size" in told:
            keys[-1] = PlantKey(keys[-1].vkey, told["size"])
        if following is not None:
            keys.append(PlantKey(told[following]))
    return keys


def note_keys(keys: list[PlantKey], size: int) -> list[NoteKey]:
    """Return those, as ledger and as witness, that may have signed the ledger when it had so many entries."""
    return [
        key
        for one in keys
        if one.size is None or size <= one.size
        for key in checkpoints.keys_of(NoteKey.parse(one.vkey))
    ]


def apply_key_events(session: Session, group: str, low: int, high: int) -> None:
    """Do to the table of machines what the hub's entries from one position up to another say, and open the ledgers.

    To be called once for each entry that came back from elsewhere, in the transaction that stores it: what was written
    here has done this already.
    """
    for entry in _entries(session, positions_of_types(session, HUB_LOG, low, high, tuple(APPLIED))):
        APPLIED[entry.envelope["type"]](session, group, entry)


def _entries(session: Session, positions: list[int]) -> Iterator[Entry]:
    for index in positions:
        yield from entries_between(session, HUB_LOG, index, index + 1)


def _enrolled(session: Session, group: str, entry: Entry) -> None:
    told = entry.payload
    open_log(session, told["number"], told["origin"])
    open_log(session, -told["number"], directive_origin(group, told["code"]))
    enrol_machine(
        session,
        actor=ARCHIVE,
        plant_number=told["number"],
        code=told["code"],
        origin=told["origin"],
        assertion_key=told["assertion_key"],
        ledger_vkey=told["ledger_key"],
        at=parse_instant(entry.envelope["recorded_at"]),
    )


def _assertion_key_rotated(session: Session, _group: str, entry: Entry) -> None:
    told = entry.payload
    exchange_assertion_key(session, origin=told["origin"], old=told["old"], new=told["new"])


def _ledger_key_rotated(session: Session, _group: str, entry: Entry) -> None:
    told = entry.payload
    exchange_ledger_key(session, origin=told["origin"], old=told["old"], new=told["new"], size=told["size"])


def _revoked(session: Session, _group: str, entry: Entry) -> None:
    at = parse_instant(entry.envelope["recorded_at"])
    revoke_machine(session, actor=ARCHIVE, origin=entry.payload["origin"], at=at)


def _readmitted(session: Session, _group: str, entry: Entry) -> None:
    told = entry.payload
    readmit_machine(
        session,
        actor=ARCHIVE,
        origin=told["origin"],
        assertion_key=told["assertion_key"],
        ledger_vkey=told["ledger_key"],
        size=told["size"],
    )


APPLIED: Final[Mapping[str, Callable[[Session, str, Entry], None]]] = MappingProxyType(
    {
        "PlantEnrolled": _enrolled,
        "AssertionKeyRotated": _assertion_key_rotated,
        "PlantLedgerKeyRotated": _ledger_key_rotated,
        "PlantRevoked": _revoked,
        "PlantReadmitted": _readmitted,
    }
)
"""What each entry of the hub's ledger that is about a plant's keys does to the table of machines."""

FOLLOWING: Final[Mapping[str, str]] = MappingProxyType(
    {"PlantEnrolled": "ledger_key", "PlantLedgerKeyRotated": "new", "PlantReadmitted": "ledger_key"}
)
"""Where each entry that gives a plant's ledger a key says which."""
