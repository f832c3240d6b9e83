"""Events of replication: skipped entries, witnessed checkpoints, repairs of a ledger, and its key."""

from typing import Any, Final, Literal, TypedDict

from plants.rules.ledger.events import Event, LedgerKind, Subject
from plants.rules.ledger.payloads import Outcome
from plants.rules.replication.conflict_kinds import ConflictKind

Found = Literal["HUB", "MARKS", "ARCHIVE"]
"""How a restore was detected: by the hub's longer ledger, the plant's high-water marks, or the archive."""

ALREADY_RECORDED: Final = ConflictKind.ALREADY_RECORDED
ANSWERED_AGAIN: Final = ConflictKind.ANSWERED_AGAIN
"""Disputes that are settled at once: the same outcome is recorded already, or will be recorded again by itself."""


class EntrySkipped(TypedDict):
    """The envelope has the reason."""

    plant: int
    index: int
    leaf: str  # leaf hash of the entry, hexadecimal, as shown to the operator
    type: str
    error: str
    printed_name: str


class EntryRetried(TypedDict):
    """The envelope has the reason."""

    plant: int
    index: int
    leaf: str
    error: str


class WitnessedCheckpoint(TypedDict):
    """The newest checkpoint of a plant's ledger that the hub has cosigned; `note` is the whole signed text."""

    origin: str
    size: int
    root: str  # hexadecimal
    note: str


class CheckpointsWitnessed(TypedDict):
    checkpoints: list[WitnessedCheckpoint]


class PlantRestored(Outcome):
    """`series` has the next number of each number series."""

    found: Found
    size_before: int  # entries when the restore was noticed
    size: int  # entries that the ledger is known to have had


class HubRegressed(TypedDict):
    hub_size: int
    receipt_size: int


class LedgerRebased(Outcome):
    """`fork` is the size of the common prefix."""

    fork: int
    adopted: int
    again: int
    disputed: int


class Collision(TypedDict):
    """A reason that an entry cannot be applied after the adopted ones: a stable code, and its subject."""

    code: str
    what: str


class EntryDisputed(TypedDict):
    """`settled` is ALREADY_RECORDED or ANSWERED_AGAIN when no operator is needed."""

    entry: dict[str, Any]
    leaf: str
    collisions: list[Collision]
    settled: str | None


class DisputeSettled(TypedDict):
    """The envelope has the reason."""

    dispute: int


class BodiesPruned(TypedDict):
    """Leaf hashes and columns of the entries below index `below` remain.

    `cosigned` and `archived` are the sizes that the hub had cosigned and reported as archived at that time.
    """

    below: int
    archived: int
    cosigned: int


class LedgerKeyRotated(TypedDict):
    """Both keys sign `statement`."""

    old: str
    new: str
    statement: str


_AT_HUB: Final = frozenset({LedgerKind.HUB})

ENTRY_SKIPPED: Final = Event(
    "EntrySkipped",
    EntrySkipped,
    "An operator decided that the hub never applies an entry of a plant's ledger.",
    about=Subject.ENTRY,
    ledgers=_AT_HUB,
)
ENTRY_RETRIED: Final = Event(
    "EntryRetried",
    EntryRetried,
    "An operator had the hub retry an entry that it could not apply.",
    about=Subject.ENTRY,
    ledgers=_AT_HUB,
)
CHECKPOINTS_WITNESSED: Final = Event(
    "CheckpointsWitnessed",
    CheckpointsWitnessed,
    "The hub cosigned checkpoints of plants' ledgers; a checkpoint of its own ledger covers them.",
    about=Subject.LEDGER,
    ledgers=_AT_HUB,
)
PLANT_RESTORED: Final = Event(
    "PlantRestored",
    PlantRestored,
    "The plant's store was restored from a backup; number series continue above every number that may be printed.",
    about=Subject.LEDGER,
)
HUB_REGRESSED: Final = Event(
    "HubRegressed",
    HubRegressed,
    "The hub had fewer entries of this ledger than it acknowledged; the plant sends them again.",
    about=Subject.LEDGER,
)
LEDGER_REBASED: Final = Event(
    "LedgerRebased",
    LedgerRebased,
    "The plant adopted the hub's entries from a position on and appended its own again, or disputed them.",
    about=Subject.LEDGER,
)
ENTRY_DISPUTED: Final = Event(
    "EntryDisputed",
    EntryDisputed,
    "An entry of the plant conflicts with adopted ones; it is kept whole and not applied.",
    about=Subject.ENTRY,
)
DISPUTE_SETTLED: Final = Event(
    "DisputeSettled", DisputeSettled, "An operator settled a conflicting entry.", about=Subject.ENTRY
)
BODIES_PRUNED: Final = Event(
    "BodiesPruned",
    BodiesPruned,
    "The plant deleted its own copies of old entry bodies; hub and archive keep them.",
    about=Subject.LEDGER,
)
LEDGER_KEY_ROTATED: Final = Event(
    "LedgerKeyRotated",
    LedgerKeyRotated,
    "Another key signs the checkpoints of this ledger from the next entry on.",
    about=Subject.LEDGER,
    ledgers=frozenset({LedgerKind.PLANT, LedgerKind.HUB}),
)
