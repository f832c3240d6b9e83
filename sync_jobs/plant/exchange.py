"""One exchange of a plant with the hub: handshake, repair, send, fetch and apply. Its outcome is stored."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from infra.database import Session
from infra.messages import Failure, Worded, message
from plants.commands.replication.rebasing import NotTheLedger
from plants.commands.replication.repairs import record_repair
from plants.rules.ledger.merkle import Frontier
from plants.rules.replication import events
from plants.rules.replication.events import HubRegressed
from plants.rules.values.instants import micros, parse_instant
from plants.store.ledger import mirrors
from plants.store.ledger.entries import open_log
from plants.store.ledger.pruning import BodyDamaged
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import leases, status
from plants.store.replication.leases import Lease, LeaseLost
from plants.store.replication.status import ReplicationState
from sync_jobs import backoff
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.assertion_key_rotation import reannounce_key
from sync_jobs.plant.exchange_context import LEASE, ExchangeContext, ignore_progress
from sync_jobs.plant.handshake import connect, evaluate
from sync_jobs.plant.http_hub_client import open_hub_client
from sync_jobs.plant.ledger_key_rotation import restate_lost_rotations, send_rotation_statements
from sync_jobs.plant.pruning import BodiesPruned, check_bodies_kept
from sync_jobs.plant.pull import NotSigned, apply_pending, directives_here, pull
from sync_jobs.plant.push import LedgerDamaged, ReceiptInvalid, push
from sync_jobs.plant.rebasing import repair_divergence
from sync_jobs.plant.restoring import RepairRefused, restore
from sync_jobs.plant.unreached import end_unreached, raise_unreached
from sync_jobs.protocol.handshake import Decision
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.sessions import fence
from sync_jobs.protocol.wire import Problem, Welcome

SLICE_SECONDS: Final = 20  # of work in one run of the job; the next run continues
RESTORE_SECONDS: Final = 7 * 24 * 3600  # an operator waits for it
HANDSHAKES_MAX: Final = 5  # in one exchange: after a repair, or when the hub's position moved meanwhile
LATER: Final = frozenset({408, 429, 503})
NOT_RECOGNISED: Final = 401
SKEW_SECONDS_NOTED: Final = 4  # the hub tolerates little more
WRONG_POSITION: Final = 409

HUB_REGRESSED: Final = message(
    "HUB_LOST_ENTRIES",
    "The hub had only {hub} of the {receipt} entries that it gave a receipt for: it was restored from an old backup. "
    "They are sent again.",
)
HUB_REFUSED: Final = message("HUB_REFUSED", "The hub refused: {status} {problem}. Look at the hub's alarms.")
HUB_REFUSED_BY_CLOCK: Final = message(
    "HUB_REFUSED_BY_CLOCK",
    "The hub refused: {status} {problem}. The hub's clock is {seconds} s ahead of ours: set the clock.",
)
EXCHANGE_FAILED: Final = message(
    "EXCHANGE_ENDED", "The exchange failed unexpectedly ({failure}: {why}). It is retried. Read the log of the node."
)
NOT_RESTORED: Final = message("NOT_RESTORED", "{alarm}")
HUB_NOT_REACHED: Final = message(
    "RESTORE_HUB_NOT_REACHED", "The hub was not reached ({error}). Check hub_url and the network, and try again."
)
RESTORE_NOT_BEGUN: Final = message(
    "RESTORE_NOT_BEGUN", "Another process exchanges with the hub now, or the plant is fenced. Stop it, and try again."
)
RESTORE_UNFINISHED: Final = message(
    "RESTORE_UNFINISHED", "The restore is not finished. Run the command again: it continues."
)
REPAIRED: Final = (
    AlarmKind.PLANT_RESTORED,
    AlarmKind.LEDGER_DIVERGED,
    AlarmKind.HUB_REGRESSED,
    AlarmKind.MARKS_LOST,  # in sync with the hub, the store is not an old one.
)
"""Alarms that end once plant and hub are in sync again; the ledger keeps the record of the repair."""
REFUSING: Final = (AlarmKind.REPLICATION_REFUSED, AlarmKind.LEDGER_DAMAGED)
ALARMS: Final[Mapping[AlarmKind, tuple[type[Exception], ...]]] = {
    AlarmKind.LEDGER_DAMAGED: (LedgerDamaged, BodyDamaged),
    AlarmKind.HUB_REGRESSED: (BodiesPruned,),
}
REPAIRS: Final = {Decision.RESTORED: restore, Decision.DIVERGED: repair_divergence}
GIVING_UP: Final = (ReceiptInvalid, LedgerDamaged, RepairRefused, NotTheLedger, BodiesPruned, BodyDamaged)
LOG = logging.getLogger(__name__)


class NotRestored(Failure):
    """The plant could not be restored; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class ExchangeResult:
    """The outcome of one exchange. `ran` is False when it was skipped; `more` asks for another exchange soon."""

    ran: bool = False
    state: ReplicationState | None = None
    sent: int = 0
    received: int = 0
    applied: int = 0
    more: bool = False


def exchange(
    node: PlantNode,
    *,
    forced: bool = False,
    slice_seconds: float = SLICE_SECONDS,
    progress: Callable[[int, int], None] = ignore_progress,
) -> ExchangeResult:
    """Synchronise plant and hub within one slice of time. Failures are stored, not raised.

    A restored or diverged plant is repaired first; `progress` reports the repair. Does nothing while another process of
    the plant exchanges, during the wait after a failure (unless forced), and while the plant is fenced.
    """
    lease = node.writer.write(lambda session: _begin(session, node, forced=forced))
    if lease is None:
        return ExchangeResult()
    deadline = time.monotonic() + slice_seconds
    try:
        with open_hub_client(node) as client:
            return _run(ExchangeContext(node, client, lease, lambda: time.monotonic() < deadline, progress))
    except LeaseLost:
        LOG.warning("plant %s: another process has taken over the exchange", node.number)
        return ExchangeResult()
    except (HubUnreachable, Problem, *GIVING_UP) as error:
        return ExchangeResult(ran=True, state=_give_up(node, lease, error))
    except Exception as error:
        _give_up(node, lease, error)
        raise
    finally:
        node.writer.write(lease.end)


def restore_from_hub(node: PlantNode, *, progress: Callable[[int, int], None] = ignore_progress) -> int:
    """Restore a whole plant from the hub into an empty store; returns the number of entries.

    One parcel of entries is in memory at a time. The next call or exchange continues an interrupted restore. Raises
    NotRestored with the reason.
    """
    with node.store.transaction() as session:
        open_log(session, node.number, node.origin)
    came = [0]

    def watch(done: int, total: int) -> None:
        came[0] = total
        progress(done, total)

    done = exchange(node, forced=True, slice_seconds=RESTORE_SECONDS, progress=watch)
    if done.state not in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}:
        raise _not_restored(node, done)
    return came[0]


def _not_restored(node: PlantNode, done: ExchangeResult) -> NotRestored:
    """Return why the exchange did not restore the plant: its stored alarm, or what its state tells."""
    with node.store.reading() as reads:
        stored = status.known(reads, node.number)
    if done.state is ReplicationState.UNREACHABLE:
        return NotRestored(HUB_NOT_REACHED, error=stored.error or "")
    if stored.said is not None:
        return NotRestored(NOT_RESTORED, alarm=stored.said)
    return NotRestored(RESTORE_UNFINISHED if done.ran else RESTORE_NOT_BEGUN)


def _begin(session: Session, node: PlantNode, *, forced: bool) -> Lease | None:
    now = node.clock.now()
    before = status.ledger_status(session, node.number)
    if before.state is ReplicationState.FENCED:
        return None
    if not backoff.is_due(before.next_attempt_at, now, began_at=before.attempted_at) and not forced:
        raise_unreached(session, node, now, again=False)
        return None
    lease = leases.take(session, LEASE, node.holder, now=now)
    if lease is not None:
        backoff.begin(session, node.number, now=now)
    return lease


def _run(context: ExchangeContext) -> ExchangeResult:
    for handshake in range(1, HANDSHAKES_MAX + 1):
        welcome = _connect(context)
        decision, frontier = evaluate(context, welcome)
        if decision is Decision.FENCED:
            return _fence(context)
        if decision in REPAIRS:
            if not REPAIRS[decision](context, welcome) or handshake == HANDSHAKES_MAX:
                return _unfinished(context, decision)
            continue
        check_bodies_kept(context, frontier.size)
        if decision is Decision.HUB_REGRESSED:
            _record_regressed(context, welcome, frontier)
        assert decision.may_sign, decision
        done = _synchronise(context, welcome, frontier, handshake)
        if done is not None:
            return done
    raise AssertionError("the last handshake returns or raises")


def _synchronise(
    context: ExchangeContext, welcome: Welcome, frontier: Frontier, handshake: int
) -> ExchangeResult | None:
    """Send, fetch and finish; returns None where another handshake may resolve the hub's answer."""
    try:
        return _fetch_and_finish(context, welcome, push(context, welcome, frontier))
    except (ReceiptInvalid, NotSigned):
        # The hub may have changed its key since the handshake: another handshake tells.
        if handshake > 1:
            raise
    except Problem as problem:
        if handshake == HANDSHAKES_MAX or not _retries_handshake(context, problem):
            raise
    return None


def _connect(context: ExchangeContext) -> Welcome:
    """Connect to the hub. A restored hub may first have to learn our assertion key."""
    try:
        return connect(context)
    except Problem as problem:
        if not reannounce_key(context, problem):
            raise
    return connect(context)


def _retries_handshake(context: ExchangeContext, problem: Problem) -> bool:
    """Tell whether another handshake may succeed: the hub has moved on, or has just learned our new key.

    It also shows whether another copy of the plant, or a restored hub, has ended our session.
    """
    if problem.code == "CHECKPOINT_REFUSED":
        restate_lost_rotations(context.node)
        return send_rotation_statements(context.node, context.client)
    return problem.status == WRONG_POSITION


def _fetch_and_finish(context: ExchangeContext, welcome: Welcome, sent: int) -> ExchangeResult:
    node = context.node
    received = pull(context, welcome)
    applied = apply_pending(context)
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    assert position is not None
    size = position[1].size

    def finish(session: Session) -> ReplicationState:
        now = node.clock.now()
        backoff.succeeded(session, node.number, now=now)
        behind = status.ledger_status(session, node.number).acknowledged < size
        state = ReplicationState.BEHIND if behind else ReplicationState.IN_SYNC
        status.amend(session, node.number, state=state, **status.NO_ALARM)
        for kind in REFUSING if behind else (*REFUSING, *REPAIRED):
            end_alarm(session, kind, node.origin, now)
        end_unreached(session, node, now)
        return state

    state = context.write(finish)
    more = state is ReplicationState.BEHIND or directives_here(node).size < welcome.directives.size
    return ExchangeResult(ran=True, state=state, sent=sent, received=received, applied=applied, more=more)


def _record_regressed(context: ExchangeContext, welcome: Welcome, frontier: Frontier) -> None:
    """Record that the hub lost entries that it had acknowledged. They are sent again; the receipts are kept."""
    node = context.node

    def note(session: Session) -> None:
        now = node.clock.now()
        receipt = status.ledger_status(session, node.number).acknowledged
        payload: HubRegressed = {"hub_size": welcome.ledger.size, "receipt_size": receipt}
        record_repair(session, node.number, events.HUB_REGRESSED, payload, now=now)
        text = HUB_REGRESSED(hub=welcome.ledger.size, receipt=receipt)
        raise_alarm(session, Alarm(AlarmKind.HUB_REGRESSED, node.origin, text), now)
        status.amend(session, node.number, acknowledged=frontier.size, frontier=frontier.to_bytes())

    context.write(note)


def _fence(context: ExchangeContext) -> ExchangeResult:
    node = context.node

    def write(session: Session) -> None:
        now = node.clock.now()
        # `context.write` renews the lease: a slow process must not fence the plant because of its own successor.
        fence(session, node.number, node.origin, now)
        end_unreached(session, node, now)

    context.write(write)
    return ExchangeResult(ran=True, state=ReplicationState.FENCED)


def _unfinished(context: ExchangeContext, decision: Decision) -> ExchangeResult:
    """Store that the repair continues in the next slice."""
    node, state = context.node, ReplicationState(decision.value)

    def write(session: Session) -> None:
        now = node.clock.now()
        backoff.succeeded(session, node.number, now=now)
        status.amend(session, node.number, state=state)
        end_unreached(session, node, now)

    context.write(write)
    return ExchangeResult(ran=True, state=state, more=True)


def _give_up(node: PlantNode, lease: Lease, error: Exception) -> ReplicationState:
    """Store why the exchange ended, and raise the alarm for it. For an unreachable or busy hub that takes a while."""
    state, retry_seconds = ReplicationState.UNREACHABLE, None
    alarm: Worded | None = None
    if isinstance(error, Problem):
        retry_seconds = error.retry_seconds
        if error.status not in LATER:
            state = ReplicationState.REFUSED
            alarm = _refused(node, error)
    elif isinstance(error, Failure):
        state, alarm = ReplicationState.REFUSED, error
    elif not isinstance(error, HubUnreachable):
        state, alarm = ReplicationState.REFUSED, EXCHANGE_FAILED(failure=type(error).__name__, why=error)

    def write(session: Session) -> None:
        now = node.clock.now()
        lease.renew(session, now)
        backoff.failed(session, node.number, state, str(error), now=now, alarm=alarm, retry_seconds=retry_seconds)
        if alarm is not None:
            kind = next((of for of, what in ALARMS.items() if isinstance(error, what)), AlarmKind.REPLICATION_REFUSED)
            raise_alarm(session, Alarm(kind, node.origin, alarm), now)
        if state is ReplicationState.UNREACHABLE:
            raise_unreached(session, node, now, again=True)
        elif isinstance(error, (Problem, Failure)):
            end_unreached(session, node, now)

    try:
        node.writer.write(write)
    except LeaseLost:
        LOG.warning("plant %s: another process has taken over the exchange", node.number)
    return state


def _refused(node: PlantNode, error: Problem) -> Worded:
    """Return the hub's refusal as a message, with the clock skew where it may be the reason."""
    refused = {"status": error.status, "problem": error.code}
    try:
        theirs = parse_instant(str(error.content.get("clock")))
        seconds = (micros(theirs) - micros(node.clock.now())) // 1_000_000
    except (ValueError, TypeError):
        return HUB_REFUSED(**refused)
    if error.status != NOT_RECOGNISED or abs(seconds) < SKEW_SECONDS_NOTED:
        return HUB_REFUSED(**refused)
    return HUB_REFUSED_BY_CLOCK(**refused, seconds=seconds)
