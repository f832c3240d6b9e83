"""Events of the group: the hub's ledger, the plants enrolled, and their keys."""

from typing import Final, TypedDict

from plants.rules.ledger.events import Event, LedgerKind


class HubOpened(TypedDict):
    """The first entry of the hub's ledger: the identity of the group."""

    group: str
    origin: str


class PlantEnrolled(TypedDict):
    """The hub enrolled a plant: number and code are final, and its public keys are registered."""

    number: int
    code: str
    name: str
    origin: str
    ledger_key: str
    assertion_key: str


class AssertionKeyRotated(TypedDict):
    """The plant signs in at the hub with another key; its ledger's key and the new key sign `statement`."""

    number: int
    origin: str
    old: str
    new: str
    statement: str


class PlantLedgerKeyRotated(TypedDict):
    """The hub accepts another key for a plant's ledger; the old key signed at most `size` entries.

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
    """The hub trusts the plant's keys for the `size` entries that it has, and for no later one.

    The envelope has the reason.
    """

    number: int
    origin: str
    size: int


class PlantReadmitted(TypedDict):
    """A revoked plant continues with new keys of its own; the old keys signed at most `size` entries."""

    number: int
    origin: str
    ledger_key: str
    assertion_key: str
    size: int


_AT_HUB: Final = frozenset({LedgerKind.HUB})

HUB_OPENED: Final = Event("HubOpened", HubOpened, ledgers=_AT_HUB)
PLANT_ENROLLED: Final = Event("PlantEnrolled", PlantEnrolled, ledgers=_AT_HUB)
ASSERTION_KEY_ROTATED: Final = Event("AssertionKeyRotated", AssertionKeyRotated, ledgers=_AT_HUB)
PLANT_LEDGER_KEY_ROTATED: Final = Event("PlantLedgerKeyRotated", PlantLedgerKeyRotated, ledgers=_AT_HUB)
PLANT_REVOKED: Final = Event("PlantRevoked", PlantRevoked, ledgers=_AT_HUB)
PLANT_READMITTED: Final = Event("PlantReadmitted", PlantReadmitted, ledgers=_AT_HUB)
