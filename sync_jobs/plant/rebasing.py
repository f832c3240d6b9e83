"""Repairs a diverged plant: finds the fork, adopts the hub's entries, and appends its own again."""

from collections.abc import Callable, Sequence
from typing import Final

from infra.database import ReadSession, Session
from infra.messages import message
from plants.commands.replication.rebasing import Rebased, Suffix, rebase
from plants.rules.ledger.merkle import Frontier
from plants.store.ledger import mirrors
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from plants.store.replication import status
from plants.store.replication.disputes import open_disputes
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.plant.pruning import check_bodies_kept, restore_bodies
from sync_jobs.plant.restoring import check_covered, prove, record_acknowledged, stage
from sync_jobs.protocol.wire import ROOTS_MAX, Position, Welcome

DIVERGED: Final = message(
    "LEDGER_REBASED",
    "From entry {fork} on, the hub had another ledger of this plant. Its {adopted} entries were adopted, {again} of "
    "this plant's were appended again, and {disputed} that conflict wait on the worklist.",
)
DISPUTED: Final = message(
    "ENTRIES_DISPUTED",
    "{disputed} entries conflict with others and were not applied. Look at the worklist, record what is right, and "
    "settle each.",
)

RootsAt = Callable[[Sequence[int]], Sequence[bytes]]


def find_fork(ours: RootsAt, theirs: RootsAt, high: int, likely: int) -> int:
    """Return the largest size at which both ledgers have the same root; at `high` they differ.

    Each round compares up to ROOTS_MAX roots, so that a million entries take four rounds. The search starts at
    `likely`.
    """
    low, first = 0, [likely] if 0 < likely < high else []
    while high - low > 1 or first:
        sizes = first or _spread(low, high)
        first = []
        for size, mine, other in zip(sizes, ours(sizes), theirs(sizes), strict=True):
            if mine == other:
                low = size
            else:
                high = size
                break
    return low


def repair_divergence(context: ExchangeContext, welcome: Welcome) -> bool:
    """Adopt the hub's entries from the fork on and append our own again; returns False on timeout.

    Pruned bodies are restored first; raises BodiesPruned where the fork is among them. Raises RepairRefused where the
    hub's entries cannot be this plant's, NotTheLedger, or as the hub answered.
    """
    node, theirs = context.node, welcome.ledger.position
    check_covered(context, welcome)
    with node.store.reading() as reads:
        fork = _fork(context, reads, node.number, theirs)
    check_bodies_kept(context, fork.size)
    # The rebase rebuilds the tables, which needs every body; the hub has those below the fork.
    if not restore_bodies(context):
        return False
    if not stage(context, node.origin, fork, theirs.size):
        return False
    head = prove(context, fork, theirs)
    context.write(
        lambda session: _rebase(context, session, Suffix(fork, head, node.directive_origin), welcome.checkpoint)
    )
    return True


def fork_of_directives(context: ExchangeContext, theirs: Position) -> Frontier:
    """Return the frontier up to which the hub's directives and our copy agree."""
    with context.node.store.reading() as reads:
        return _fork(context, reads, -context.node.number, theirs)


def _fork(context: ExchangeContext, reads: ReadSession, log_id: int, theirs: Position) -> Frontier:
    position = mirrors.position_of(reads, log_id)
    assert position is not None
    origin, head = position
    known = Frontier()

    def ours(sizes: Sequence[int]) -> Sequence[bytes]:
        return mirrors.roots_at(reads, log_id, sizes)

    def hubs(sizes: Sequence[int]) -> Sequence[bytes]:
        return context.client.roots(origin, sizes)

    shorter = min(head.size, theirs.size)
    if shorter and ours([shorter]) == tuple(hubs([shorter])):
        size = shorter
    else:
        size = find_fork(ours, hubs, shorter, min(status.known(reads, log_id).acknowledged, shorter))
    return mirrors.frontier_at(reads, log_id, size, known)


def _rebase(context: ExchangeContext, session: Session, suffix: Suffix, note: str | None) -> Rebased:
    node, now = context.node, context.node.clock.now()
    done = rebase(session, node.number, suffix, now=now)
    numbers = {"adopted": done.adopted, "again": done.again, "disputed": done.disputed}
    text = DIVERGED(fork=suffix.fork.size, **numbers)
    raise_alarm(session, Alarm(AlarmKind.LEDGER_DIVERGED, node.origin, text), now)
    if waiting := open_disputes(session, node.number):
        text = DISPUTED(disputed=waiting)
        raise_alarm(session, Alarm(AlarmKind.ENTRY_DISPUTED, node.origin, text), now)
    record_acknowledged(session, node, suffix.head, note)
    return done


def _spread(low: int, high: int) -> list[int]:
    """Return up to ROOTS_MAX sizes strictly between two, evenly spread."""
    between = high - low - 1
    count = min(ROOTS_MAX, between)
    return [low + 1 + at * between // count for at in range(count)]
