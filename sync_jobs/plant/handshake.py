"""The plant's half of the handshake: it sends its position and decides from the hub's answer."""

from collections.abc import Sequence

from infra.database import Session
from infra.ids import new_id
from plants.rules.ledger.merkle import Frontier
from plants.rules.values.instants import format_instant, micros, parse_instant
from plants.store.ledger import mirrors
from plants.store.projection.registry import SUPPORTED
from plants.store.replication import status
from plants.store.replication.status import ReplicationStatus
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.plant.pull import directives_here
from sync_jobs.plant.witnessing import check_hub_checkpoint, cosigned_hub_position
from sync_jobs.protocol.handshake import Decision, HandshakeState, decide
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import PROTOCOL, Hello, LedgerPosition, Position, Problem, Welcome


def connect(context: ExchangeContext) -> Welcome:
    """Send a Hello and store the hub's answer; raises Problem, HubUnreachable or LeaseLost.

    Sends a second Hello where the hub does not know the session. A new session is used only after it is stored under
    our lease. This prevents a duplicated or late Hello from displacing the active copy.
    """
    welcome = _say_hello(context)
    return _say_hello(context) if welcome.offered else welcome


def _say_hello(context: ExchangeContext) -> Welcome:
    node = context.node
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    assert position is not None, "a plant's ledger is opened before it is replicated"
    frontier, directives, greeting = position[1], directives_here(node), new_id()
    now = node.clock.now()

    def known(session: Session) -> tuple[ReplicationStatus, bytes | None, LedgerPosition | None, list[str]]:
        own = status.ledger_status(session, node.number)
        return own, status.ledger_status(session, -node.number).checkpoint, *cosigned_hub_position(session)

    own, cosigned, hub_ledger, hub_notes = context.write(known)
    welcome = context.client.hello(
        Hello(
            protocol=PROTOCOL,
            ledger=LedgerPosition.of(node.origin, Position(frontier.size, frontier.root())),
            supported=SUPPORTED,
            version=node.version,
            clock=format_instant(now),
            session=own.session,
            epoch=own.epoch,
            directives=LedgerPosition.of(node.directive_origin, directives),
            cosignatures=hub_notes if cosigned is None else [cosigned.decode(), *hub_notes],
            acknowledged=own.acknowledged,
            take_over=own.take_over,
            hub_ledger=hub_ledger,
            greeting=greeting,
        )
    )
    if welcome.greeting not in {None, greeting}:
        raise HubUnreachable("an intermediary repeated the hub's answer to an earlier Hello")
    if welcome.min_protocol > PROTOCOL:
        raise Problem(426, "PROTOCOL_TOO_OLD", min_protocol=welcome.min_protocol)
    if welcome.ledger.origin != node.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    skew_ms = (micros(parse_instant(welcome.clock)) - micros(node.clock.now())) // 1000

    def remember(session: Session) -> None:
        columns: dict[str, object] = {"epoch": welcome.epoch, "version": welcome.version}
        if welcome.archived is not None:
            columns["archived"] = welcome.archived
        if not welcome.superseded:
            columns |= {"session": welcome.session}
            columns |= {} if welcome.offered else {"take_over": 0}
        status.amend(session, node.number, peer_size=welcome.ledger.size, skew_ms=skew_ms, **columns)

    context.write(remember)
    check_hub_checkpoint(context, welcome)
    return welcome


def evaluate(context: ExchangeContext, welcome: Welcome) -> tuple[Decision, Frontier]:
    """Return the decision, and where the hub's head is a prefix of ours the frontier at it."""
    node = context.node
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
        acknowledged = status.known(reads, node.number).frontier
        assert position is not None
        head = position[1]
        at: dict[int, Frontier] = {head.size: head}

        def root_at(size: int) -> bytes:
            at[size] = mirrors.frontier_at(reads, node.number, size, acknowledged)
            return at[size].root()

        def prove(old: int, new: int) -> Sequence[bytes]:
            return context.client.consistency(node.origin, old, new)

        hub = welcome.ledger.position
        meeting = HandshakeState(
            mine=Position(head.size, head.root()),
            hub=hub,
            receipt_size=acknowledged.size,
            superseded=welcome.superseded,
            root_at=root_at,
            prove=prove,
        )
        return decide(meeting), at.get(hub.size, Frontier())
