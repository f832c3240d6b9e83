"""A restored hub accepts the directives that it has lost, from the plant's signed copy.

Only directives that the hub itself signed are accepted. New directives at the same positions follow the recovered ones,
with the same ids: no plant has received those yet.
"""

from typing import Final

from auth.machines import EnrolledMachine
from infra.database import Session
from infra.messages import message
from plants.commands.replication.rebasing import Suffix, rebase
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import NoteError, SignedCheckpoint
from plants.store.ledger import mirrors, staging
from plants.store.ledger.entries import Head
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from plants.store.projection import applying
from plants.store.replication import status
from plants.store.replication.checkpoints import delete_notes_beyond
from plants.store.replication.status import ReplicationState
from sync_jobs.hub import intake
from sync_jobs.hub.handshake import opened_head
from sync_jobs.hub.intake import Delivery, check_session
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints, wire
from sync_jobs.protocol.wire import ENTRIES_MAX, Position, Problem, Receipt

RECOVERED: Final = message(
    "DIRECTIVES_RECOVERED",
    "The hub had lost directives of {origin} from entry {low} on. The plant returned {count}, and {again} issued "
    "since follow them.",
)


def accept_parcel(hub: HubNode, machine: EnrolledMachine, delivery: Delivery) -> Receipt:
    """Store a parcel of either of the plant's two ledgers: `intake.accept` or `accept_returned`."""
    if delivery.origin == machine.origin:
        return intake.accept(hub, machine, delivery)
    return accept_returned(hub, machine, delivery)


def accept_returned(hub: HubNode, machine: EnrolledMachine, delivery: Delivery) -> Receipt:
    """Store directives that this hub signed and has lost; returns how many there are then.

    Raises Problem as `intake.accept` does, and 403 for directives that the hub did not sign. Then nothing has changed.
    """
    with hub.store.transaction() as session:
        if opened_head(session, -machine.plant_number).origin != delivery.origin:
            raise Problem(403, "FOREIGN_LEDGER")
    # The plant can only split parcels where this hub signed: the hub's smaller limit on entries does not apply.
    parcel = wire.unpack(delivery.packed, hub.limits.model_copy(update={"max_entries": ENTRIES_MAX}))
    entries = wire.read_entries(parcel.bodies, delivery.start, -machine.plant_number)
    with hub.store.reading() as reads:
        keys = hub_keys.keys_of_hub(reads, hub, delivery.origin)
    try:
        signed = checkpoints.read(parcel.note, delivery.origin, keys)
    except NoteError as error:
        raise Problem(403, "CHECKPOINT_REFUSED", fault=error.fault) from error
    if signed.checkpoint.size != delivery.start + len(entries):
        raise Problem(422, "CHECKPOINT_SIZE_WRONG", size=signed.checkpoint.size)
    now = hub.clock.now()
    with hub.store.transaction() as session:
        head = opened_head(session, -machine.plant_number)
        check_session(session, head, machine, delivery.session, now)
        if delivery.start > head.size:
            stand = wire.LedgerPosition.of("", Position(head.size, head.frontier.root()))
            raise Problem(409, "WRONG_POSITION", size=stand.size, root=stand.root)
        size = _insert_returned(session, hub, head, entries, signed)
        note = checkpoints.trimmed(parcel.note, keys)
        signed_at = checkpoints.signed_at(signed)
        status.keep_checkpoint(
            session, head.log_id, signed.checkpoint.size, bytes(note), signed_at=signed_at, received_at=now
        )
    return Receipt(size=size, checkpoint=bytes(note).decode())


def _insert_returned(session: Session, hub: HubNode, head: Head, entries: list[Entry], signed: SignedCheckpoint) -> int:
    """Insert the returned directives; returns how many there are then."""
    start = signed.checkpoint.size - len(entries)
    stored = mirrors.leaves_between(session, head.log_id, start, start + len(entries))
    same = 0
    while same < min(len(stored), len(entries)) and stored[same] == entries[same].leaf:
        same += 1
    if same == len(entries):
        return head.size
    lost = entries[same:]
    fork = mirrors.frontier_at(session, head.log_id, start + same)
    end = fork.extend(entry.leaf for entry in lost)
    if end.root() != signed.checkpoint.root:
        raise Problem(422, "ROOT_WRONG", size=signed.checkpoint.size)
    again = head.size - fork.size
    if again:
        staging.stage(session, head.log_id, lost)
        rebase(session, head.log_id, Suffix(fork, end), now=hub.clock.now())
        _delete_checkpoints(session, head.log_id, fork)
    else:
        head.adopt(lost, end)
        applying.apply(session, head.log_id, lost)
    text = RECOVERED(origin=head.origin, low=fork.size, count=len(lost), again=again)
    raise_alarm(session, Alarm(AlarmKind.HUB_REGRESSED, head.origin, text), hub.clock.now())
    return end.size + again


def _delete_checkpoints(session: Session, log_id: int, fork: Frontier) -> None:
    """Delete the checkpoints above the fork, because the ledger that they cover no longer exists."""
    delete_notes_beyond(session, log_id, fork.size)
    newest = {"checkpoint_size": None, "checkpoint": None}
    status.amend(session, log_id, acknowledged=fork.size, state=ReplicationState.BEHIND, **newest)
