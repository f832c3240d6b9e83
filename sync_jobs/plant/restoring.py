"""Restores a plant's ledger from the hub: staged in parcels, verified as a whole, then appended in slices.

The staged entries must lead to the root that the hub announced. A checkpoint that the plant signed or the hub cosigned
must cover that root. An interrupted restore continues from the staged entries.
"""

from collections.abc import Mapping
from typing import Final

from auth.notes import open_note
from infra.database import Session
from infra.messages import Failure, message
from plants.commands.replication.restores import adopt_next, record_restored
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import Checkpoint, NoteError
from plants.store.ledger import mirrors, staging
from plants.store.ledger.entries import Head
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from plants.store.replication import status
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import ENTRIES_MAX, Position, Welcome, read_entries

RESTORED: Final = message(
    "PLANT_BROUGHT_BACK",
    "This plant had {before} entries and the hub {known} of them: it was restored from an old backup. The {back} "
    "missing ones were brought back.",
)
ENTRIES_MISSING: Final = message(
    "REPAIR_ENTRIES_MISSING",
    "The hub sent no entries from position {position} on, so the repair stopped. It is retried. If it fails again, ask "
    "headquarters.",
)
OTHER_ROOT: Final = message(
    "REPAIR_OTHER_ROOT",
    "The {size} entries from the hub do not have the root that it announced. None was stored. Run `batchloom verify` "
    "at the hub.",
)
NO_CHECKPOINT: Final = message(
    "REPAIR_NO_CHECKPOINT",
    "The hub showed no signed checkpoint of this plant's ledger, so none of its entries was stored. Ask headquarters.",
)
CHECKPOINT_INVALID: Final = message(
    "REPAIR_CHECKPOINT_INVALID",
    "The hub's checkpoint of this plant's ledger is invalid ({fault}). None of its entries was stored. Ask "
    "headquarters.",
)
CHECKPOINT_OF_OTHERS: Final = message(
    "REPAIR_CHECKPOINT_OF_OTHERS",
    "The hub's checkpoint covers {size} entries of {origin}, or has another root than it announced. None of its "
    "entries was stored. Ask headquarters.",
)
LEDGER_MOVED: Final = message(
    "REPAIR_LEDGER_MOVED",
    "The ledger or the staged entries changed at position {position} during the repair. It is retried.",
)


class RepairRefused(Failure):
    """The hub's entries cannot be this plant's ledger; none of them was stored."""


def restore(context: ExchangeContext, welcome: Welcome) -> bool:
    """Restore the missing entries and record PlantRestored; returns False on timeout.

    Ends early when users wrote here meanwhile: the next handshake then finds the divergence. The handshake has proved
    that the hub's ledger continues ours (`sync_jobs.protocol.handshake`). Raises RepairRefused, or as the hub answered.
    """
    node = context.node
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    assert position is not None
    here, theirs = position[1], welcome.ledger.position
    check_covered(context, welcome)
    if not stage(context, node.origin, here, theirs.size):
        return False
    head = prove(context, here, theirs)
    size = here.size

    def move(session: Session) -> int | None:
        return _move(context, session, (size, here.size), head, welcome.checkpoint)

    while size < head.size:
        if not context.has_time():
            return False
        moved = context.write(move)
        if moved is None:
            return True
        size = moved
        context.progress(size, head.size)
    return True


def stage(context: ExchangeContext, origin: str, frontier: Frontier, size: int) -> bool:
    """Fetch the hub's entries after a frontier up to a size into the staging table; returns False on timeout.

    Continues after the entries that are staged without a gap. Raises Problem for invalid envelopes.
    """
    node, log_id = context.node, context.node.number
    staged = node.writer.write(lambda session: staging.staged_up_to(session, log_id, frontier.size))
    while staged < size:
        if not context.has_time():
            return False
        parcel = context.client.entries(origin, staged, min(size, staged + ENTRIES_MAX))
        entries = read_entries(parcel.bodies, staged, node.number)
        if not entries:
            raise RepairRefused(ENTRIES_MISSING, position=staged)

        def keep(session: Session) -> None:
            staging.stage(session, log_id, entries)  # noqa: B023 -- runs before the next round.

        context.write(keep)
        staged += len(entries)
        context.progress(staged, size)
    return True


def prove(context: ExchangeContext, frontier: Frontier, theirs: Position) -> Frontier:
    """Return the frontier after the staged entries; for another root, delete them and raise RepairRefused."""
    node = context.node

    def follow(session: Session) -> Frontier | None:
        head = staging.staged_frontier(session, node.number, frontier, theirs.size)
        if head.root() == theirs.root:
            return head
        staging.clear_staged(session, node.number)
        return None

    head = context.write(follow)
    if head is None:
        raise RepairRefused(OTHER_ROOT, size=theirs.size)
    return head


def check_covered(context: ExchangeContext, welcome: Welcome) -> None:
    """Raise RepairRefused unless a checkpoint covers the hub's position, signed by this plant or cosigned by the hub.

    On new hardware the plant has another key, so only the hub's cosignature can be verified.
    """
    node, theirs = context.node, welcome.ledger.position
    if welcome.checkpoint is None:
        raise RepairRefused(NO_CHECKPOINT)
    with node.store.reading() as reads:
        keys = (*checkpoints.keys_of(node.signer.key), *hub_keys.ever_at(reads, node))
    try:
        text, _ = open_note(welcome.checkpoint.encode(), map(str, keys))
        checkpoint = Checkpoint.parse(text)
    except NoteError as error:
        raise RepairRefused(CHECKPOINT_INVALID, fault=error.fault) from error
    if (checkpoint.origin, checkpoint.size, checkpoint.root) != (node.origin, theirs.size, theirs.root):
        raise RepairRefused(CHECKPOINT_OF_OTHERS, size=checkpoint.size, origin=checkpoint.origin)


def reserved_series(context: ExchangeContext) -> Mapping[str, int]:
    """Return the reserved numbers of the plant's high-water marks; none where it keeps no marks."""
    keeper = context.node.store.keeper
    return {} if keeper is None else keeper.reserved


def _move(
    context: ExchangeContext, session: Session, sizes: tuple[int, int], head: Frontier, note: str | None
) -> int | None:
    (at, began), node, now = sizes, context.node, context.node.clock.now()
    if Head(session, node.number).size != at:
        return None  # the staged entries were verified to follow the ledger as it was before a user wrote.
    size = adopt_next(session, node.number, head)
    if size <= at:
        raise RepairRefused(LEDGER_MOVED, position=at)
    if size >= head.size:
        record_restored(
            session, node.number, "HUB", before=began, known=head.size, now=now, marks=reserved_series(context)
        )
        text = RESTORED(before=began, known=head.size, back=head.size - began)
        raise_alarm(session, Alarm(AlarmKind.PLANT_RESTORED, node.origin, text), now)
        record_acknowledged(session, node, head, note)
    return size


def record_acknowledged(session: Session, node: PlantNode, head: Frontier, note: str | None) -> None:
    """Store that the hub holds the ledger up to a frontier, under the checkpoint that it showed."""
    assert note is not None, "entries of the hub are only stored under a checkpoint"
    now = node.clock.now()
    status.keep_checkpoint(session, node.number, head.size, note.encode(), signed_at=None, received_at=now)
    newest = {"checkpoint_size": head.size, "checkpoint": note.encode(), "received_at": now}
    status.amend(session, node.number, acknowledged=head.size, frontier=head.to_bytes(), **newest)
