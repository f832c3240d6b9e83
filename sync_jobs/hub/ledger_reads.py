"""Ledgers of the hub that a plant may read: its own, to restore it, and its directives."""

from collections.abc import Sequence
from itertools import pairwise

from auth.machines import EnrolledMachine
from auth.notes import NoteSigner
from infra.database import Session
from plants.rules.ledger.merkle import consistency_proof
from plants.rules.ledger.notes import Note
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Head
from plants.store.ledger.logs import hub_written_logs
from plants.store.replication import status
from sync_jobs.hub.handshake import opened_head
from sync_jobs.hub.witnessing import sign_own
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import ROOTS_MAX, LedgerPosition, Parcel, Position, Problem, pack


def entries(hub: HubNode, machine: EnrolledMachine, origin: str, low: int, high: int | None) -> bytes:
    """Return the packed entries from `low` on, within the limits and at most up to `high` - 1.

    The note of directives is signed by the hub for exactly the size after them. The note of the plant's own entries is
    the newest checkpoint that the plant signed. Raises Problem 403, 404, 409 for a position beyond the end, 422.
    """
    with hub.store.transaction() as session:
        head = _readable(session, machine, origin)
        stop = head.size if high is None else min(high, head.size)
        if low < 0 or (high is not None and high < low):
            raise Problem(422, "POSITION_INVALID")
        if low > head.size:
            stand = LedgerPosition.of(origin, Position(head.size, head.frontier.root()))
            raise Problem(409, "WRONG_POSITION", size=stand.size, root=stand.root)
        stop = min(stop, low + hub.limits.max_entries)
        rows = mirrors.rows_within(session, head.log_id, low, stop, hub.limits.max_bytes)
        note = _note(session, hub, head, low + len(rows))
        return pack(Parcel(tuple(body for body, _ in rows), note))


def checkpoint(hub: HubNode, machine: EnrolledMachine, origin: str) -> bytes:
    """Return the newest signed checkpoint of a ledger; raises Problem 403, and 404 where there is none yet."""
    with hub.store.transaction() as session:
        head = _readable(session, machine, origin)
        return _note(session, hub, head, head.size)


def consistency(hub: HubNode, machine: EnrolledMachine, origin: str, old: int, new: int) -> tuple[bytes, ...]:
    """Return the proof that the ledger with `old` entries is a prefix of the ledger with `new` entries.

    Raises Problem 403, 404, and 409 for a size beyond the end. Reads one leaf hash for each entry.
    """
    with hub.store.transaction() as session:
        head = _readable(session, machine, origin)
        if not 0 <= old <= new:
            raise Problem(422, "POSITION_INVALID")
        if new > head.size:
            stand = LedgerPosition.of(origin, Position(head.size, head.frontier.root()))
            raise Problem(409, "WRONG_POSITION", size=stand.size, root=stand.root)
        return consistency_proof(mirrors.leaf_reader(session, head.log_id), old, new)


def roots(hub: HubNode, machine: EnrolledMachine, origin: str, sizes: Sequence[int]) -> tuple[bytes, ...]:
    """Return the roots of a ledger at these rising sizes; raises Problem 403, 404, 409 beyond the end, 422.

    Reads one leaf hash for each entry up to the largest size.
    """
    with hub.store.transaction() as session:
        head = _readable(session, machine, origin)
        rising = all(low < high for low, high in pairwise(sizes))
        if not 0 < len(sizes) <= ROOTS_MAX or sizes[0] < 0 or not rising:
            raise Problem(422, "POSITION_INVALID")
        if sizes[-1] > head.size:
            stand = LedgerPosition.of(origin, Position(head.size, head.frontier.root()))
            raise Problem(409, "WRONG_POSITION", size=stand.size, root=stand.root)
        return mirrors.roots_at(session, head.log_id, sizes)


def sign_own_ledgers(hub: HubNode) -> int:
    """Sign a checkpoint of the hub's own ledger and of each plant's directives; returns how many."""
    with hub.store.transaction() as session:
        own = hub_written_logs(session)
    for log_id in own:
        with hub.store.transaction() as session:
            sign_own(session, hub, opened_head(session, log_id))
    return len(own)


def _readable(session: Session, machine: EnrolledMachine, origin: str) -> Head:
    for log_id in (machine.plant_number, -machine.plant_number):
        head = opened_head(session, log_id)
        if head.origin == origin:
            return head
    raise Problem(403, "FOREIGN_LEDGER")


def _note(session: Session, hub: HubNode, head: Head, size: int) -> bytes:
    kept = status.ledger_status(session, head.log_id)
    if head.log_id > 0:
        if kept.checkpoint is None:
            raise Problem(404, "NO_CHECKPOINT")
        return kept.checkpoint
    now = hub.clock.now()
    frontier = head.frontier if size == head.size else mirrors.frontier_at(session, head.log_id, size)
    signer = NoteSigner(head.origin, hub.signer.private_key)
    note: Note = checkpoints.sign(head.origin, Position(size, frontier.root()), signer, now)
    if size != kept.checkpoint_size:
        status.keep_checkpoint(session, head.log_id, size, bytes(note), signed_at=now, received_at=now)
    return bytes(note)
