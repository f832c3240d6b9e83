"""One exchange of a plant with the hub: greet, decide, send, fetch, apply; and how it ended is written down."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from infra.database import Session
from plants.rules.events import EVENTS
from plants.rules.instants import format_instant, micros, parse_instant
from plants.rules.merkle import Frontier
from plants.store import mirrors, replication
from plants.store.positions import ReplicationState
from sync_jobs import attempts, leases
from sync_jobs.doors import HubUnreachable
from sync_jobs.handshake import Decision, Meeting, decide
from sync_jobs.hub_door import HubDoor
from sync_jobs.leases import Held, LeaseLost
from sync_jobs.nodes import PlantNode
from sync_jobs.pull import apply_pending, directives_here, pull
from sync_jobs.push import LedgerDamaged, ReceiptInvalid, Way, push
from sync_jobs.wire import PROTOCOL, Hello, Position, Problem, Stand, Welcome
from sync_jobs.witnessing import check_hub, seen_of_hub

LEASE: Final = "replication"
SLICE_SECONDS: Final = 20  # of work in one job; what is left is done by the next one
MEETINGS_MAX: Final = 3  # greetings in one exchange, when the hub's position moved in between
LATER: Final = frozenset({408, 429, 503})
NOT_RECOGNISED: Final = 401
SKEW_SECONDS_NOTED: Final = 4  # what the hub forgives is little more
WRONG_POSITION: Final = 409

ALARMS = {
    Decision.HUB_REGRESSED: (
        "The hub has fewer entries ({hub}) than it gave a receipt for ({receipt}): it was restored. "
        "Nothing was sent. / 总部仅有 {hub} 条记录，少于其已签收的 {receipt} 条：总部可能由旧备份恢复，已停止发送。"
    ),
    Decision.RESTORED: (
        "The hub has more entries of this plant ({hub}) than the plant itself ({mine}): the plant was restored. "
        "Nothing was sent. / 总部有本厂 {hub} 条记录，多于本厂的 {mine} 条：本厂可能由旧备份恢复，已停止发送。"
    ),
    Decision.DIVERGED: (
        "The hub's copy ({hub} entries) is not the beginning of this plant's ledger ({mine}). Nothing was sent. / "
        "总部的副本（{hub} 条）与本厂账本（{mine} 条）不一致，已停止发送。"
    ),
    Decision.FENCED: (
        "Another copy of this plant greeted the hub while this one was sending. Nothing more is sent until a person "
        "has stopped one of them. / 本厂的另一副本同时在向总部发送，已停止发送，请先停用其中之一。"
    ),
}
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What one exchange came to; `ran` is False when it was not its turn. `more` asks for another one soon."""

    ran: bool = False
    state: ReplicationState | None = None
    sent: int = 0
    received: int = 0
    applied: int = 0
    more: bool = False


def exchange(node: PlantNode, *, forced: bool = False) -> Exchanged:
    """Bring hub and plant level, as far as one slice of time allows; what goes wrong is written down, not raised.

    Does nothing while another process of the plant is at it, while the wait after a failure lasts (unless forced), and
    while the plant is fenced.
    """
    held = node.writer.write(lambda session: _begin(session, node, forced=forced))
    if held is None:
        return Exchanged()
    deadline = time.monotonic() + SLICE_SECONDS
    try:
        with (node.open_door or HubDoor)(node) as door:
            return _run(Way(node, door, held, lambda: time.monotonic() < deadline))
    except LeaseLost:
        LOG.warning("plant %s: another process has taken the exchange over", node.number)
        return Exchanged()
    except (HubUnreachable, Problem, ReceiptInvalid, LedgerDamaged) as error:
        return Exchanged(ran=True, state=_give_up(node, held, error))
    except Exception as error:
        _give_up(node, held, error)
        raise
    finally:
        node.writer.write(held.end)


def lift_fence(session: Session, log_id: int) -> None:
    """Let a fenced plant exchange again: a person has made sure that it is the only copy."""
    replication.amend(session, log_id, state=ReplicationState.BEHIND, alarm=None, alarm_us=None, next_attempt_us=0)


def _begin(session: Session, node: PlantNode, *, forced: bool) -> Held | None:
    now = node.clock.now()
    before = replication.standing(session, node.number)
    if before.state is ReplicationState.FENCED:
        return None
    if before.next_attempt_us > micros(now) and not forced:
        return None
    held = leases.take(session, LEASE, node.holder, now=now)
    if held is not None:
        attempts.begin(session, node.number, now=now, forced=True)
    return held


def _run(way: Way) -> Exchanged:
    for meeting in range(1, MEETINGS_MAX + 1):
        welcome = _greet(way)
        decision, frontier = _meet(way, welcome)
        if not decision.may_sign:
            return Exchanged(ran=True, state=_write_alarm(way, welcome, decision))
        try:
            sent = push(way, welcome, frontier)
        except Problem as problem:
            if problem.code == "SESSION_SUPERSEDED":
                return Exchanged(ran=True, state=_write_alarm(way, welcome, Decision.FENCED))
            if problem.status != WRONG_POSITION or meeting == MEETINGS_MAX:
                raise
        else:
            return _fetch_and_finish(way, welcome, sent)
    raise AssertionError("the last meeting ends in an answer or an error")


def _fetch_and_finish(way: Way, welcome: Welcome, sent: int) -> Exchanged:
    node = way.node
    received = pull(way, welcome)
    applied = apply_pending(way)
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    assert position is not None
    size = position[1].size

    def finish(session: Session) -> ReplicationState:
        now = node.clock.now()
        way.held.renew(session, now)
        attempts.succeeded(session, node.number, now=now)
        behind = replication.standing(session, node.number).acknowledged < size
        state = ReplicationState.BEHIND if behind else ReplicationState.IN_SYNC
        replication.amend(session, node.number, state=state, alarm=None, alarm_us=None)
        return state

    state = node.writer.write(finish)
    more = state is ReplicationState.BEHIND or directives_here(node).size < welcome.directives.size
    return Exchanged(ran=True, state=state, sent=sent, received=received, applied=applied, more=more)


def _greet(way: Way) -> Welcome:
    node = way.node
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    assert position is not None, "a plant's ledger is opened before it is replicated"
    frontier, directives = position[1], directives_here(node)
    now = node.clock.now()

    def known(session: Session) -> tuple[str | None, str | None, bytes | None, Stand | None, list[str]]:
        way.held.renew(session, now)
        own = replication.standing(session, node.number)
        cosigned = replication.standing(session, -node.number).checkpoint
        return own.session, own.epoch, cosigned, *seen_of_hub(session)

    session_id, epoch, cosigned, hub_ledger, hub_notes = node.writer.write(known)
    welcome = way.door.hello(
        Hello(
            protocol=PROTOCOL,
            ledger=Stand.of(node.origin, Position(frontier.size, frontier.root())),
            supported=EVENTS,
            version=node.version,
            clock=format_instant(now),
            session=session_id,
            epoch=epoch,
            directives=Stand.of(node.directive_origin, directives),
            cosignatures=hub_notes if cosigned is None else [cosigned.decode(), *hub_notes],
            hub_ledger=hub_ledger,
        )
    )
    if welcome.min_protocol > PROTOCOL:
        raise Problem(426, "PROTOCOL_TOO_OLD", min_protocol=welcome.min_protocol)
    if welcome.ledger.origin != node.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    skew_ms = (micros(parse_instant(welcome.clock)) - micros(node.clock.now())) // 1000

    def remember(session: Session) -> None:
        way.held.renew(session, node.clock.now())
        heard = {"session": welcome.session, "epoch": welcome.epoch, "version": welcome.version}
        replication.amend(session, node.number, peer_size=welcome.ledger.size, skew_ms=skew_ms, **heard)

    node.writer.write(remember)
    check_hub(way, welcome)
    return welcome


def _meet(way: Way, welcome: Welcome) -> tuple[Decision, Frontier]:
    """Return the decision, and where the hub's head is a prefix of ours the frontier at it."""
    node = way.node
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
        kept = reads.rows(
            "SELECT acknowledged, frontier FROM replication WHERE log_id = :log_id", {"log_id": node.number}
        )
        assert position is not None
        head = position[1]
        acknowledged = Frontier.from_bytes(kept[0][0], bytes(kept[0][1])) if kept else Frontier()
        at: dict[int, Frontier] = {head.size: head}

        def root_at(size: int) -> bytes:
            at[size] = mirrors.frontier_at(reads, node.number, size, acknowledged)
            return at[size].root()

        def prove(old: int, new: int) -> Sequence[bytes]:
            return way.door.consistency(node.origin, old, new)

        hub = welcome.ledger.position
        meeting = Meeting(
            mine=Position(head.size, head.root()),
            hub=hub,
            receipt_size=acknowledged.size,
            superseded=welcome.superseded,
            root_at=root_at,
            prove=prove,
        )
        return decide(meeting), at.get(hub.size, Frontier())


def _write_alarm(way: Way, welcome: Welcome, decision: Decision) -> ReplicationState:
    node, state = way.node, ReplicationState(decision.value)

    def write(session: Session) -> None:
        now = node.clock.now()
        way.held.renew(session, now)
        own = replication.standing(session, node.number)
        position = mirrors.position_of(session, node.number)
        assert position is not None
        numbers = {"hub": welcome.ledger.size, "mine": position[1].size, "receipt": own.acknowledged}
        alarm = ALARMS[decision].format(**numbers)
        attempts.failed(session, node.number, state, decision, now=now, alarm=alarm)

    node.writer.write(write)
    return state


def _give_up(node: PlantNode, held: Held, error: Exception) -> ReplicationState:
    """Write down why the exchange ended; all but a hub that cannot be reached or is busy is an alarm as well."""
    state, alarm, retry_seconds = ReplicationState.UNREACHABLE, None, None
    if isinstance(error, Problem):
        retry_seconds = error.retry_seconds
        if error.status not in LATER:
            state = ReplicationState.REFUSED
            alarm = f"The hub refused: {error.status} {error.code}. / 总部拒绝：{error.status} {error.code}。"
            alarm += _skew_noted(node, error)
    elif not isinstance(error, HubUnreachable):
        state = ReplicationState.REFUSED
        alarm = f"{type(error).__name__}: {error}"

    def write(session: Session) -> None:
        now = node.clock.now()
        held.renew(session, now)
        attempts.failed(session, node.number, state, str(error), now=now, alarm=alarm, retry_seconds=retry_seconds)

    try:
        node.writer.write(write)
    except LeaseLost:
        LOG.warning("plant %s: another process has taken the exchange over", node.number)
    return state


def _skew_noted(node: PlantNode, error: Problem) -> str:
    """Return that the clocks differ, where that may be why the hub did not recognise us; else nothing."""
    try:
        theirs = parse_instant(str(error.content.get("clock")))
        seconds = (micros(theirs) - micros(node.clock.now())) // 1_000_000
    except (ValueError, TypeError):
        return ""
    if error.status != NOT_RECOGNISED or abs(seconds) < SKEW_SECONDS_NOTED:
        return ""
    return (
        f" The hub's clock is {seconds} s ahead of ours: set the clock. / 总部时钟比本机快 {seconds} 秒，请校准时钟。"
    )
