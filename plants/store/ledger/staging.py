"""Entries outside the ledgers: those given back by the other side until they are proven, and those set aside for good.

Both belong to this node alone. Staged entries are deleted once they are in the ledger. Entries that a repair set aside
are kept with their bytes, because somebody may have signed or printed them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Integer
from sqlmodel import SQLModel

from infra.database import Session
from infra.roles import Keeping, table_options
from plants.rules.ledger.events import Entry, decode
from plants.rules.ledger.merkle import Frontier
from plants.rules.values.instants import micros
from plants.store.ledger.entries import INDEX_MAX
from plants.store.sql.columns import big, key, octets, octets_key, text

ENTRIES_AT_ONCE = 1_000  # that are held in memory together

STAGE = (
    "INSERT INTO staged_entries (log_id, idx, body, leaf) VALUES (:log_id, :idx, :body, :leaf)"
    " ON CONFLICT (log_id, idx) DO UPDATE SET body = excluded.body, leaf = excluded.leaf"
)
SELECT_STAGED_END = "SELECT MIN(idx), MAX(idx) + 1, COUNT(*) FROM staged_entries WHERE log_id = :log_id AND idx >= :low"
SELECT_STAGED = (
    "SELECT body, leaf FROM staged_entries WHERE log_id = :log_id AND idx >= :low AND idx < :high ORDER BY idx"
)
SELECT_STAGED_LEAVES = SELECT_STAGED.replace("body, leaf", "leaf")
CLEAR = "DELETE FROM staged_entries WHERE log_id = :log_id AND idx < :high"
SET_ASIDE = (
    "INSERT INTO set_aside_entries (log_id, idx, leaf, body, event_id, type, key, turn, set_aside_us)"
    " SELECT log_id, idx, leaf, body, event_id, type, key, :turn, :now_us FROM entries"
    " WHERE log_id = :log_id AND idx >= :low"
    " ON CONFLICT (log_id, idx, leaf) DO UPDATE SET turn = excluded.turn, set_aside_us = excluded.set_aside_us"
)
SELECT_TURN = "SELECT COALESCE(MAX(turn), 0) + 1 FROM set_aside_entries WHERE log_id = :log_id"
SELECT_SET_ASIDE = (
    "SELECT body, leaf FROM set_aside_entries WHERE log_id = :log_id AND turn = :turn"
    " AND idx >= :low AND idx < :high ORDER BY idx"
)


class StagedEntry(SQLModel, table=True):
    """An entry that the other side gave back and that is not proven to be ours yet."""

    __tablename__ = "staged_entries"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    idx: int = key()
    body: bytes = octets()
    leaf: bytes = octets()


class SetAsideEntry(SQLModel, table=True):
    """An entry that was in a ledger until the ledger adopted another suffix; never deleted."""

    __tablename__ = "set_aside_entries"
    __table_args__ = table_options(Keeping.LOCAL)

    log_id: int = key(Integer)
    idx: int = key()
    leaf: bytes = octets_key()
    body: bytes = octets()
    event_id: str = text()
    type: str = text()
    key: str = text()
    turn: int = big()  # which repair of the ledger it was, from 1
    set_aside_us: int = big()


def stage(session: Session, log_id: int, entries: Sequence[Entry]) -> None:
    """Keep entries that the other side gave back, in place of those staged at the same positions."""
    rows = [{"log_id": log_id, "idx": one.index, "body": one.body, "leaf": one.leaf} for one in entries]
    session.run_many(STAGE, rows)


def staged_up_to(session: Session, log_id: int, low: int) -> int:
    """Return the position behind the entries staged without a hole from `low` on; `low` where there are none."""
    row = session.row(SELECT_STAGED_END, {"log_id": log_id, "low": low})
    if row is None or row[0] != low or row[1] - row[0] != row[2]:
        return low
    return int(row[1])


def staged_frontier(session: Session, log_id: int, frontier: Frontier, high: int) -> Frontier:
    """Return the frontier behind the staged entries up to `high` - 1, from the one before them."""
    while frontier.size < high:
        span = {"log_id": log_id, "low": frontier.size, "high": min(high, frontier.size + ENTRIES_AT_ONCE)}
        leaves = [bytes(leaf) for (leaf,) in session.rows(SELECT_STAGED_LEAVES, span)]
        if len(leaves) != span["high"] - span["low"]:
            message = f"ledger {log_id} is not staged whole between {span['low']} and {span['high']}"
            raise LookupError(message)
        frontier = frontier.extend(leaves)
    return frontier


def staged_between(session: Session, log_id: int, low: int, high: int) -> list[Entry]:
    """Return the staged entries at positions low to high - 1, in order."""
    rows = session.rows(SELECT_STAGED, {"log_id": log_id, "low": low, "high": high})
    return [Entry(decode(body), bytes(body), bytes(leaf)) for body, leaf in rows]


def clear_staged(session: Session, log_id: int, high: int = INDEX_MAX) -> None:
    """Take the staged entries below `high` away."""
    session.run(CLEAR, {"log_id": log_id, "high": high})


def set_aside(session: Session, log_id: int, low: int, now: datetime) -> int:
    """Keep the entries of a ledger from `low` on outside it, for good; return which repair of the ledger this is.

    They are still in the ledger after this.
    """
    row = session.row(SELECT_TURN, {"log_id": log_id})
    assert row is not None
    turn = int(row[0])
    session.run(SET_ASIDE, {"log_id": log_id, "low": low, "turn": turn, "now_us": micros(now)})
    return turn


def set_aside_in(session: Session, log_id: int, turn: int, low: int, high: int) -> Iterator[Entry]:
    """Yield what one repair set aside of the positions low to high - 1, in order."""
    while low < high:
        span = {"log_id": log_id, "low": low, "high": min(high, low + ENTRIES_AT_ONCE), "turn": turn}
        for body, leaf in session.rows(SELECT_SET_ASIDE, span):
            yield Entry(decode(body), bytes(body), bytes(leaf))
        low = span["high"]
