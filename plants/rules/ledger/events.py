"""The closed set of things that can happen, with their versions, and the bytes that a ledger keeps of them.

Events carry outcomes: quantities moved, ids and codes given, dispositions reached. Applying one needs no decision,
so the same projection serves one event at a plant and ten thousand at the hub.

An entry is canonical JSON: UTF-8, keys sorted by code point, no white space, no floats, integers below 2**53. Amounts
are decimal strings and instants RFC 3339 with six decimals in UTC.
This is RFC 8785 while no key has a character above U+FFFF: RFC 8785 sorts keys by UTF-16 code units, which differs from
there on. Attribute names are the only keys that users choose, and commands refuse new ones with such a character.
Names recorded before that rule stay with their batches, also in later entries about them.
"""

import json
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.values.refusals import Refusal

ENTRY_BYTES_MAX = 65_535  # a C2SP tlog-tiles bundle counts an entry's bytes in 16 bits.
REBASE_RESERVE = 4_096  # bytes that a command leaves free, so that a repair can put the whole entry inside another.
COMMAND_BYTES_MAX = ENTRY_BYTES_MAX - REBASE_RESERVE
KEY_CHARACTER_MAX = "\uffff"  # Up to here keys sort alike by code points and, as RFC 8785 does, by UTF-16 code units.
LINES_MAX = 100  # of one command; a line takes at most about 400 bytes of an entry.

EVENTS: dict[str, int] = {
    "HubOpened": 1,
    "PlantEnrolled": 1,
    "CheckpointsWitnessed": 1,
    "PlantOpened": 1,
    "MaterialDefined": 1,
    "UnitDefined": 1,
    "SupplierDefined": 1,
    "CustomerDefined": 1,
    "LocationDefined": 1,
    "EquipmentDefined": 1,
    "BatchReceived": 1,
    "BatchAliased": 1,
    "ProcessOpened": 1,
    "ProcessFed": 1,
    "ProcessYielded": 1,
    "ProcessClosed": 1,
    "ProductionRecorded": 1,
    "BatchSplit": 1,
    "BatchesMerged": 1,
    "BatchMoved": 1,
    "TransferDispatched": 1,
    "TransferReceived": 1,
    "BatchShipped": 1,
    "StockAdjusted": 1,
    "BatchQuarantined": 1,
    "ChangeRequested": 1,
    "ChangeDecided": 1,
    "ChangeApplied": 1,
    "ChangeRefused": 1,
    "EntryCorrected": 1,
    "EntrySkipped": 1,
    "EntryRetried": 1,
    "BatchReleased": 1,
    "MasterDirected": 1,
    "HoldDirected": 1,
    "RecallDirected": 1,
    "ReleaseDirected": 1,
    "DirectiveApplied": 1,
    "DirectiveRejected": 1,
    "PlantRestored": 1,
    "HubRegressed": 1,
    "LedgerRebased": 1,
    "EntryDisputed": 1,
    "DisputeSettled": 1,
    "LedgerKeyRotated": 1,
    "BodiesPruned": 1,
    "AssertionKeyRotated": 1,
    "PlantLedgerKeyRotated": 1,
    "PlantRevoked": 1,
    "PlantReadmitted": 1,
}
"""The closed set of event types and the newest version of each that this program writes and reads."""


class Cause(TypedDict):
    """An entry in another ledger that this one answers; `leaf` is its leaf hash, hexadecimal."""

    origin: str
    index: int
    leaf: str


class Rebased(TypedDict):
    """Where an entry stood before its ledger took on another suffix; `leaf` is its leaf hash there, hexadecimal."""

    index: int
    leaf: str
    recorded_at: str


class Envelope(TypedDict):
    """What every entry carries around its payload."""

    id: str
    type: str
    version: int
    plant: int  # whose ledger it is: the plant's number, 0 for the hub's own, -n for the hub's directives to plant n
    index: int
    hlc: str
    occurred_at: str
    recorded_at: str
    actor: str
    key: str
    payload: Any
    device: NotRequired[str]
    reason: NotRequired[str]
    request: NotRequired[str]
    digest: NotRequired[str]  # of the request's content, so that a request id cannot be used for two things
    causes: NotRequired[list[Cause]]
    rebased_from: NotRequired[Rebased]


@dataclass(frozen=True, slots=True)
class Entry:
    """One position of a ledger: the envelope, and the very bytes that were hashed."""

    envelope: Envelope
    body: bytes
    leaf: bytes

    @property
    def index(self) -> int:
        """The position in its ledger, from 0."""
        return self.envelope["index"]

    @property
    def type(self) -> str:
        """The event type, one of EVENTS unless a newer program wrote it."""
        return self.envelope["type"]

    @property
    def payload(self) -> Any:
        """The event's own content."""
        return self.envelope["payload"]


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: object, errors: str = "strict") -> bytes:
    """Return the canonical JSON bytes of a value made of dicts, lists, strings, integers, booleans and None.

    `errors` is the codec's handler for a lone surrogate, which is no Unicode text; by default UnicodeEncodeError.
    """
    return _encode(value).encode(errors=errors)


def encode(envelope: Envelope, bytes_max: int = ENTRY_BYTES_MAX) -> bytes:
    """Return the bytes of an entry; raises Refusal above `bytes_max`."""
    body = canonical(envelope)
    if len(body) > bytes_max:
        raise Refusal(ENTRY_TOO_LARGE, size=len(body), limit=bytes_max)
    return body


def decode(body: bytes) -> Envelope:
    """Return the envelope in an entry's bytes; raises ValueError when they are no JSON object."""
    envelope = json.loads(body)
    if not isinstance(envelope, dict):
        message = "an entry is a JSON object"
        raise ValueError(message)  # noqa: TRY004 -- the content is wrong, not the type handed in.
    return cast("Envelope", envelope)
