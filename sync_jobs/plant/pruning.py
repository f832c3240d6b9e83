"""Prunes bodies that hub and archive hold, and restores them from the hub when they are needed.

Pruning and restoring take the lease of the exchange, so that no repair runs at the same time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from infra.database import ReadSession, Session
from infra.messages import Failure, message
from plants.commands.replication.pruning import Pruning, PruningUnsafe, Receipt, empty_next, prune
from plants.rules.ledger.notes import NoteError
from plants.store.ledger.pruning import Bounds, bounds, fill, freed, mark, missing_from, pruned_below
from plants.store.replication import leases
from plants.store.replication.checkpoints import newest_notes
from plants.store.replication.leases import Lease
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange_context import LEASE, ExchangeContext, ignore_progress
from sync_jobs.plant.http_hub_client import open_hub_client
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import ENTRIES_MAX, read_entries

Done = TypeVar("Done")

NOTES_READ_MAX: Final = 100  # newest checkpoints that are searched for a cosigned one
RECEIPT_MISSING: Final = message("RECEIPT_MISSING", "There is no receipt of the hub. Exchange with it first.")
BODIES_NOT_FETCHED: Final = message("BODIES_NOT_FETCHED", "The hub sent no entries from position {low} on. Try again.")
BODIES_PRUNED: Final = message(
    "BODIES_PRUNED",
    "The hub has this plant's ledger as it is here up to entry {size} only, and the bodies below {pruned} were pruned "
    "here, after the hub had cosigned and archived them. Nothing was sent. Bring the hub's ledgers back from the "
    "archive (at the hub: batchloom archive restore).",
)


class BodiesPruned(Failure):
    """The hub lacks entries, or has others, whose bodies were pruned here; the message says how to proceed."""


class Busy(Exception):
    """Another process exchanges with the hub, prunes or restores bodies; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The outcome of pruning: the mark, the number of bodies emptied now, and their bytes."""

    below: int
    count: int = 0
    size: int = 0


def check_bodies_kept(context: ExchangeContext, size: int) -> None:
    """Raise BodiesPruned unless every entry from a position on has its body here."""
    with context.node.store.reading() as reads:
        pruned = pruned_below(reads, context.node.number)
    if size < pruned:
        raise BodiesPruned(BODIES_PRUNED, size=size, pruned=pruned)


def receipt_of(reads: Session | ReadSession, node: PlantNode) -> Receipt | None:
    """Return the newest checkpoint of the plant's ledger with valid signatures, the hub's cosignature included."""
    keys = (*checkpoints.keys_of(node.signer.key), *hub_keys.ever_at(reads, node))
    for size, note, _ in newest_notes(reads, node.number, NOTES_READ_MAX):
        try:
            signed = checkpoints.read(note, node.origin, keys)
        except NoteError:
            continue  # signed by an earlier key of the ledger, so it is older, or invalid.
        if signed.checkpoint.size == size and signed.cosigned_by(node.hub_key.name) is not None:
            return Receipt(size, signed.checkpoint.root, note)
    return None


def prunable(node: PlantNode, keep_days: int) -> tuple[Bounds, int, int]:
    """Return the limits of pruning now, and the number and bytes of the bodies that it would empty; changes nothing."""
    with node.store.reading() as reads:
        receipt = receipt_of(reads, node)
        cosigned = 0 if receipt is None else receipt.size
        found = bounds(reads, node.number, cosigned=cosigned, keep_days=keep_days, now=node.clock.now())
        return found, *freed(reads, node.number, max(found.safe, found.pruned))


def prune_bodies(node: PlantNode, keep_days: int, *, progress: Callable[[int, int], None] = ignore_progress) -> Pruned:
    """Empty every body below the safe mark in slices; an interrupted run is continued.

    Call it after an exchange, which reports how far the hub has archived. Raises PruningUnsafe or BodyDamaged, after
    which nothing more is emptied, and Busy.
    """
    with node.store.reading() as reads:
        receipt = receipt_of(reads, node)
    if receipt is None:
        raise PruningUnsafe(RECEIPT_MISSING)
    order = Pruning(node.number, receipt, keep_days)

    def work(lease: Lease) -> Pruned:
        def begin(session: Session) -> int:
            lease.renew(session, node.clock.now())
            prune(session, order, now=node.clock.now())
            return pruned_below(session, node.number)

        below = node.writer.write(begin)
        count = size = 0
        low: int | None = 0
        while low is not None and below:

            def step(session: Session, low: int = low) -> tuple[int, int, int | None]:
                lease.renew(session, node.clock.now())
                return empty_next(session, order, low, now=node.clock.now())

            emptied, freed_now, low = node.writer.write(step)
            count, size = count + emptied, size + freed_now
            progress(min(low or below, below), below)
        return Pruned(below, count, size)

    return _under_lease(node, work)


def fetch_bodies(node: PlantNode, *, progress: Callable[[int, int], None] = ignore_progress) -> int:
    """Restore every pruned body from the hub; returns how many.

    Each is verified against the leaf hash that was kept here. The next call continues an interrupted run. Raises
    BodyDamaged, Busy, Problem as the hub answered, or HubUnreachable.
    """
    before = [0]

    def work(lease: Lease) -> None:
        with open_hub_client(node) as client:
            restore_bodies(ExchangeContext(node, client, lease, lambda: True, progress))

    with node.store.transaction() as session:
        before[0] = missing_from(session, node.number, 0)
    _under_lease(node, work)
    return before[0]


def restore_bodies(context: ExchangeContext) -> bool:
    """Restore the bodies below the mark, the last ones first, lowering the mark; returns False on timeout.

    Raises BodyDamaged for a body with another hash, or as the hub answered.
    """
    node = context.node
    with node.store.reading() as reads:
        high = total = pruned_below(reads, node.number)
    while high:
        low = max(0, high - ENTRIES_MAX)
        at = low
        while at < high:
            if not context.has_time():
                return False
            at += _restore_slice(context, at, high)

        def lower(session: Session, low: int = low) -> None:
            mark(session, node.number, low)

        context.write(lower)
        high = low
        context.progress(total - high, total)
    return True


def _restore_slice(context: ExchangeContext, low: int, high: int) -> int:
    """Fetch entries from a position on and store their bodies; returns how many came."""
    node = context.node
    parcel = context.client.entries(node.origin, low, high)
    entries = read_entries(parcel.bodies, low, node.number)
    if not 0 < len(entries) <= high - low:
        raise BodiesPruned(BODIES_NOT_FETCHED, low=low)

    def put(session: Session) -> None:
        fill(session, node.number, entries)

    context.write(put)
    return len(entries)


def _under_lease(node: PlantNode, work: Callable[[Lease], Done]) -> Done:
    lease = node.writer.write(lambda session: leases.take(session, LEASE, node.holder, now=node.clock.now()))
    if lease is None:
        raise Busy
    try:
        return work(lease)
    finally:
        node.writer.write(lease.end)
