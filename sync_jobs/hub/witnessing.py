"""The hub records how far it holds the plants' ledgers; every plant checks and cosigns that record.

So one checkpoint of the hub's own ledger covers all plants, and the hub cannot show two histories of it. Each Hello
says how much of it the plant has cosigned. The answer proves that the newest checkpoint continues that.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from auth.machines import EnrolledMachine
from auth.notes import NoteSigner
from infra.database import Session
from infra.messages import message
from plants.commands.replication.witnesses import witness_checkpoints
from plants.rules.ledger.merkle import growth_proof
from plants.rules.ledger.notes import MAX_SIGNATURES, Checkpoint, Note, NoteError, NoteKey
from plants.store.ledger import mirrors
from plants.store.ledger.entries import HUB_LOG, Head
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import status
from plants.store.replication.witnesses import Contradiction, keep_contradiction, marked_frontier
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.checkpoints import FORKED
from sync_jobs.protocol.wire import Hello, Position

REGRESSED: Final = message(
    "HUB_LEDGER_REGRESSED",
    "{plant} holds {held} entries of the hub's own ledger, signed by this hub, which has {shown}: it was restored. "
    "Compare the hub's backup with its archive.",
)


@dataclass(frozen=True, slots=True)
class HubCheckpoint:
    """The newest checkpoint of the hub's own ledger and its proof, for the answer to a Hello.

    Both are empty before the first checkpoint.
    """

    hub_checkpoint: str | None = None
    hub_proof: tuple[str, ...] = ()


def witness_plants(hub: HubNode) -> int:
    """Record in the hub's own ledger which plants' ledgers have grown; returns the number of entries written."""
    count = 0
    while True:
        with hub.store.transaction() as session:
            if witness_checkpoints(session, now=hub.clock.now()) is None:
                return count
        count += 1


def sign_own(session: Session, hub: HubNode, head: Head) -> bytes:
    """Sign a ledger that the hub writes at its current size and keep the note with its cosignatures at this size.

    The caller holds the head's lock.
    """
    now = hub.clock.now()
    signer = NoteSigner(head.origin, hub.signer.private_key)
    note = checkpoints.sign(head.origin, Position(head.size, head.frontier.root()), signer, now)
    before = status.checkpoint_at(session, head.log_id, head.size)
    if before is not None:
        note = _joined(note, Note.parse(before))
    frontier = head.frontier.to_bytes() if head.log_id == HUB_LOG else None
    kept = bytes(note)
    status.keep_checkpoint(session, head.log_id, head.size, kept, signed_at=now, received_at=now, frontier=frontier)
    return kept


def show_hub_checkpoint(session: Session, hub: HubNode, machine: EnrolledMachine, hello: Hello) -> HubCheckpoint:
    """Return the newest checkpoint of the hub's own ledger and the proof that it continues what the plant cosigned.

    The plant's cosignatures of it are stored. A checkpoint that this hub signed and no longer has raises an alarm.
    """
    try:
        note = status.ledger_status(session, HUB_LOG).checkpoint or sign_own(session, hub, Head(session, HUB_LOG))
    except LookupError:
        return HubCheckpoint()
    newest = Checkpoint.parse(Note.parse(note).text)
    keys = (*hub_keys.keys_of_hub(session, hub), *checkpoints.keys_of(NoteKey.parse(machine.ledger_vkey)))
    for text in hello.cosignatures:
        try:
            signed = checkpoints.read(text.encode(), hub.origin, keys)
            cosigned = checkpoints.trimmed(text.encode(), keys)
        except NoteError:
            continue
        if signed.cosigned_by(machine.origin) is not None:
            _keep_cosignature(session, hub, machine, (cosigned, newest))
    old = 0 if hello.hub_ledger is None else hello.hub_ledger.size
    if not 0 < old < newest.size:
        return HubCheckpoint(note.decode())
    leaves = mirrors.leaf_reader(session, HUB_LOG)
    proof = growth_proof(marked_frontier(session, HUB_LOG, old), leaves, newest.size)
    return HubCheckpoint(note.decode(), tuple(b64encode(part).decode() for part in proof))


def _keep_cosignature(session: Session, hub: HubNode, machine: EnrolledMachine, notes: tuple[Note, Checkpoint]) -> None:
    """Store a plant's cosignature of the hub's ledger, or raise the alarm that this hub had another ledger before."""
    (cosigned, newest), now = notes, hub.clock.now()
    seen, about = Checkpoint.parse(cosigned.text), f"{hub.origin} {machine.origin}"
    ours = Note.parse(status.ledger_status(session, HUB_LOG).checkpoint or b"")
    kept = status.checkpoint_at(session, HUB_LOG, seen.size)
    try:
        root = Checkpoint.parse(Note.parse(kept).text).root if kept else _root_at(session, seen.size)
    except LookupError:
        text = REGRESSED(plant=machine.code, held=seen.size, shown=newest.size)
        keep_contradiction(session, Contradiction(HUB_LOG, hub.origin, cosigned, ours), now)
        raise_alarm(session, Alarm(AlarmKind.HUB_REGRESSED, about, text), now)
        return
    if root != seen.root:
        text = FORKED(held=seen.size, shown=newest.size)
        keep_contradiction(session, Contradiction(HUB_LOG, hub.origin, cosigned, ours), now)
        raise_alarm(session, Alarm(AlarmKind.HUB_LEDGER_FORKED, about, text), now)
        return
    for kind in (AlarmKind.HUB_REGRESSED, AlarmKind.HUB_LEDGER_FORKED):
        end_alarm(session, kind, about, now)
    before = cosigned if kept is None else Note.parse(kept)
    joined = _joined(before, cosigned)
    if kept is None or joined != before:
        status.keep_checkpoint(session, HUB_LOG, seen.size, bytes(joined), signed_at=now, received_at=now)


def _root_at(session: Session, size: int) -> bytes:
    return marked_frontier(session, HUB_LOG, size).root()


def _joined(note: Note, more: Note) -> Note:
    """Return the note with the missing signature lines of another, up to the maximum of a note."""
    known = {(line.name, line.key_id) for line in note.signatures}
    added = tuple(line for line in more.signatures if (line.name, line.key_id) not in known)
    return Note(note.text, (*note.signatures, *added)[:MAX_SIGNATURES])
