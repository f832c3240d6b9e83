"""Two witnesses: the hub writes down how far it has the plants' ledgers, and every plant checks and cosigns that one.

So one checkpoint of the hub's own ledger stands for all plants, and the hub cannot show two histories of it: each
greeting says how much of it the plant has cosigned, and the answer proves that the newest checkpoint continues that.
"""

import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from auth.machines import EnrolledMachine
from auth.notes import NoteSigner
from infra.database import ReadSession, Session
from plants.commands.replication.witnesses import witness_checkpoints
from plants.rules.ledger.merkle import growth_proof, verify_consistency
from plants.rules.ledger.notes import MAX_SIGNATURES, Checkpoint, Note, NoteError, NoteKey
from plants.rules.values.instants import micros
from plants.store.ledger import mirrors
from plants.store.ledger.entries import HUB_LOG, Head
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from plants.store.replication.witnesses import Contradiction, keep_contradiction, marked_frontier
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.push import Way
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Hello, Position, Problem, Stand, Welcome, read_hash

FORKED: Final = (
    "The hub showed two histories of its own ledger: {held} entries were seen, and the {shown} now shown do not "
    "continue them. Both signed notes are kept as evidence. Ask headquarters whether the hub was restored. / "
    "总部出示了两份不一致的自有账本：先前见到 {held} 条，现在出示的 {shown} 条并非其延续。"
    "两份签名均已留存为证据，请向总部核实是否恢复过备份。"
)
REGRESSED: Final = (
    "{plant} holds {held} entries of the hub's own ledger, signed by this hub, which has {shown}: it was restored. / "
    "工厂 {plant} 持有总部签名的 {held} 条自有账本记录，而总部现有 {shown} 条：总部可能由旧备份恢复。"
)
UNSIGNED: Final = (
    "The hub showed a checkpoint of its own ledger that its key did not sign ({fault}). / "
    "总部出示的自有账本检查点未经其密钥签名（{fault}）。"
)
SELECT_CONTRADICTIONS: Final = (
    "SELECT origin, held, shown, seen_us FROM contradictions WHERE log_id = 0 ORDER BY seen_us DESC, id"
)
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a greeting is answered with about the hub's own ledger: nothing where it has no checkpoint yet."""

    hub_checkpoint: str | None = None
    hub_proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Another history of the hub's ledger that a person may accept: the note held here, and the one shown."""

    origin: str
    held: bytes
    shown: bytes
    seen_us: int


def witness_plants(hub: HubNode) -> int:
    """Write into the hub's own ledger which plants' ledgers have grown, if any; returns how many entries that took."""
    count = 0
    while True:
        with hub.store.transaction() as session:
            if witness_checkpoints(session, now=hub.clock.now()) is None:
                return count
        count += 1


def sign_own(session: Session, hub: HubNode, head: Head) -> bytes:
    """Sign a ledger that the hub writes as it stands and keep the note, with the cosignatures that it had at this size.

    The caller holds the head's lock.
    """
    now = hub.clock.now()
    signer = NoteSigner(head.origin, hub.signer.private_key)
    note = checkpoints.sign(head.origin, Position(head.size, head.frontier.root()), signer, now)
    before = status.checkpoint_at(session, head.log_id, head.size)
    if before is not None:
        note = _joined(note, Note.parse(before))
    us = micros(now)
    frontier = head.frontier.to_bytes() if head.log_id == HUB_LOG else None
    kept = bytes(note)
    status.keep_checkpoint(session, head.log_id, head.size, kept, signed_us=us, received_us=us, frontier=frontier)
    return kept


def show(session: Session, hub: HubNode, machine: EnrolledMachine, hello: Hello) -> Shown:
    """Return the newest checkpoint of the hub's own ledger and the proof that it continues what the plant cosigned.

    The plant's cosignatures of it are kept; one that this hub signed and does not have becomes an alarm here as well.
    """
    try:
        note = status.ledger_status(session, HUB_LOG).checkpoint or sign_own(session, hub, Head(session, HUB_LOG))
    except LookupError:
        return Shown()
    newest = Checkpoint.parse(Note.parse(note).text)
    keys = (*hub_keys.keys_of_hub(session, hub), *checkpoints.keys_of(NoteKey.parse(machine.ledger_vkey)))
    for text in hello.cosignatures:
        try:
            signed = checkpoints.read(text.encode(), hub.origin, keys)
            cosigned = checkpoints.trimmed(text.encode(), keys)
        except NoteError:
            continue
        if signed.cosigned_by(machine.origin) is not None:
            _take_cosigned(session, hub, machine, (cosigned, newest))
    old = 0 if hello.hub_ledger is None else hello.hub_ledger.size
    if not 0 < old < newest.size:
        return Shown(note.decode())
    leaves = mirrors.leaf_reader(session, HUB_LOG)
    proof = growth_proof(marked_frontier(session, HUB_LOG, old), leaves, newest.size)
    return Shown(note.decode(), tuple(b64encode(part).decode() for part in proof))


def seen_of_hub(session: Session | ReadSession) -> tuple[Stand | None, list[str]]:
    """Return how much of the hub's own ledger this plant has cosigned, and the cosigned note, for a greeting."""
    kept = _held(session)
    if kept is None:
        return None, []
    seen = Checkpoint.parse(kept.text)
    return Stand.of(seen.origin, Position(seen.size, seen.root)), [bytes(kept).decode()]


def check_hub(way: Way, welcome: Welcome) -> bool:
    """Check what the hub shows of its own ledger, and cosign it where it continues what this plant has seen.

    The first one is believed. What does not continue is kept as evidence under an alarm that lasts until the hub shows
    a continuation again or a person accepts the other history (`accept_hub_ledger`); the exchange goes on. Tells
    whether all is well.
    """
    known = hub_keys.learn(way.node, welcome)
    if welcome.hub_checkpoint is None:
        return True
    node, shown = way.node, welcome.hub_checkpoint.encode()
    try:
        size = Checkpoint.parse(Note.parse(shown).text).size
        keys = tuple(key for one in known.at(size) for key in checkpoints.keys_of(one))
        signed = checkpoints.read(shown, node.hub_key.name, keys)
        note = checkpoints.trimmed(shown, keys)
    except NoteError as error:
        text = UNSIGNED.format(fault=error.fault)
        _write(way, lambda session: raise_alarm(session, _alarm(node, text), node.clock.now()))
        return False
    with node.store.reading() as reads:
        held = _held(reads)
        alarmed = _is_alarmed(reads, node)
    seen = None if held is None else Checkpoint.parse(held.text)
    if seen == signed.checkpoint:
        if alarmed:
            _write(way, lambda session: _end(session, node))
        return True
    if held is not None and seen is not None and not _continues(seen, signed.checkpoint, welcome.hub_proof):
        found = Contradiction(HUB_LOG, node.hub_key.name, held, note)
        text = FORKED.format(held=seen.size, shown=signed.checkpoint.size)
        LOG.warning("plant %s: %s", node.number, text)

        def alarm(session: Session) -> None:
            keep_contradiction(session, found, node.clock.now())
            raise_alarm(session, _alarm(node, text), node.clock.now())

        _write(way, alarm)
        return False
    _write(way, lambda session: _cosign(session, node, note))
    return True


def accept_hub_ledger(session: Session, node: PlantNode) -> bool:
    """Go on from the other history that the hub showed last: a person has made sure why there are two.

    The evidence stays. Returns False, and changes nothing, where the hub shows what continues the one seen here.
    """
    found = awaiting_acceptance(session)
    if found is None:
        return False
    _cosign(session, node, Note.parse(found.shown))
    return True


def awaiting_acceptance(session: Session | ReadSession) -> Awaiting | None:
    """Return the newest contradiction of what this plant holds of the hub's ledger now, if there is one.

    One that was accepted, or that ended because the hub showed a continuation, is of something held before.
    """
    held = _held(session)
    rows = session.rows(SELECT_CONTRADICTIONS)
    found = (Awaiting(origin, bytes(mine), bytes(shown), seen_us) for origin, mine, shown, seen_us in rows)
    return next((one for one in found if held is not None and Note.parse(one.held).text == held.text), None)


def _take_cosigned(session: Session, hub: HubNode, machine: EnrolledMachine, notes: tuple[Note, Checkpoint]) -> None:
    """Keep a plant's cosignature of the hub's ledger, or raise the alarm that this hub once had another one."""
    (cosigned, newest), now = notes, hub.clock.now()
    seen, about = Checkpoint.parse(cosigned.text), f"{hub.origin} {machine.origin}"
    ours = Note.parse(status.ledger_status(session, HUB_LOG).checkpoint or b"")
    kept = status.checkpoint_at(session, HUB_LOG, seen.size)
    try:
        root = Checkpoint.parse(Note.parse(kept).text).root if kept else _root_at(session, seen.size)
    except LookupError:
        text = REGRESSED.format(plant=machine.code, held=seen.size, shown=newest.size)
        keep_contradiction(session, Contradiction(HUB_LOG, hub.origin, cosigned, ours), now)
        raise_alarm(session, Alarm(AlarmKind.HUB_REGRESSED, about, text), now)
        return
    if root != seen.root:
        text = FORKED.format(held=seen.size, shown=newest.size)
        keep_contradiction(session, Contradiction(HUB_LOG, hub.origin, cosigned, ours), now)
        raise_alarm(session, Alarm(AlarmKind.HUB_LEDGER_FORKED, about, text), now)
        return
    for kind in (AlarmKind.HUB_REGRESSED, AlarmKind.HUB_LEDGER_FORKED):
        end_alarm(session, kind, about, now)
    before = cosigned if kept is None else Note.parse(kept)
    joined = _joined(before, cosigned)
    if kept is None or joined != before:
        us = micros(now)
        status.keep_checkpoint(session, HUB_LOG, seen.size, bytes(joined), signed_us=us, received_us=us)


def _root_at(session: Session, size: int) -> bytes:
    return marked_frontier(session, HUB_LOG, size).root()


def _joined(note: Note, more: Note) -> Note:
    """Return the note with the lines of those who have none on it yet, as many as a note can have."""
    known = {(line.name, line.key_id) for line in note.signatures}
    added = tuple(line for line in more.signatures if (line.name, line.key_id) not in known)
    return Note(note.text, (*note.signatures, *added)[:MAX_SIGNATURES])


def _continues(seen: Checkpoint, shown: Checkpoint, proof: list[str]) -> bool:
    try:
        hashes = [read_hash(part) for part in proof]
    except Problem:
        return False
    return verify_consistency(seen.size, seen.root, shown.size, shown.root, hashes)


def _held(session: Session | ReadSession) -> Note | None:
    rows = session.rows("SELECT checkpoint FROM replication WHERE log_id = 0 AND checkpoint IS NOT NULL")
    return Note.parse(bytes(rows[0][0])) if rows else None


def _is_alarmed(session: ReadSession, node: PlantNode) -> bool:
    given = {"kind": AlarmKind.HUB_LEDGER_FORKED, "about": node.hub_key.name}
    sql = "SELECT 1 FROM alarms WHERE kind = :kind AND about = :about AND over_us IS NULL"
    return bool(session.rows(sql, given))


def _cosign(session: Session, node: PlantNode, note: Note) -> None:
    now = node.clock.now()
    seen = Checkpoint.parse(note.text)
    cosigned = bytes(note.signed_also(node.signer.cosign(note, int(now.timestamp()))))
    signed = checkpoints.read(cosigned, seen.origin, hub_keys.ever_at(session, node))
    signed_us, us = checkpoints.signed_us(signed), micros(now)
    status.keep_checkpoint(session, HUB_LOG, seen.size, cosigned, signed_us=signed_us, received_us=us)
    # Where a person accepted a shorter ledger, the newest is no longer the longest.
    newest = {"checkpoint_size": seen.size, "checkpoint": cosigned, "acknowledged": seen.size, "contact_us": us}
    status.amend(session, HUB_LOG, state=ReplicationState.IN_SYNC, signed_us=signed_us, **newest)
    _end(session, node)


def _alarm(node: PlantNode, text: str) -> Alarm:
    return Alarm(AlarmKind.HUB_LEDGER_FORKED, node.hub_key.name, text)


def _end(session: Session, node: PlantNode) -> None:
    end_alarm(session, AlarmKind.HUB_LEDGER_FORKED, node.hub_key.name, node.clock.now())


def _write(way: Way, work: Callable[[Session], object]) -> None:
    def write(session: Session) -> None:
        way.held.renew(session, way.node.clock.now())
        work(session)

    way.node.writer.write(write)
