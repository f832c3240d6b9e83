"""Give up a plant's own copy of old entry bodies, which the hub has cosigned and the archive holds.

Deletion is final here. So each transaction that deletes checks every condition again, and relies on nothing that was
shown to an operator before.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from infra.database import Session
from infra.messages import Failure, message
from plants.commands.replication.repairs import record_repair
from plants.rules.ledger.events import Entry
from plants.rules.replication.events import BODIES_PRUNED, BodiesPruned
from plants.store.ledger import mirrors, pruning
from plants.store.ledger.entries import Head
from plants.store.ledger.pruning import Bounds
from plants.store.replication import status
from plants.store.replication.status import ReplicationState

EMPTIED_AT_ONCE: Final = 2_000  # bodies in one transaction: others write in between
LEVEL: Final = frozenset({ReplicationState.IN_SYNC, ReplicationState.BEHIND})
"""States in which the hub was just heard to hold what it gave a receipt for; one that is away may have lost it."""


NO_LONGER_SAFE: Final = message(
    "PRUNING_NO_LONGER_SAFE", "The entries are no longer safe to prune. Nothing was pruned."
)
ENTRIES_NOT_COSIGNED: Final = message(
    "PRUNING_NOT_COSIGNED", "The entries here are not those that the hub cosigned. Run batchloom verify."
)
RECEIPT_GONE: Final = message(
    "PRUNING_RECEIPT_GONE", "The hub's receipt is no longer stored here. Exchange with the hub first."
)
NOT_IN_SYNC: Final = message(
    "PRUNING_NOT_IN_SYNC", "Plant and hub are not in sync: {state}. Exchange with the hub first."
)


class PruningUnsafe(Failure):
    """A condition of pruning does not hold, and nothing was changed in this transaction; the message says which."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A checkpoint of the plant's ledger that the hub cosigned. The caller has checked the signatures."""

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class Pruning:
    """The plant, a receipt of the hub, and the days for which bodies are kept."""

    plant: int
    receipt: Receipt
    keep_days: int


def prune(session: Session, order: Pruning, *, now: datetime) -> Entry | None:
    """Move the mark up to what is safe now, and record BodiesPruned; None, and nothing changed, where it stays.

    Bodies are emptied afterwards (`empty_next`). Raises PruningUnsafe where the receipt does not hold or plant and hub
    differ.
    """
    found = _checked(session, order, now)
    if found.safe <= found.pruned:
        return None
    _check_root(session, order)
    payload: BodiesPruned = {"below": found.safe, "archived": found.archived, "cosigned": found.cosigned}
    entry = record_repair(session, order.plant, BODIES_PRUNED, payload, now=now)
    pruning.mark(session, order.plant, found.safe)
    return entry


def empty_next(session: Session, order: Pruning, low: int, *, now: datetime) -> tuple[int, int, int | None]:
    """Empty the next bodies from `low` on below the mark; return how many, their bytes, and where to go on.

    None says that none is left. Asks for every condition again: raises PruningUnsafe where one does not hold any more,
    and BodyDamaged for a body that does not fit its hash.
    """
    found = _checked(session, order, now)
    if found.pruned > min(found.cosigned, found.archived, found.unreferenced, found.projected, found.peer_size):
        raise PruningUnsafe(NO_LONGER_SAFE)
    span = low, found.pruned
    count, size, following = pruning.empty(session, order.plant, span, found.old_us, EMPTIED_AT_ONCE)
    return count, size, following if following < found.pruned else None


def _check_root(session: Session, order: Pruning) -> None:
    # Hashes all leaves from the first on, once: later only these leaves prove the emptied entries.
    try:
        root = mirrors.frontier_at(session, order.plant, order.receipt.size).root()
    except LookupError:
        root = b""
    if root != order.receipt.root:
        raise PruningUnsafe(ENTRIES_NOT_COSIGNED)


def _checked(session: Session, order: Pruning, now: datetime) -> Bounds:
    """Return what limits pruning at this very moment, or raise PruningUnsafe."""
    plant, receipt = order.plant, order.receipt
    Head(session, plant)  # takes the ledger's lock, so that what is read here stays so.
    if status.checkpoint_at(session, plant, receipt.size) != receipt.note:
        raise PruningUnsafe(RECEIPT_GONE)
    found = pruning.bounds(session, plant, cosigned=receipt.size, keep_days=order.keep_days, now=now)
    if found.fenced or found.state not in LEVEL:
        raise PruningUnsafe(NOT_IN_SYNC, state=found.state)
    return found
