"""Ledgers copied from the node that writes them: entries that arrive with a proven root, stored as they came.

A mirror keeps the very bytes. A request id is a promise of the writing node alone: here it can only be searched for.
Nothing is applied to the tables here, and `projected` is left where it is.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from infra.database import ReadSession, Session
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import HASH_BYTES, READ_LEAVES, Frontier
from plants.rules.values.instants import instant_micros
from plants.store.ledger.entries import ENTRY_COLUMNS, INSERT_ENTRY, REQUEST_LENGTH_MAX, Head, entry_row

COPY_ENTRIES = f"COPY entries ({', '.join(ENTRY_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ("int4", "int8", "bytea", "bytea", "text", "text", "text", "text", "int8", "int8", "text")
MOVE_HEAD = "UPDATE logs SET size = :size, frontier = :frontier, hlc = :hlc WHERE log_id = :log_id"
SELECT_BODIES_SINCE = "SELECT idx, body, leaf FROM entries WHERE log_id = :log_id AND idx >= :low ORDER BY idx"
SELECT_LEAVES = "SELECT leaf FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high ORDER BY idx"
SELECT_ROWS = SELECT_LEAVES.replace("SELECT leaf", "SELECT body, leaf")
SELECT_LENGTHS = SELECT_LEAVES.replace("SELECT leaf", "SELECT length(body)")
SELECT_POSITION = "SELECT origin, size, frontier FROM logs WHERE log_id = :log_id"

Reads = Session | ReadSession


def extend(session: Session, head: Head, entries: Sequence[Entry], frontier: Frontier) -> None:
    """Store entries behind a mirror's head, which is locked, and move the head to the frontier proven for them."""
    if session.dialect == "postgresql":
        _copy(session, head.log_id, entries)
    else:
        session.run_many(INSERT_ENTRY, [mirrored_row(head.log_id, entry) for entry in entries])
    stamp = max((entry.envelope["hlc"] for entry in entries), default=None)
    if stamp is not None:
        values = {"log_id": head.log_id, "size": frontier.size, "frontier": frontier.to_bytes(), "hlc": stamp}
        session.run(MOVE_HEAD, values)


def position_of(reads: Reads, log_id: int) -> tuple[str, Frontier] | None:
    """Return the origin and the frontier of a ledger as committed, without a lock, or None where it was not opened."""
    rows = reads.rows(SELECT_POSITION, {"log_id": log_id})
    if not rows:
        return None
    origin, size, frontier = rows[0]
    return str(origin), Frontier.from_bytes(size, frontier)


def leaves_between(reads: Reads, log_id: int, low: int, high: int) -> list[bytes]:
    """Return the stored leaf hashes at positions low to high - 1."""
    return [bytes(leaf) for (leaf,) in reads.rows(SELECT_LEAVES, {"log_id": log_id, "low": low, "high": high})]


def bodies_since(reads: Reads, log_id: int, low: int) -> list[tuple[int, bytes, bytes]]:
    """Return index, body and leaf hash of the stored entries from an index on, in order. A pruned body is empty."""
    rows = reads.rows(SELECT_BODIES_SINCE, {"log_id": log_id, "low": low})
    return [(index, bytes(body), bytes(leaf)) for index, body, leaf in rows]


def leaf_reader(reads: Reads, log_id: int) -> Callable[[int, int], Iterable[bytes]]:
    """Return what reads the leaf hashes of a ledger for `plants.rules.ledger.merkle`."""
    return lambda low, high: leaves_between(reads, log_id, low, high)


def frontier_at(reads: Reads, log_id: int, size: int, known: Frontier | None = None) -> Frontier:
    """Return the frontier that a ledger had at a size, from a known one not beyond it or from the beginning.

    Reads one leaf hash for each entry between the two. Raises LookupError when the ledger is shorter.
    """
    frontier = known if known is not None and known.size <= size else Frontier()
    while frontier.size < size:
        high = min(frontier.size + READ_LEAVES, size)
        leaves = leaves_between(reads, log_id, frontier.size, high)
        if len(leaves) != high - frontier.size or any(len(leaf) != HASH_BYTES for leaf in leaves):
            message = f"ledger {log_id} has a gap between {frontier.size} and {high}"
            raise LookupError(message)
        frontier = frontier.extend(leaves)
    return frontier


def roots_at(reads: Reads, log_id: int, sizes: Iterable[int], known: Frontier | None = None) -> tuple[bytes, ...]:
    """Return the roots that a ledger had at sizes in rising order: one pass over the leaves, from `known` if given."""
    frontier, roots = known or Frontier(), []
    for size in sizes:
        frontier = frontier_at(reads, log_id, size, frontier)
        roots.append(frontier.root())
    return tuple(roots)


def rows_within(reads: Reads, log_id: int, low: int, high: int, bytes_max: int) -> list[tuple[bytes, bytes]]:
    """Return bodies and leaf hashes of the entries from `low` to `high` - 1, or of as many as fit, one at least.

    `bytes_max` counts the bodies with a byte between them.
    """
    span = {"log_id": log_id, "low": low, "high": high}
    total, count = 0, 0
    for (length,) in reads.rows(SELECT_LENGTHS, span):
        total += length + 1
        if count and total > bytes_max:
            break
        count += 1
    rows = reads.rows(SELECT_ROWS, span | {"high": low + count})
    return [(bytes(body), bytes(leaf)) for body, leaf in rows]


def line_of(log_id: int, entry: Entry) -> tuple[Any, ...]:
    """Return the row of a mirrored entry in the order of ENTRY_COLUMNS."""
    envelope = entry.envelope
    return (
        log_id,
        envelope["index"],
        entry.body,
        entry.leaf,
        envelope["id"],
        envelope["type"],
        envelope["key"],
        envelope["actor"],
        instant_micros(envelope["occurred_at"]),
        instant_micros(envelope["recorded_at"]),
        _request(entry),
    )


def mirrored_row(log_id: int, entry: Entry) -> dict[str, Any]:
    """Return the row of a mirrored entry. Its request is empty if the column cannot hold it."""
    return entry_row(log_id, entry) | {"request": _request(entry)}


def _request(entry: Entry) -> str | None:
    """Return the request id. It is no part of what a node checks at receipt, and a wrong one harms only its search."""
    request: object = entry.envelope.get("request")
    given = isinstance(request, str) and 0 < len(request) <= REQUEST_LENGTH_MAX and request.isprintable()
    return str(request) if given else None


def _copy(session: Session, log_id: int, entries: Iterable[Entry]) -> None:
    with session.driver.cursor() as cursor, cursor.copy(COPY_ENTRIES) as copy:
        copy.set_types(COPY_TYPES)
        write_row = copy.write_row
        for entry in entries:
            write_row(line_of(log_id, entry))
