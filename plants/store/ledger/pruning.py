"""Selects the entries of a plant's ledger that may lose their bodies, empties them, and restores bodies.

The leaf hashes, and the columns that are searched, stay: the ledger is still proven and listed. `logs.pruned` is the
first position from which on every body is there; it moves before bodies are emptied and after they are back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.database import ReadSession, Session
from infra.messages import Failure, message
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.values.instants import micros

Reads = Session | ReadSession

KEEP_DAYS_MIN: Final = 31
"""Days for which bodies are kept whatever the settings say: requests are repeated, and labels printed again."""

SELECT_LOG = "SELECT size, projected, pruned, fenced FROM logs WHERE log_id = :log_id"
SELECT_HEARD = "SELECT archived, acknowledged, peer_size, skew_ms, state FROM replication WHERE log_id = :log_id"
# The clock may have been put back since, so that it is the first young one that counts, not the last old one.
SELECT_FIRST_YOUNG = (
    "SELECT idx FROM entries WHERE log_id = :log_id AND idx >= :low AND recorded_us > :us ORDER BY idx LIMIT 1"
)
SELECT_FIRST_ASKED = (
    "SELECT MIN(change_id) FROM change_requests WHERE plant_id = :log_id AND state IN ('REQUESTED', 'APPROVED')"
)
SELECT_FIRST_DISPUTED = "SELECT MIN(entry_idx) FROM disputes WHERE plant_id = :log_id AND state = 'OPEN'"
# The same answer is looked at again by a program that understands what was directed.
SELECT_FIRST_NOT_UNDERSTOOD = (
    "SELECT MIN(entry_idx) FROM directive_outcomes WHERE plant_id = :log_id AND applied = 0 AND refusal = 'UNSUPPORTED'"
)
SELECT_FREED = (
    "SELECT COUNT(*), COALESCE(SUM(length(body)), 0) FROM entries"
    " WHERE log_id = :log_id AND idx < :high AND length(body) > 0"
)
SELECT_FULL = (
    "SELECT idx, body, leaf FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high AND length(body) > 0"
    " AND recorded_us <= :us ORDER BY idx LIMIT :most"
)
SELECT_EMPTY = "SELECT COUNT(*) FROM entries WHERE log_id = :log_id AND idx >= :low AND length(body) = 0"
MARK = "UPDATE logs SET pruned = :pruned WHERE log_id = :log_id"
EMPTY = (
    "UPDATE entries SET body = :nothing"
    " WHERE log_id = :log_id AND idx >= :low AND idx <= :last AND idx < :high AND recorded_us <= :us"
)
FILL = "UPDATE entries SET body = :body WHERE log_id = :log_id AND idx = :idx AND leaf = :leaf AND length(body) = 0"


BODIES_ELSEWHERE: Final = message(
    "BODIES_ELSEWHERE",
    "The bodies of the entries of {origin} below {pruned} are at the hub and in the archive. "
    "Bring them back first: batchloom plant prune --fetch",
)
BODY_DAMAGED: Final = message(
    "STORED_BODY_DAMAGED",
    "The body of the stored entry {index} does not match its hash. It was kept as evidence. Run `batchloom verify`.",
)
FETCHED_BODY_WRONG: Final = message(
    "FETCHED_BODY_WRONG",
    "The body that the hub sent for entry {index} does not match the hash in this store. It was not stored. Run "
    "`batchloom verify` at the hub.",
)


class BodiesElsewhere(Failure):
    """The bodies of entries that this needs are not in this store; the message says how to get them back."""


class BodyDamaged(Failure):
    """The body of an entry, stored or fetched, does not match its leaf hash; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of pruning: each allows it below a position. Below `pruned` it is done.

    `state`, `fenced` and `peer_size` are the replication status. Entries recorded up to `old_us` are old enough, in
    microseconds since the epoch.
    """

    size: int
    pruned: int
    cosigned: int
    archived: int
    old: int
    old_us: int
    unreferenced: int
    projected: int
    peer_size: int
    state: str
    fenced: bool

    @property
    def safe(self) -> int:
        """The safe mark: below it every condition holds."""
        return min(self.cosigned, self.archived, self.old, self.unreferenced, self.projected, self.peer_size)


def pruned_below(reads: Reads, log_id: int) -> int:
    """Return the position from which on every entry of a ledger has its body."""
    rows = reads.rows("SELECT pruned FROM logs WHERE log_id = :log_id", {"log_id": log_id})
    return int(rows[0][0]) if rows else 0


def check_bodies(reads: Reads) -> None:
    """Raise BodiesElsewhere unless every ledger in the store has all of its bodies."""
    for origin, pruned in reads.rows("SELECT origin, pruned FROM logs WHERE pruned > 0 ORDER BY log_id"):
        raise BodiesElsewhere(BODIES_ELSEWHERE, origin=origin, pruned=pruned)


def bounds(reads: Reads, plant: int, *, cosigned: int, keep_days: int, now: datetime) -> Bounds:
    """Return what limits pruning a plant's ledger; `cosigned` is a size under the hub's cosignature, checked before.

    Entries are kept for `keep_days` days, KEEP_DAYS_MIN at least, by this clock or the hub's, whichever is behind.
    """
    here = {"log_id": plant}
    ((size, projected, pruned, fenced),) = reads.rows(SELECT_LOG, here)
    heard = reads.rows(SELECT_HEARD, here)
    archived, acknowledged, peer_size, skew_ms, state = heard[0] if heard else (0, 0, 0, 0, "NEVER_MET")
    us = _kept_since_us(now, keep_days, skew_ms or 0)
    young = reads.rows(SELECT_FIRST_YOUNG, {**here, "low": pruned, "us": us})
    referring = (SELECT_FIRST_ASKED, SELECT_FIRST_DISPUTED, SELECT_FIRST_NOT_UNDERSTOOD)
    references = [reads.rows(sql, here)[0][0] for sql in referring]
    return Bounds(
        size=size,
        pruned=pruned,
        cosigned=min(cosigned, acknowledged),
        archived=archived or 0,
        old=young[0][0] if young else size,
        old_us=us,
        unreferenced=min((int(one) for one in references if one is not None), default=size),
        projected=projected,
        peer_size=peer_size or 0,
        state=state,
        fenced=bool(fenced),
    )


def _kept_since_us(now: datetime, keep_days: int, skew_ms: int) -> int:
    """Return the instant up to which entries are old enough, in microseconds since the epoch."""
    behind_ms = min(0, skew_ms)  # a clock that is ahead must not make entries old.
    return micros(now - timedelta(days=max(keep_days, KEEP_DAYS_MIN))) + behind_ms * 1000


def freed(reads: Reads, plant: int, below: int) -> tuple[int, int]:
    """Return how many bodies there are below a position, and their bytes."""
    ((count, size),) = reads.rows(SELECT_FREED, {"log_id": plant, "high": below})
    return int(count), int(size)


def mark(session: Session, plant: int, pruned: int) -> None:
    """Write down from which position on every body is there."""
    session.run(MARK, {"log_id": plant, "pruned": pruned})


def empty(session: Session, plant: int, span: tuple[int, int], old_us: int, most: int) -> tuple[int, int, int]:
    """Empty the next bodies, up to `most`, in a span of positions; return how many, their bytes, and where to go on.

    Each is held against its leaf hash first: raises BodyDamaged for one that does not fit, because it is evidence.
    Only what was recorded up to `old_us` is emptied.
    """
    low, high = span
    rows = session.rows(SELECT_FULL, {"log_id": plant, "low": low, "high": high, "us": old_us, "most": most})
    if not rows:
        return 0, 0, high
    for index, body, leaf in rows:
        if leaf_hash(bytes(body)) != bytes(leaf):
            raise BodyDamaged(BODY_DAMAGED, index=index)
    last = int(rows[-1][0])
    values = {"log_id": plant, "low": rows[0][0], "last": last, "high": high, "us": old_us, "nothing": b""}
    session.run(EMPTY, values)
    return len(rows), sum(len(body) for _, body, _ in rows), last + 1


def fill(session: Session, plant: int, entries: Sequence[Entry]) -> int:
    """Put bodies back where they are gone; return how many. Raises BodyDamaged for one that has another leaf hash."""
    span = {"log_id": plant, "low": entries[0].index, "high": entries[-1].index + 1}
    leaves: Mapping[int, bytes] = {
        index: bytes(leaf)
        for index, leaf in session.rows(
            "SELECT idx, leaf FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high", span
        )
    }
    for entry in entries:
        if leaf_hash(entry.body) != leaves.get(entry.index):
            raise BodyDamaged(FETCHED_BODY_WRONG, index=entry.index)
    rows = [{"log_id": plant, "idx": one.index, "body": one.body, "leaf": one.leaf} for one in entries]
    return session.run_many(FILL, rows)


def missing_from(session: Session, plant: int, low: int) -> int:
    """Return how many bodies are gone from a position on."""
    row = session.row(SELECT_EMPTY, {"log_id": plant, "low": low})
    return 0 if row is None else int(row[0])
