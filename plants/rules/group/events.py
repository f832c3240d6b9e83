"""Events of the group: the hub's ledger, the plants enrolled, and their keys."""

from typing import Final, TypedDict

from plants.rules.ledger.events import Event, LedgerKind, Subject


class HubOpened(TypedDict):
    group: str
    origin: str


class PlantEnrolled(TypedDict):
    """Number and code are final."""

    number: int
    code: str
    name: str
    origin: str
    ledger_key: str
    assertion_key: str


class AssertionKeyRotated(TypedDict):
    """The ledger's key and the new key sign `statement`."""

    number: int
    origin: str
    old: str
    new: str
    statement: str


class PlantLedgerKeyRotated(TypedDict):
    """The old key signed at most `size` entries.

    Both keys sign `statement`, which is also in the plant's own ledger (`LedgerKeyRotated`). Here it says which key
    proves the archived entries that contain it.
    """

    number: int
    origin: str
    old: str
    new: str
    size: int
    statement: str


class PlantRevoked(TypedDict):
    """The keys are trusted for the first `size` entries alone. The envelope has the reason."""

    number: int
    origin: str
    size: int


class PlantReadmitted(TypedDict):
    """The old keys signed at most `size` entries."""

    number: int
    origin: str
    ledger_key: str
    assertion_key: str
    size: int


_AT_HUB: Final = frozenset({LedgerKind.HUB})

HUB_OPENED: Final = Event(
    "HubOpened",
    HubOpened,
    "The first entry of the hub's ledger; it states the identity of the group.",
    about=Subject.LEDGER,
    ledgers=_AT_HUB,
)
PLANT_ENROLLED: Final = Event(
    "PlantEnrolled",
    PlantEnrolled,
    "A plant joined the group; its number, code and public keys are registered.",
    about=Subject.PLANT,
    ledgers=_AT_HUB,
)
ASSERTION_KEY_ROTATED: Final = Event(
    "AssertionKeyRotated",
    AssertionKeyRotated,
    "A plant signs in at the hub with another key.",
    about=Subject.PLANT,
    ledgers=_AT_HUB,
)
PLANT_LEDGER_KEY_ROTATED: Final = Event(
    "PlantLedgerKeyRotated",
    PlantLedgerKeyRotated,
    "The hub accepts another key for a plant's ledger.",
    about=Subject.PLANT,
    ledgers=_AT_HUB,
)
PLANT_REVOKED: Final = Event(
    "PlantRevoked",
    PlantRevoked,
    "The hub no longer trusts a plant's keys, except for the entries that it has.",
    about=Subject.PLANT,
    ledgers=_AT_HUB,
)
PLANT_READMITTED: Final = Event(
    "PlantReadmitted", PlantReadmitted, "A revoked plant continues with new keys.", about=Subject.PLANT, ledgers=_AT_HUB
)
