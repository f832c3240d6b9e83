"""The ledgers: their entries, their heads, and appending to them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer
from sqlalchemy import text as sql_text
from sqlmodel import SQLModel

from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.ledger import hlc
from plants.rules.ledger.events import COMMAND_BYTES_MAX, Cause, Entry, Envelope, encode
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.refusals import REQUEST_PRUNED
from plants.rules.values.instants import format_instant, instant_micros
from plants.rules.values.refusals import Refusal
from plants.store.ledger.decoding import decode
from plants.store.sql.columns import big, key, octets, small, text

READ_ENTRIES = 500  # of one statement, so that few are in memory at once; each may be 64 KiB
INDEX_MAX = 2**53  # above every index: integers of an entry are below it; neither database compares beyond 64 bits
REQUEST_LENGTH_MAX = 200  # characters of the request id of a mirrored entry that can be searched for
HUB_LOG = 0
"""A plant's ledger has the plant's number as its log id, its directives from the hub the same number, negative."""


class Log(SQLModel, table=True):
    """The head of one ledger: its size and the frontier of its tree."""

    __tablename__ = "logs"
    __table_args__ = table_options(Keeping.LEDGER)

    log_id: int = key(Integer)
    origin: str = text()
    size: int = big()
    frontier: bytes = octets()
    hlc: str = text()
    projected: int = big()  # entries below this index are in the tables
    fenced: int = small(0)  # 1 while another copy of this plant is the one that counts: people's commands are refused
    pruned: int = big(0)  # from this index on every entry has its body; before it bodies may be with the hub alone


class LedgerEntry(SQLModel, table=True):
    """One entry: the very bytes that were hashed, and what is searched for."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("entries_by_key", "log_id", "key", "idx"),
        Index(
            "entries_by_request",
            "log_id",
            "request",
            sqlite_where=sql_text("request IS NOT NULL"),
            postgresql_where=sql_text("request IS NOT NULL"),
        ),
        # Directives alone, whose ledgers have negative ids.
        Index(
            "entries_by_direction",
            "occurred_us",
            "log_id",
            "idx",
            sqlite_where=sql_text("log_id < 0"),
            postgresql_where=sql_text("log_id < 0"),
        ),
        table_options(Keeping.LEDGER),
    )

    log_id: int = key(Integer)
    idx: int = key()
    body: bytes = octets()
    leaf: bytes = octets()
    event_id: str = text()
    type: str = text()
    key: str = text()
    actor: str = text()
    occurred_us: int = big()
    recorded_us: int = big()
    request: str | None = text(None)


ENTRY_COLUMNS = (
    "log_id",
    "idx",
    "body",
    "leaf",
    "event_id",
    "type",
    "key",
    "actor",
    "occurred_us",
    "recorded_us",
    "request",
)
_PLACES = ", ".join(f":{name}" for name in ENTRY_COLUMNS)
INSERT_ENTRY = f"INSERT INTO entries ({', '.join(ENTRY_COLUMNS)}) VALUES ({_PLACES})"
SELECT_HEAD = "SELECT size, frontier, hlc, origin, fenced FROM logs WHERE log_id = :log_id"
ADVANCE_HEAD = (
    "UPDATE logs SET size = :size, frontier = :frontier, hlc = :hlc, projected = :size WHERE log_id = :log_id"
)
FENCE = "UPDATE logs SET fenced = :fenced WHERE log_id = :log_id"
SELECT_REQUEST = "SELECT body, leaf, idx FROM entries WHERE log_id = :log_id AND request = :request"
SELECT_KEYED = "SELECT 1 FROM entries WHERE log_id = :log_id AND type = :type AND key = :key LIMIT 1"
SELECT_INDEXES = "SELECT event_id, idx FROM entries WHERE log_id = :log_id AND idx >= :low"
SELECT_BODIES = (
    "SELECT body, leaf, idx FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high ORDER BY idx"
)


class BodyPruned(Exception):
    """The entry is there, and its body is kept at the hub and in the archive alone."""


class Head:
    """The head of a ledger inside a write transaction: entries appended through it get the next positions."""

    __slots__ = ("_frontier", "_hlc", "_session", "fenced", "log_id", "origin")

    def __init__(self, session: Session, log_id: int) -> None:
        # The row lock makes commit order the order of positions on PostgreSQL; SQLite has one writer anyway.
        suffix = " FOR UPDATE" if session.dialect == "postgresql" else ""
        row = session.row(SELECT_HEAD + suffix, {"log_id": log_id})
        if row is None:
            message = f"ledger {log_id} was not opened in this store"
            raise LookupError(message)
        size, frontier, self._hlc, self.origin, fenced = row
        self.fenced = bool(fenced)
        self._frontier = Frontier.from_bytes(size, frontier)
        self._session = session
        self.log_id = log_id

    @property
    def size(self) -> int:
        """The number of entries, which is the position that the next one gets."""
        return self._frontier.size

    @property
    def frontier(self) -> Frontier:
        """The frontier of the tree over all entries."""
        return self._frontier

    def append(
        self,
        envelope: Envelope,
        now: datetime,
        causes: Sequence[tuple[Cause, str]] = (),
        bytes_max: int = COMMAND_BYTES_MAX,
    ) -> Entry:
        """Store the event at the next position and move the head; nothing is durable before the commit.

        `causes` pairs each cause with its stamp. Raises Refusal when the entry would be above `bytes_max`, which only
        repairs raise to ENTRY_BYTES_MAX.
        """
        stamp = hlc.tick(self._hlc, int(now.timestamp() * 1000), *(stamp for _, stamp in causes))
        envelope["index"], envelope["hlc"] = self.size, stamp
        envelope["recorded_at"] = format_instant(now)
        if causes:
            envelope["causes"] = [cause for cause, _ in causes]
        body = encode(envelope, bytes_max)
        entry = Entry(envelope, body, leaf_hash(body))
        self._session.run(INSERT_ENTRY, entry_row(self.log_id, entry))
        self._hlc = stamp
        self._move(self._frontier.append(entry.leaf))
        self._session.marks.draw(drawn_numbers(envelope["payload"]))
        return entry

    def adopt(self, entries: Sequence[Entry], frontier: Frontier) -> None:
        """Store entries of this very ledger that were given back, and move the head to the frontier proven for them.

        Their requests count again: a retry of what they answer does nothing a second time.
        """
        self._session.run_many(INSERT_ENTRY, [entry_row(self.log_id, entry) for entry in entries])
        self._hlc = max(self._hlc, *(entry.envelope["hlc"] for entry in entries))
        self._move(frontier)
        for entry in entries:
            self._session.marks.draw(drawn_numbers(entry.payload))

    def cut(self, frontier: Frontier) -> None:
        """Take away the entries from a frontier on, and move the head back to it; for repairs that have kept them.

        The clock of the ledger stays where it is, so that no later entry is stamped before one that was cut.
        """
        self._session.run("DELETE FROM entries WHERE log_id = :log_id AND idx >= :low", self._span(frontier.size))
        self._move(frontier)
        if self.log_id > HUB_LOG:
            self._session.marks.truncate(frontier.size, frontier.root)

    def _span(self, low: int) -> dict[str, int]:
        return {"log_id": self.log_id, "low": low}

    def _move(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._session.run(
            ADVANCE_HEAD,
            {"log_id": self.log_id, "size": frontier.size, "frontier": frontier.to_bytes(), "hlc": self._hlc},
        )
        if self.log_id > HUB_LOG:
            self._session.marks.set_position(frontier.size, frontier.root)


def drawn_numbers(payload: Any) -> dict[str, int]:
    """Return the number series that a payload has drawn from, each with its next number."""
    series = payload.get("series") if isinstance(payload, dict) else None
    return series if isinstance(series, dict) else {}


def fence(session: Session, log_id: int, *, fenced: bool) -> None:
    """Have people's commands on a ledger refused from now on, or allow them again."""
    session.run(FENCE, {"log_id": log_id, "fenced": int(fenced)})


def entry_row(log_id: int, entry: Entry) -> dict[str, Any]:
    """Return the row of an entry: its bytes, and the columns that are searched for."""
    envelope = entry.envelope
    return {
        "log_id": log_id,
        "idx": envelope["index"],
        "body": entry.body,
        "leaf": entry.leaf,
        "event_id": envelope["id"],
        "type": envelope["type"],
        "key": envelope["key"],
        "actor": envelope["actor"],
        "occurred_us": instant_micros(envelope["occurred_at"]),
        "recorded_us": instant_micros(envelope["recorded_at"]),
        "request": envelope.get("request"),
    }


def open_log(session: Session, log_id: int, origin: str) -> None:
    """Begin an empty ledger in this store, unless it is there already."""
    session.run(
        "INSERT INTO logs (log_id, origin, size, frontier, hlc, projected, fenced)"
        " VALUES (:log_id, :origin, 0, :frontier, :hlc, 0, 0) ON CONFLICT (log_id) DO NOTHING",
        {"log_id": log_id, "origin": origin, "frontier": b"", "hlc": hlc.ZERO},
    )


def origin_of(session: Session | ReadSession, log_id: int) -> str:
    """Return the origin of a ledger; raises LookupError when it was not opened in this store."""
    rows = session.rows(SELECT_HEAD, {"log_id": log_id})
    if not rows:
        message = f"ledger {log_id} was not opened in this store"
        raise LookupError(message)
    return str(rows[0][3])


def entry_by_request(session: Session, log_id: int, request: str) -> Entry | None:
    """Return the entry that an earlier command with this request id made, if there is one.

    Raises Refusal REQUEST_PRUNED where it is there and its body is not kept here any more.
    """
    row = session.row(SELECT_REQUEST, {"log_id": log_id, "request": request})
    if row is not None and not row[0]:
        raise Refusal(REQUEST_PRUNED, request=request, entry=row[2])
    return None if row is None else _entry(*row)


def entry_at(session: Session, log_id: int, index: int) -> Entry | None:
    """Return the entry at a position, if the ledger is that long; raises BodyPruned without its body."""
    row = session.row(SELECT_BODIES, {"log_id": log_id, "low": index, "high": index + 1})
    return None if row is None else _entry(*row)


def entries_between(session: Session | ReadSession, log_id: int, low: int, high: int) -> Iterator[Entry]:
    """Yield the entries at positions low to high - 1, in order; raises BodyPruned at one without its body."""
    for start in range(low, high, READ_ENTRIES):
        span = {"log_id": log_id, "low": start, "high": min(high, start + READ_ENTRIES)}
        for row in session.binary_rows(SELECT_BODIES, span):
            yield _entry(*row)


def has_entry(session: Session, log_id: int, type_name: str, key: str) -> bool:
    """Tell whether a ledger has an entry of this type and key."""
    return session.row(SELECT_KEYED, {"log_id": log_id, "type": type_name, "key": key}) is not None


def indexes_by_id(session: Session, log_id: int, low: int) -> dict[str, int]:
    """Return the positions of the entries from `low` on, by entry id."""
    return dict(session.rows(SELECT_INDEXES, {"log_id": log_id, "low": low}))


def _entry(body: bytes, leaf: bytes, index: int) -> Entry:
    if not body:
        raise BodyPruned(f"the body of entry {index} was pruned")
    return Entry(decode(body), bytes(body), bytes(leaf))
