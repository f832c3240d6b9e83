"""A plant checks the checkpoints of the hub's own ledger, cosigns them, and keeps evidence of contradictions."""

import logging
from typing import Final

from infra.database import ReadSession, Session
from infra.messages import Worded, message
from plants.rules.ledger.merkle import verify_consistency
from plants.rules.ledger.notes import Checkpoint, Note, NoteError
from plants.store.ledger.entries import HUB_LOG
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from plants.store.replication.witnesses import Contradiction, ContradictionSeen, contradictions_of, keep_contradiction
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.checkpoints import FORKED
from sync_jobs.protocol.wire import LedgerPosition, Position, Problem, Welcome, read_hash

UNSIGNED: Final = message(
    "CHECKPOINT_UNSIGNED",
    "The hub showed a checkpoint of its own ledger that its key did not sign ({fault}). Ask headquarters.",
)


LOG = logging.getLogger(__name__)


def cosigned_hub_position(session: Session | ReadSession) -> tuple[LedgerPosition | None, list[str]]:
    """Return how much of the hub's own ledger this plant has cosigned, and the cosigned notes, for a Hello."""
    kept = _cosigned_note(session)
    if kept is None:
        return None, []
    seen = Checkpoint.parse(kept.text)
    return LedgerPosition.of(seen.origin, Position(seen.size, seen.root)), [bytes(kept).decode()]


def check_hub_checkpoint(context: ExchangeContext, welcome: Welcome) -> bool:
    """Check the hub's newest checkpoint of its own ledger, and cosign it where it continues the one cosigned last.

    The first checkpoint is trusted. A contradiction is stored as evidence under an alarm. The alarm ends when the hub
    shows a continuation again, or when an operator accepts the other history (`accept_hub_ledger`). The exchange
    continues in either case. Returns whether the checkpoint was valid and continuous.
    """
    known = hub_keys.learn(context.node, welcome)
    if welcome.hub_checkpoint is None:
        return True
    node, shown = context.node, welcome.hub_checkpoint.encode()
    try:
        size = Checkpoint.parse(Note.parse(shown).text).size
        keys = tuple(key for one in known.at(size) for key in checkpoints.keys_of(one))
        signed = checkpoints.read(shown, node.hub_key.name, keys)
        note = checkpoints.trimmed(shown, keys)
    except NoteError as error:
        text = UNSIGNED(fault=error.fault)
        context.write(lambda session: raise_alarm(session, _alarm(node, text), node.clock.now()))
        return False
    with node.store.reading() as reads:
        held = _cosigned_note(reads)
        alarmed = node.hub_key.name in open_alarms(reads, AlarmKind.HUB_LEDGER_FORKED)
    seen = None if held is None else Checkpoint.parse(held.text)
    if seen == signed.checkpoint:
        if alarmed:
            context.write(lambda session: _end(session, node))
        return True
    if held is not None and seen is not None and not _continues(seen, signed.checkpoint, welcome.hub_proof):
        found = Contradiction(HUB_LOG, node.hub_key.name, held, note)
        text = FORKED(held=seen.size, shown=signed.checkpoint.size)
        LOG.warning("plant %s: %s", node.number, text)

        def alarm(session: Session) -> None:
            keep_contradiction(session, found, node.clock.now())
            raise_alarm(session, _alarm(node, text), node.clock.now())

        context.write(alarm)
        return False
    context.write(lambda session: _cosign(session, node, note))
    return True


def accept_hub_ledger(session: Session, node: PlantNode) -> bool:
    """Cosign the contradicting history that the hub showed last, after an operator has verified the reason.

    The evidence is kept. Returns False and changes nothing where no contradiction is pending.
    """
    found = awaiting_acceptance(session)
    if found is None:
        return False
    _cosign(session, node, Note.parse(found.shown))
    return True


def awaiting_acceptance(session: Session | ReadSession) -> ContradictionSeen | None:
    """Return the newest contradiction of the checkpoint that this plant has cosigned last, if there is one.

    Contradictions of earlier checkpoints were accepted, or ended with a continuation.
    """
    held = _cosigned_note(session)
    if held is None:
        return None
    found = contradictions_of(session, HUB_LOG)
    return next((one for one in found if Note.parse(one.held).text == held.text), None)


def _continues(seen: Checkpoint, shown: Checkpoint, proof: list[str]) -> bool:
    try:
        hashes = [read_hash(part) for part in proof]
    except Problem:
        return False
    return verify_consistency(seen.size, seen.root, shown.size, shown.root, hashes)


def _cosigned_note(session: Session | ReadSession) -> Note | None:
    checkpoint = status.known(session, HUB_LOG).checkpoint
    return None if checkpoint is None else Note.parse(checkpoint)


def _cosign(session: Session, node: PlantNode, note: Note) -> None:
    now = node.clock.now()
    seen = Checkpoint.parse(note.text)
    cosigned = bytes(note.signed_also(node.signer.cosign(note, int(now.timestamp()))))
    signed = checkpoints.read(cosigned, seen.origin, hub_keys.ever_at(session, node))
    signed_at = checkpoints.signed_at(signed)
    status.keep_checkpoint(session, HUB_LOG, seen.size, cosigned, signed_at=signed_at, received_at=now)
    # After an operator accepted a shorter ledger, the newest checkpoint is not the largest.
    newest = {"checkpoint_size": seen.size, "checkpoint": cosigned, "acknowledged": seen.size, "contact_at": now}
    status.amend(session, HUB_LOG, state=ReplicationState.IN_SYNC, signed_at=signed_at, **newest)
    _end(session, node)


def _alarm(node: PlantNode, said: Worded) -> Alarm:
    return Alarm(AlarmKind.HUB_LEDGER_FORKED, node.hub_key.name, said)


def _end(session: Session, node: PlantNode) -> None:
    end_alarm(session, AlarmKind.HUB_LEDGER_FORKED, node.hub_key.name, node.clock.now())
