"""Events of replication: skipped entries, witnessed checkpoints, repairs of a ledger, and its key."""

from typing import Any, Final, Literal, TypedDict

from plants.rules.ledger.events import Event, LedgerKind
from plants.rules.ledger.payloads import Outcome

Found = Literal["HUB", "MARKS", "ARCHIVE"]
"""How a restore was detected: by the hub's longer ledger, the plant's high-water marks, or the archive."""

ALREADY_RECORDED: Final = "ALREADY_RECORDED"
ANSWERED_AGAIN: Final = "ANSWERED_AGAIN"
"""Disputes that are settled at once: the same outcome is recorded already, or will be recorded again by itself."""


class EntrySkipped(TypedDict):
    """The hub never applies this entry of a plant's ledger, by an operator's decision; the envelope has the reason."""

    plant: int
    index: int
    leaf: str  # leaf hash of the entry, hexadecimal, as shown to the operator
    type: str
    error: str
    printed_name: str


class EntryRetried(TypedDict):
    """An operator had the hub retry an entry that it could not apply; the envelope has the reason."""

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
    """The sizes of the plants' ledgers at the hub: one checkpoint of the hub's own ledger covers them all."""

    checkpoints: list[WitnessedCheckpoint]


class PlantRestored(Outcome):
    """The plant's store was restored from a backup; `series` continue above every number that may be printed."""

    found: Found
    size_before: int  # entries when the restore was noticed
    size: int  # entries that the ledger is known to have had


class HubRegressed(TypedDict):
    """The hub had fewer entries of this ledger than it gave a receipt for; they are sent again."""

    hub_size: int
    receipt_size: int


class LedgerRebased(Outcome):
    """From `fork` on, the hub's entries are followed by the plant's own, appended again or disputed."""

    fork: int
    adopted: int
    again: int
    disputed: int


class Collision(TypedDict):
    """A reason that an entry cannot be applied after the adopted ones: a stable code, and its subject."""

    code: str
    what: str


class EntryDisputed(TypedDict):
    """An entry of the plant that conflicts with adopted ones, kept whole and not applied until an operator settles it.

    `settled` is ALREADY_RECORDED or ANSWERED_AGAIN when no operator is needed.
    """

    entry: dict[str, Any]
    leaf: str
    collisions: list[Collision]
    settled: str | None


class DisputeSettled(TypedDict):
    """An operator settled a disputed entry; the envelope has the reason."""

    dispute: int


class BodiesPruned(TypedDict):
    """The plant deleted its own copies of the bodies below an index; leaf hashes and columns remain.

    `cosigned` and `archived` are the sizes that the hub had cosigned and reported as archived at that time.
    """

    below: int
    archived: int
    cosigned: int


class LedgerKeyRotated(TypedDict):
    """From the next entry on another key signs this ledger's checkpoints; both keys sign `statement`."""

    old: str
    new: str
    statement: str


_AT_HUB: Final = frozenset({LedgerKind.HUB})

ENTRY_SKIPPED: Final = Event("EntrySkipped", EntrySkipped, ledgers=_AT_HUB)
ENTRY_RETRIED: Final = Event("EntryRetried", EntryRetried, ledgers=_AT_HUB)
CHECKPOINTS_WITNESSED: Final = Event("CheckpointsWitnessed", CheckpointsWitnessed, ledgers=_AT_HUB)
PLANT_RESTORED: Final = Event("PlantRestored", PlantRestored)
HUB_REGRESSED: Final = Event("HubRegressed", HubRegressed)
LEDGER_REBASED: Final = Event("LedgerRebased", LedgerRebased)
ENTRY_DISPUTED: Final = Event("EntryDisputed", EntryDisputed)
DISPUTE_SETTLED: Final = Event("DisputeSettled", DisputeSettled)
BODIES_PRUNED: Final = Event("BodiesPruned", BodiesPruned)
LEDGER_KEY_ROTATED: Final = Event(
    "LedgerKeyRotated", LedgerKeyRotated, ledgers=frozenset({LedgerKind.PLANT, LedgerKind.HUB})
)
