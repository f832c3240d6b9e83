"""Witnessed checkpoints of the other side's ledgers, and contradictions.

The hub's rows repeat the CheckpointsWitnessed entries of its own ledger. A contradiction is evidence: two notes that
the same key signed and that cannot both be true of one ledger.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Integer, and_, func, or_
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.identification.codes import HUB
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import Note
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Log
from plants.store.replication.status import CheckpointRow, ReplicationRow
from plants.store.sql.columns import PLANT, big, key, octets, text, text_key

CONTRADICTIONS_MAX = 100  # bounds the rows that a signer can cause; the first ones are evidence enough


class WitnessedRow(SQLModel, table=True):
    """The newest checkpoint of a plant's ledger in the hub's own ledger (0)."""

    __tablename__ = "witnessed"
    __table_args__ = table_options(Keeping.PROJECTION, frozenset({Role.HUB}))

    plant_id: int = key(PLANT)  # whose ledger says so: 0, the hub's
    origin: str = text_key()
    size: int = big()
    root: str = text()  # hexadecimal
    entry_idx: int = big()


class ContradictionRow(SQLModel, table=True):
    """Two signed notes of one ledger: the one that was held, and the one that was shown and does not continue it."""

    __tablename__ = "contradictions"
    __table_args__ = table_options(Keeping.LOCAL)

    id: str = text_key()  # SHA-256 over the texts of both notes, hexadecimal: signed again, they are the same evidence
    log_id: int = key(Integer)
    origin: str = text()
    held: bytes = octets()
    shown: bytes = octets()
    seen_at: datetime = instant("seen_us")


# One statement, because two processes may be shown the same notes at the same time.
KEEP_CONTRADICTION: Final = insert(ContradictionRow).on_conflict_do_nothing()


class ContradictionSeen(NamedTuple):
    """Stored evidence: the note that was kept, the note that contradicts it, and when it came."""

    origin: str
    held: bytes
    shown: bytes
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two signed notes of one ledger that cannot both be true of it, or of which the later one shows less."""

    log_id: int
    origin: str
    held: Note
    shown: Note


def unwitnessed(session: Session, limit: int) -> list[tuple[str, bytes]]:
    """Return the origins and newest cosigned notes of plants' ledgers that have grown since the hub last wrote them."""
    status, seen = ReplicationRow, WitnessedRow
    same = and_(col(seen.plant_id) == HUB, col(seen.origin) == Log.origin)
    grown = or_(col(seen.size).is_(None), col(seen.size) < col(status.checkpoint_size))
    found = select(Log.origin, status.checkpoint).join(Log, col(Log.log_id) == status.log_id).outerjoin(seen, same)
    found = found.where(status.log_id > HUB, col(status.checkpoint).is_not(None), grown)
    rows = session.exec(found.order_by(col(status.log_id)).limit(limit))
    return [(origin, note) for origin, note in rows if note is not None]


def marked_frontier(session: Session, log_id: int, size: int) -> Frontier:
    """Return the frontier of a ledger at a size, from the nearest checkpoint below it that was kept with its frontier.

    Reads one leaf hash for each entry between the two. Raises LookupError when the ledger is shorter.
    """
    row = CheckpointRow
    marks = select(row.size, row.frontier).where(row.log_id == log_id, row.size <= size, col(row.frontier).is_not(None))
    mark = session.exec(marks.order_by(col(row.size).desc()).limit(1)).first()
    known = None if mark is None else Frontier.from_bytes(mark[0], mark[1] or b"")
    return mirrors.frontier_at(session, log_id, size, known)


def keep_contradiction(session: Session, found: Contradiction, now: datetime) -> None:
    """Keep the evidence, once for each pair of texts and CONTRADICTIONS_MAX at most."""
    row = ContradictionRow
    name = sha256(f"{found.held.text}\n{found.shown.text}".encode()).hexdigest()
    if session.exec(select(func.count()).select_from(row)).one() >= CONTRADICTIONS_MAX:
        return
    notes = {"held": bytes(found.held), "shown": bytes(found.shown)}
    session.run(
        KEEP_CONTRADICTION, {"id": name, "log_id": found.log_id, "origin": found.origin, "seen_us": now, **notes}
    )


def contradictions_of(reads: Session | ReadSession, log_id: int) -> list[ContradictionSeen]:
    """Return the contradictions in one ledger, newest first."""
    row = ContradictionRow
    found = select(row.origin, row.held, row.shown, row.seen_at).where(row.log_id == log_id)
    return [ContradictionSeen(*seen) for seen in reads.exec(found.order_by(col(row.seen_at).desc(), col(row.id)))]
