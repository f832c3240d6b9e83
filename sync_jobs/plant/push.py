"""A plant sends its ledger in parcels from the hub's position on, and keeps a receipt for each.

Nothing is signed before the handshake has proved that the hub's head is a prefix of ours
(`sync_jobs.protocol.handshake`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.database import Session
from infra.messages import Failure, message
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.notes import NoteError
from plants.rules.replication.pace import BUSY_ENTRIES_MIN, next_batch, paced
from plants.rules.values.instants import from_micros
from plants.store.ledger import mirrors
from plants.store.ledger.entry_search import recorded_us
from plants.store.replication import status
from plants.store.replication.status import ReplicationState, ReplicationStatus
from sync_jobs import backoff
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.hub_client import HubTimedOut
from sync_jobs.protocol.wire import Limits, Parcel, Position, Problem, Receipt, Welcome

REQUEST_TIMEOUT: Final = 408
TOO_MUCH: Final = frozenset({REQUEST_TIMEOUT, 413})  # 413 is too large, in HTTP
BUSY: Final = frozenset({429, 503})

ENTRY_DAMAGED: Final = message(
    "STORED_ENTRY_DAMAGED",
    "The stored entry {index} does not match its hash, so nothing was signed or sent. Run `batchloom verify`, and "
    "restore the last good backup.",
)
HEAD_DAMAGED: Final = message(
    "STORED_HEAD_DAMAGED",
    "The stored head does not match its {size} entries, so nothing was signed or sent. Run `batchloom verify`, and "
    "restore the last good backup.",
)
RECEIPT_INVALID: Final = message(
    "RECEIPT_INVALID", "The hub's receipt is invalid ({fault}), so it was not stored. Ask headquarters."
)
RECEIPT_NOT_COSIGNED: Final = message(
    "RECEIPT_NOT_COSIGNED",
    "The known key of the hub has not signed the hub's receipt, so it was not stored. Compare hub_key with the key at "
    "headquarters.",
)
RECEIPT_OF_OTHERS: Final = message(
    "RECEIPT_OF_OTHERS",
    "The hub's receipt does not cover the {size} entries sent. It covers {covered} entries, or has another root. It "
    "was not stored. Ask headquarters.",
)


class LedgerDamaged(Failure):
    """Stored entries do not match their hashes: nothing is signed. The message names the position."""


class ReceiptInvalid(Failure):
    """The hub's receipt is invalid."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A successful request: its number of entries, when it began, and the hub's limit on entries."""

    entries: int
    began: datetime
    limit: int


def push(context: ExchangeContext, welcome: Welcome, frontier: Frontier) -> int:
    """Send the entries that the hub lacks, from the frontier at its size on; returns how many were accepted.

    Sends a checkpoint alone when the last receipt is old or does not cover the ledger. Raises as the hub answered.
    """
    sent = 0
    while True:
        began = context.node.clock.now()
        parcel, following, size = _next_parcel(context.node, frontier, welcome.limits)
        if not parcel and not (sent == 0 and _checkpoint_is_due(context.node, following)):
            return sent
        receipt = _send(context, welcome, parcel, frontier.size, following)
        went = Sent(len(parcel), began, welcome.limits.max_entries)
        take_receipt(context, receipt.checkpoint.encode(), following, went)
        sent += len(parcel)
        frontier = following
        if following.size >= size or not context.has_time():
            return sent


def take_receipt(context: ExchangeContext, note: bytes, frontier: Frontier, sent: Sent | None = None) -> None:
    """Keep a note as the receipt for the ledger at this frontier; raises ReceiptInvalid for an invalid one.

    The size and duration of the request (`sent`) determine the size of the next one.
    """
    node, now = context.node, context.node.clock.now()
    keys = (*checkpoints.keys_of(node.signer.key), *checkpoints.keys_of(hub_keys.newest_at(node)))
    try:
        signed = checkpoints.read(note, node.origin, keys)
    except NoteError as error:
        raise ReceiptInvalid(RECEIPT_INVALID, fault=error.fault) from error
    covered = Position(signed.checkpoint.size, signed.checkpoint.root)
    if covered != Position(frontier.size, frontier.root()):
        raise ReceiptInvalid(RECEIPT_OF_OTHERS, covered=covered.size, size=frontier.size)
    if signed.cosigned_by(node.hub_key.name) is None:
        raise ReceiptInvalid(RECEIPT_NOT_COSIGNED)
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
    behind = position is not None and position[1].size > frontier.size

    def keep(session: Session) -> None:
        moved = {} if sent is None else _pace_columns(status.ledger_status(session, node.number), sent, now)
        signed_at = checkpoints.signed_at(signed)
        status.keep_checkpoint(session, node.number, frontier.size, note, signed_at=signed_at, received_at=now)
        status.amend(
            session,
            node.number,
            state=ReplicationState.BEHIND if behind else ReplicationState.IN_SYNC,
            **status.NO_ALARM,
            acknowledged=frontier.size,
            frontier=frontier.to_bytes(),
            peer_size=frontier.size,
            **moved,
        )
        backoff.succeeded(session, node.number, now=now)

    context.write(keep)


def _next_parcel(node: PlantNode, frontier: Frontier, limits: Limits) -> tuple[list[bytes], Frontier, int]:
    """Return the bodies after a frontier, the frontier after them, and the size of the ledger."""
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, node.number)
        assert position is not None
        head = position[1]
        limit = limits.max_entries
        batch_entries = status.known(reads, node.number).batch_entries
        if batch_entries:
            limit = min(limit, batch_entries)
        high = min(head.size, frontier.size + limit)
        rows = mirrors.rows_within(reads, node.number, frontier.size, high, limits.max_bytes)
    for offset, (body, leaf) in enumerate(rows):
        if leaf_hash(body) != leaf:
            raise LedgerDamaged(ENTRY_DAMAGED, index=frontier.size + offset)
    following = frontier.extend(leaf for _, leaf in rows)
    if following.size == head.size and following != head:
        raise LedgerDamaged(HEAD_DAMAGED, size=head.size)
    return [body for body, _ in rows], following, head.size


def _checkpoint_is_due(node: PlantNode, frontier: Frontier) -> bool:
    with node.store.reading() as reads:
        before = status.known(reads, node.number)
    if before.received_at is None or before.acknowledged < frontier.size:
        return True
    return node.clock.now() - before.received_at >= timedelta(seconds=node.checkpoint_seconds)


def _send(context: ExchangeContext, welcome: Welcome, parcel: list[bytes], start: int, following: Frontier) -> Receipt:
    node = context.node
    position = Position(following.size, following.root())
    note = checkpoints.sign(node.origin, position, node.signer, _complete_until(node, following.size))
    try:
        return context.client.send(node.origin, start, welcome.session, Parcel(tuple(parcel), bytes(note)))
    except (HubTimedOut, Problem) as error:
        answer = error.status if isinstance(error, Problem) else REQUEST_TIMEOUT
        if answer in TOO_MUCH:
            _send_less(context, max(len(parcel) // 2, 1))
        elif answer in BUSY and len(parcel) > BUSY_ENTRIES_MIN:
            _send_less(context, max(len(parcel) // 2, BUSY_ENTRIES_MIN))
        raise


def _complete_until(node: PlantNode, size: int) -> datetime:
    """Return until when the ledger had this size: now, or just before the next entry was recorded."""
    now = node.clock.now()
    with node.store.reading() as reads:
        following_us = recorded_us(reads, node.number, size)
    return now if following_us is None else min(now, from_micros(following_us - 1))


def _pace_columns(before: ReplicationStatus, sent: Sent, now: datetime) -> dict[str, int | None]:
    """Return the status columns that a successful request changes."""
    took = now - sent.began
    following = next_batch(before.batch_entries, sent.limit, sent.entries, took)
    return {
        "batch_entries": 0 if following >= sent.limit else following,
        "pace": paced(before.pace, sent.entries, took),
    }


def _send_less(context: ExchangeContext, entries: int) -> None:
    def amend(session: Session) -> None:
        status.amend(session, context.node.number, batch_entries=entries)

    context.node.writer.write(amend)
