"""Declarations of events, entries of a ledger, and their canonical bytes.

Events carry outcomes: quantities moved, ids and codes assigned, dispositions reached. Applying one needs no decision,
so the same projection serves one event at a plant and ten thousand at the hub.

An entry is canonical JSON: UTF-8, keys sorted by code point, no white space, no floats, integers below 2**53. Amounts
are decimal strings and instants RFC 3339 with six decimals in UTC.
This is RFC 8785 while no key has a character above U+FFFF: RFC 8785 sorts keys by UTF-16 code units, which differs from
there on. Attribute names are the only keys that users choose, and commands refuse new ones with such a character.
Names recorded before that rule stay with their batches, also in later entries about them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, Generic, NotRequired, TypedDict, TypeVar, cast

from plants.rules.identification.codes import HUB
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import format_instant
from plants.rules.values.refusals import Refusal

ENTRY_BYTES_MAX = 65_535  # a C2SP tlog-tiles bundle counts an entry's bytes in 16 bits.
REBASE_RESERVE = 4_096  # bytes that a command leaves free, so that a repair can put the whole entry inside another.
COMMAND_BYTES_MAX = ENTRY_BYTES_MAX - REBASE_RESERVE
KEY_CHARACTER_MAX = "\uffff"  # Up to here keys sort alike by code points and, as RFC 8785 does, by UTF-16 code units.
LINES_MAX = 100  # of one command; a line takes at most about 400 bytes of an entry.

VERSIONS_UNDERSTOOD: Final = 2
"""How many versions behind the newest an event may be: the hub is upgraded before its plants."""

P = TypeVar("P")

Step = Callable[[Any], Any]
"""Returns the payload of the next version; does not change its argument."""


class LedgerKind(DescribedEnum):
    """Kind of ledger, by its writer and its reader."""

    PLANT = "PLANT", "Written by a plant: everything that was recorded there, in order."
    DIRECTIVES = (
        "DIRECTIVES",
        "Written by the hub for one plant: master data, holds, recalls, releases and decisions for it to apply.",
    )
    HUB = (
        "HUB",
        "Written by the hub about the group: enrolments, keys, witnessed checkpoints and decisions on parked entries.",
    )


def kind_of(log_id: int) -> LedgerKind:
    """Return the kind of a ledger by its log id."""
    if log_id == HUB:
        return LedgerKind.HUB
    return LedgerKind.PLANT if log_id > HUB else LedgerKind.DIRECTIVES


class Subject(Enum):
    """Kind of thing that an event is about. Where entries say by their key which one, the value is the kind of its id.

    DEFINITION is the kind of master data that the payload names. DIRECTIVE, CHANGE_REQUEST and ENTRY are named by a
    position: a directive, a change request, and another entry, with the thing that it is about. LEDGER is no thing.
    The events of a HOLD are about its batch.
    """

    BATCH = "batch"
    PROCESS_RECORD = "process"
    SHIPMENT = "shipment"
    TRANSFER = "transfer"
    PLANT = "plant"
    MATERIAL = "material"
    UNIT = "unit"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    LOCATION = "location"
    EQUIPMENT = "equipment"
    DEFINITION = "definition"
    HOLD = "hold"
    CHANGE_REQUEST = "change"
    DIRECTIVE = "directive"
    ENTRY = "entry"
    LEDGER = "ledger"


PLANTS_OWN: Final = frozenset({LedgerKind.PLANT})


@dataclass(frozen=True, slots=True, eq=False)
class Event(Generic[P]):
    """The declaration of an event type; it is in the `events` module of its area.

    `name` is the `type` of its entries. `description` is one sentence for readers of ledgers. `about` is the kind of
    thing that its entries are about. Only the newest version is written: `version`, with a `payload` of this form.
    `steps` has, by number, the step from an older version to the next; VERSIONS_UNDERSTOOD of them are required.
    `ledgers` are the kinds of ledgers that the event may be appended to. A `correctable` event can be taken back by
    EntryCorrected; definitions are replaced by new ones instead, and holds end by a release. A `rebased` event is
    appended again when its ledger is rebased.

    `plants.store.projection.registry` finds the declarations. The projector is in the store's `projectors` module of
    the same area.
    """

    name: str
    payload: type[P]
    description: str
    about: Subject
    version: int = 1
    steps: Mapping[int, Step] = field(default_factory=dict)
    ledgers: frozenset[LedgerKind] = PLANTS_OWN
    correctable: bool = False
    rebased: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError when a step from an understood version is missing."""
        missing = set(range(max(1, self.version - VERSIONS_UNDERSTOOD), self.version)) - self.steps.keys()
        if missing:
            message = f"{self.name} has no step from version {min(missing)}"
            raise ValueError(message)


class Cause(TypedDict):
    """An entry of another ledger that this one answers; `leaf` is its leaf hash, hexadecimal."""

    origin: str
    index: int
    leaf: str


class Rebased(TypedDict):
    """The position of an entry before its ledger was rebased; `leaf` is its leaf hash there, hexadecimal."""

    index: int
    leaf: str
    recorded_at: str


class Envelope(TypedDict):
    """An entry: the payload, and the members that all entries share."""

    id: str
    type: str
    version: int
    plant: int  # the log id: a plant's number, 0 for the hub's own ledger, -n for the hub's directives to plant n
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
    digest: NotRequired[str]  # of the request's content: detects a request id that is used twice
    causes: NotRequired[list[Cause]]
    rebased_from: NotRequired[Rebased]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a ledger: the envelope, and the bytes that were hashed."""

    envelope: Envelope
    body: bytes
    leaf: bytes

    @property
    def index(self) -> int:
        """The position in its ledger, from 0."""
        return self.envelope["index"]

    @property
    def type(self) -> str:
        """The event type; a newer program may write one that is not declared here."""
        return self.envelope["type"]

    @property
    def payload(self) -> Any:
        """The payload of the event."""
        return self.envelope["payload"]


def new_envelope(
    event: Event[P], payload: P, *, entry_id: str, log_id: int, at: datetime, actor: str, key: str
) -> Envelope:
    """Return the envelope of an event; the ledger's head fills in `index`, `hlc` and `recorded_at`.

    Raises ValueError for a ledger of a kind that the event does not belong to.
    """
    if kind_of(log_id) not in event.ledgers:
        message = f"{event.name} does not belong in ledger {log_id}"
        raise ValueError(message)
    return {
        "id": entry_id,
        "type": event.name,
        "version": event.version,
        "plant": log_id,
        "index": 0,
        "hlc": "",
        "occurred_at": format_instant(at),
        "recorded_at": "",
        "actor": actor,
        "key": key,
        "payload": payload,
    }


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
