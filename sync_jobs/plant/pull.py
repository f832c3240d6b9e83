"""A plant pulls its directives: verified against the hub's signed root, stored, cosigned, and applied one by one."""

import logging

from infra.database import Session
from infra.messages import Worded, message
from plants.commands.directives.outcomes import apply_directive, due_directive
from plants.rules.ledger.merkle import EMPTY_ROOT, Frontier
from plants.rules.ledger.notes import Note, NoteError
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Head, open_log
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import status
from plants.store.replication.leases import LeaseLost
from plants.store.replication.status import ReplicationState
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.directive_recovery import return_directives
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import ENTRIES_MAX, Position, Problem, Welcome, read_entries

HUB_REGRESSED = message(
    "HUB_LOST_DIRECTIVES",
    "The hub shows {theirs} directives, and they do not continue the {ours} that it signed for this plant: it was "
    "restored from an old backup. This plant returns them.",
)

DIRECTIVE_FAILED = message("DIRECTIVE_FAILED", "A directive could not be applied and is retried: {why}")

LOG = logging.getLogger(__name__)


class NotSigned(Problem):
    """The hub's directives are not signed by the newest key of the hub that this plant knows."""


class NotContinued(Problem):
    """The hub's directives do not continue those of this plant."""


def directives_here(node: PlantNode) -> Position:
    """Return the position of the plant's copy of its directives."""
    with node.store.reading() as reads:
        found = mirrors.position_of(reads, -node.number)
    return Position(0, EMPTY_ROOT) if found is None else Position(found[1].size, found[1].root())


def pull(context: ExchangeContext, welcome: Welcome) -> int:
    """Store the directives that the hub has beyond ours and return how many came; raises as the hub answered.

    Where the hub's directives do not continue ours, the hub was restored. The plant then returns the signed directives,
    under an alarm that ends when both are in sync.
    """
    node, here, theirs = context.node, directives_here(context.node), welcome.directives.position
    if welcome.directives.origin != node.directive_origin:
        raise Problem(403, "FOREIGN_LEDGER")
    if theirs == here:
        return 0
    size, end = here.size, theirs.size
    if theirs.size <= here.size:
        end = _return_directives(context, welcome, here)
    while size < end and context.has_time():
        try:
            size = _store_slice(context, size, min(end, size + ENTRIES_MAX))
        except NotContinued:
            if end != theirs.size:
                raise
            end = _return_directives(context, welcome, here)
    return size - here.size


def _return_directives(context: ExchangeContext, welcome: Welcome, here: Position) -> int:
    """Return the lost directives to the hub under the alarm; returns how many directives the hub has then."""
    text = HUB_REGRESSED(theirs=welcome.directives.size, ours=here.size)
    _alarm(context, ReplicationState.HUB_REGRESSED, text)
    end = return_directives(context, welcome)

    def note(session: Session) -> None:
        now = context.node.clock.now()
        sizes = {"peer_size": end, "contact_at": now}
        in_sync = {"state": ReplicationState.IN_SYNC, "error": None}
        status.amend(session, -context.node.number, **sizes, **in_sync, **status.NO_ALARM)
        end_alarm(session, AlarmKind.HUB_REGRESSED, context.node.directive_origin, now)

    context.write(note)
    return end


def apply_pending(context: ExchangeContext) -> int:
    """Apply the stored directives without an outcome in the plant's ledger, each in a transaction of its own.

    After an upgrade this includes directives that the previous program did not understand.

    Returns how many. A rejected directive has an outcome too. An unexpected failure raises an alarm, and the next run
    starts with the same directive; replication of the plant's own ledger continues.
    """
    node, count = context.node, 0

    def apply_next(session: Session) -> bool:
        now = node.clock.now()
        directive = due_directive(session, node.number)
        if directive is None:
            return False
        apply_directive(session, directive, plant=node.number, now=now)
        return True

    try:
        while context.has_time() and context.write(apply_next):
            count += 1
    except LeaseLost:
        raise
    except Exception as error:
        LOG.exception("plant %s: a directive could not be applied", node.number)
        _alarm(context, ReplicationState.REFUSED, DIRECTIVE_FAILED(why=repr(error)[:500]))
    return count


def _store_slice(context: ExchangeContext, low: int, high: int) -> int:
    node = context.node
    parcel = context.client.entries(node.directive_origin, low, high)
    entries = read_entries(parcel.bodies, low, None)
    directive_keys = checkpoints.keys_of(hub_keys.newest_at(node), node.directive_origin)
    try:
        signed = checkpoints.read(parcel.note, node.directive_origin, directive_keys)
        note: Note = checkpoints.trimmed(parcel.note, directive_keys)
    except NoteError as error:
        raise NotSigned(403, "CHECKPOINT_REFUSED", fault=error.fault) from error
    now = node.clock.now()
    cosigned = note.signed_also(node.signer.cosign(note, int(now.timestamp())))

    def store(session: Session) -> int:
        open_log(session, -node.number, node.directive_origin)
        head = Head(session, -node.number)
        frontier: Frontier = head.frontier.extend(entry.leaf for entry in entries)
        covered = Position(signed.checkpoint.size, signed.checkpoint.root)
        if head.size != low or not entries or covered != Position(frontier.size, frontier.root()):
            raise NotContinued(422, "ROOT_WRONG", size=covered.size)
        mirrors.extend(session, head, entries, frontier)
        signed_at = checkpoints.signed_at(signed)
        status.keep_checkpoint(
            session, head.log_id, frontier.size, bytes(cosigned), signed_at=signed_at, received_at=now
        )
        state = {"state": ReplicationState.IN_SYNC, "error": None, **status.NO_ALARM}
        sizes = {"acknowledged": frontier.size, "peer_size": frontier.size}
        status.amend(session, head.log_id, contact_at=now, **sizes, **state)
        return frontier.size

    return context.write(store)


def _alarm(context: ExchangeContext, state: ReplicationState, said: Worded) -> None:
    now = context.node.clock.now()

    def write(session: Session) -> None:
        status.amend(session, -context.node.number, state=state, **status.alarm_columns(said, now))
        regressed = state is ReplicationState.HUB_REGRESSED
        kind = AlarmKind.HUB_REGRESSED if regressed else AlarmKind.REPLICATION_REFUSED
        raise_alarm(session, Alarm(kind, context.node.directive_origin, said), now)

    context.write(write)
