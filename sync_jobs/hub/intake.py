"""The hub stores entries of a plant's ledger: verified against the signed root, stored and cosigned in one commit.

Intake can fail on the signature, the root, a size or the envelope, and on nothing else. It neither inspects the content
of entries nor applies it to the tables (`sync_jobs.projection.projecting`).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from auth.machines import EnrolledMachine
from infra import garbage_collection
from infra.database import Session
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import NoteError, NoteKey, SignedCheckpoint
from plants.rules.replication.pace import paced
from plants.rules.values.instants import EPOCH
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Head
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints, wire
from sync_jobs.protocol.sessions import SessionVerdict, resolve_session, update_copy_alarm
from sync_jobs.protocol.wire import Position, Problem, Receipt

AT_ONCE_MAX = 4  # parcels that are stored concurrently; each may be 16 MiB unpacked
RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """The content of one request: the ledger, the first position, the session, and the packed body."""

    origin: str
    start: int
    session: str
    packed: bytes


class AdmissionControl:
    """Admits one request per plant and AT_ONCE_MAX in total; others get 429 or 503.

    The global slot is taken only after the body is read, so that slow senders do not hold it.
    """

    def __init__(self, at_once_max: int = AT_ONCE_MAX) -> None:
        self._lock = threading.Lock()
        self._busy_plants: set[int] = set()
        self._work_slots = threading.Semaphore(at_once_max)

    @contextmanager
    def plant_slot(self, plant: int) -> Iterator[None]:
        """Hold the plant's slot; raises Problem 429 when it is taken."""
        with self._lock:
            if plant in self._busy_plants:
                raise Problem(429, "ONE_AT_A_TIME", retry_seconds=RETRY_SECONDS)
            self._busy_plants.add(plant)
        try:
            yield
        finally:
            with self._lock:
                self._busy_plants.discard(plant)

    @contextmanager
    def work_slot(self) -> Iterator[None]:
        """Hold one of the global slots; raises Problem 503 when all are taken."""
        if not self._work_slots.acquire(blocking=False):
            raise Problem(503, "BUSY", retry_seconds=RETRY_SECONDS)
        try:
            yield
        finally:
            self._work_slots.release()


def accept(hub: HubNode, machine: EnrolledMachine, delivery: Delivery) -> Receipt:
    """Store a parcel and return the receipt; entries that are stored already are compared and skipped.

    Raises Problem, and then nothing has changed: 403 for another plant's ledger or a wrong signature, 404 for a ledger
    that was not opened here, 409 for a position beyond the end or a superseded session, 413 above a limit, 422 where
    entries, envelopes and signed root do not match.
    """
    if delivery.origin != machine.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    if not 0 <= delivery.start <= wire.SIZE_MAX:
        raise Problem(422, "POSITION_INVALID")
    with garbage_collection.paused():
        parcel = wire.unpack(delivery.packed, hub.limits)
        entries = wire.read_entries(parcel.bodies, delivery.start, machine.plant_number, content=False)
    vkeys = machine.ledger_vkeys(delivery.start + len(entries))
    keys = [key for vkey in vkeys for key in checkpoints.keys_of(NoteKey.parse(vkey))]
    try:
        signed = checkpoints.read(parcel.note, machine.origin, keys)
        note = checkpoints.trimmed(parcel.note, keys)
    except NoteError as error:
        raise Problem(403, "CHECKPOINT_REFUSED", fault=error.fault) from error
    if signed.checkpoint.size != delivery.start + len(entries):
        raise Problem(422, "CHECKPOINT_SIZE_WRONG", size=signed.checkpoint.size)
    now = hub.clock.now()
    with hub.store.transaction() as session:
        head = locked_head(session, machine.plant_number, machine.origin)
        check_session(session, head, machine, delivery.session, now)
        _store_entries(session, head, delivery, entries, signed)
        cosigned = bytes(note.signed_also(hub.signer.cosign(note, int(now.timestamp()))))
        _keep(session, head.log_id, signed, cosigned, now)
        size = max(head.size, signed.checkpoint.size)
    if size > head.size:
        hub.arrived(machine.plant_number)
    return Receipt(size=size, checkpoint=cosigned.decode())


def locked_head(session: Session, log_id: int, origin: str) -> Head:
    """Return the head of a ledger, locked; raises Problem 404 when it was not opened here under this origin."""
    try:
        head = Head(session, log_id)
    except LookupError as error:
        raise Problem(404, "UNKNOWN_LEDGER") from error
    if head.origin != origin:
        raise Problem(404, "UNKNOWN_LEDGER")
    return head


def check_session(session: Session, head: Head, machine: EnrolledMachine, presented: str, now: datetime) -> None:
    """Raise Problem 409 unless this session of the plant is current; record its use."""
    found = resolve_session(status.ledger_status(session, machine.plant_number), presented)
    if found.verdict is SessionVerdict.SUPERSEDED:
        raise _wrong_position("SESSION_SUPERSEDED", Position(head.size, head.frontier.root()))
    if found.columns:
        update_copy_alarm(session, machine.origin, found.verdict, now, take_over=False)
        status.amend(session, machine.plant_number, **found.columns)


def _store_entries(
    session: Session, head: Head, delivery: Delivery, entries: list[Entry], signed: SignedCheckpoint
) -> None:
    here = Position(head.size, head.frontier.root())
    if delivery.start > head.size:
        raise _wrong_position("WRONG_POSITION", here)
    known = min(head.size - delivery.start, len(entries))
    stored = mirrors.leaves_between(session, head.log_id, delivery.start, delivery.start + known)
    for entry, leaf in zip(entries, stored, strict=False):
        if entry.leaf != leaf:
            raise Problem(422, "ENTRY_DIFFERS", index=entry.index)
    fresh = entries[known:]
    frontier = head.frontier.extend(entry.leaf for entry in fresh)
    if _root_at(session, head, frontier, signed.checkpoint.size) != signed.checkpoint.root:
        raise Problem(422, "ROOT_WRONG", size=signed.checkpoint.size)
    if fresh:
        with garbage_collection.paused():
            mirrors.extend(session, head, fresh, frontier)


def _root_at(session: Session, head: Head, frontier: Frontier, size: int) -> bytes:
    if size == frontier.size:
        return frontier.root()
    # A repeated parcel: its root is a past one and must be computed.
    return mirrors.frontier_at(session, head.log_id, size).root()


def _keep(session: Session, log_id: int, signed: SignedCheckpoint, note: bytes, now: datetime) -> None:
    size = signed.checkpoint.size
    signed_at = checkpoints.signed_at(signed)
    before = status.ledger_status(session, log_id)
    status.keep_checkpoint(session, log_id, size, note, signed_at=signed_at, received_at=now)
    if size >= before.acknowledged:
        state = {"state": ReplicationState.IN_SYNC, "error": None, **status.NO_ALARM}
        pace = paced(before.pace, size - before.acknowledged, now - (before.received_at or EPOCH))
        status.amend(session, log_id, acknowledged=size, contact_at=now, pace=pace, **state)


def _wrong_position(code: str, here: Position) -> Problem:
    stand = wire.LedgerPosition.of("", here)
    return Problem(409, code, size=stand.size, root=stand.root)
