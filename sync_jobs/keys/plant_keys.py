"""The plants' keys according to the hub's own ledger, and the table of machines that follows from it.

Each change of a plant's keys is written to that ledger and to the table of machines in one transaction. So a hub whose
store was lost recovers them from its archived ledger: the active and the revoked plants, and which key proves which
part of a plant's ledger.
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
from infra.database import ReadSession, Session
from infra.settings import directive_origin
from plants.rules.ledger.events import Entry
from plants.rules.ledger.notes import NoteKey
from plants.rules.values.instants import parse_instant
from plants.store.ledger.entries import HUB_LOG, entries_between, open_log, origin_of
from plants.store.ledger.entry_search import positions_of_key, positions_of_types
from sync_jobs.protocol import checkpoints

ARCHIVE: Final = system_actor("archive", Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class PlantKey:
    """A key of a plant's ledger, and the largest size that it signed; None while it still signs."""

    vkey: str
    size: int | None = None


def ledger_keys(session: Session | ReadSession, number: int) -> list[PlantKey]:
    """Return all keys that a plant's ledger ever had, oldest first."""
    code = origin_of(session, number).split("/")[-2]
    keys: list[PlantKey] = []
    # The hub's ledger is long; the index on its key finds the few entries about one plant.
    for entry in _entries(session, positions_of_key(session, HUB_LOG, code)):
        payload, following = entry.payload, FOLLOWING.get(entry.envelope["type"])
        if keys and "size" in payload:
            keys[-1] = PlantKey(keys[-1].vkey, payload["size"])
        if following is not None:
            keys.append(PlantKey(payload[following]))
    return keys


def note_keys(keys: list[PlantKey], size: int) -> list[NoteKey]:
    """Return the keys, as ledger and as witness, that may have signed the ledger at this size."""
    return [
        key
        for one in keys
        if one.size is None or size <= one.size
        for key in checkpoints.keys_of(NoteKey.parse(one.vkey))
    ]


def apply_key_events(session: Session, group: str, low: int, high: int) -> None:
    """Apply the hub's entries about plants' keys between two positions to the table of machines, and open the ledgers.

    Call it once for each recovered entry, in the transaction that stores it. Entries that were written here have been
    applied already.
    """
    for entry in _entries(session, positions_of_types(session, HUB_LOG, low, high, tuple(APPLIED))):
        APPLIED[entry.envelope["type"]](session, group, entry)


def _entries(session: Session | ReadSession, positions: list[int]) -> Iterator[Entry]:
    for index in positions:
        yield from entries_between(session, HUB_LOG, index, index + 1)


def _enrolled(session: Session, group: str, entry: Entry) -> None:
    payload = entry.payload
    open_log(session, payload["number"], payload["origin"])
    open_log(session, -payload["number"], directive_origin(group, payload["code"]))
    enrol_machine(
        session,
        actor=ARCHIVE,
        plant_number=payload["number"],
        code=payload["code"],
        origin=payload["origin"],
        assertion_key=payload["assertion_key"],
        ledger_vkey=payload["ledger_key"],
        at=parse_instant(entry.envelope["recorded_at"]),
    )


def _assertion_key_rotated(session: Session, _group: str, entry: Entry) -> None:
    payload = entry.payload
    exchange_assertion_key(session, origin=payload["origin"], old=payload["old"], new=payload["new"])


def _ledger_key_rotated(session: Session, _group: str, entry: Entry) -> None:
    payload = entry.payload
    exchange_ledger_key(session, origin=payload["origin"], old=payload["old"], new=payload["new"], size=payload["size"])


def _revoked(session: Session, _group: str, entry: Entry) -> None:
    at = parse_instant(entry.envelope["recorded_at"])
    revoke_machine(session, actor=ARCHIVE, origin=entry.payload["origin"], at=at)


def _readmitted(session: Session, _group: str, entry: Entry) -> None:
    payload = entry.payload
    readmit_machine(
        session,
        actor=ARCHIVE,
        origin=payload["origin"],
        assertion_key=payload["assertion_key"],
        ledger_vkey=payload["ledger_key"],
        size=payload["size"],
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
"""The effect of each event about a plant's keys on the table of machines."""

FOLLOWING: Final[Mapping[str, str]] = MappingProxyType(
    {"PlantEnrolled": "ledger_key", "PlantLedgerKeyRotated": "new", "PlantReadmitted": "ledger_key"}
)
"""The payload field with the new ledger key, for each event that gives one."""
