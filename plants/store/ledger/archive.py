"""The files of each ledger in the archive, and its archived size.

Below a ledger's origin lies a folder for each history of it, `b1` and, should a store ever be restored and go on
otherwise than what is archived, `b2` and so on: a file is written once, so another history needs another folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Integer, bindparam
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.messages import message
from infra.objects import ArchiveUnfit, Capabilities, Objects
from infra.roles import Keeping, Role, table_options
from plants.rules.identification.codes import HUB
from plants.rules.ledger.retention import Retention
from plants.rules.ledger.tiles import Edge
from plants.rules.values.instants import EPOCH
from plants.store.sql.columns import big, key, octets, text

UNLOCKED: Final = message(
    "ARCHIVE_UNLOCKED",
    "The archive at {where} lacks these capabilities: {missing}. "
    "With archive_lock = required nothing is written there.",
)
SIZE_DIGITS = 16
FIRST_BRANCH = 1


class ArchivedRow(SQLModel, table=True):
    """The archived part of one ledger. An archived checkpoint covers `size` and `root`."""

    __tablename__ = "archived"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    log_id: int = key(Integer)
    branch: int = big()
    stored: int = big()  # entries in full bundles, a multiple of 256
    size: int = big()
    root: bytes = octets()
    edge: bytes = octets()  # the hashes of the tiles that are not full after `stored` entries
    checkpoint: str = text()  # the name of the newest checkpoint archived
    checkpoint_at: datetime = instant("checkpoint_us")  # when this node got that checkpoint
    archived_at: datetime = instant("archived_us")
    # Of the archive as a whole, in the row of the hub's own ledger; failures since it last answered.
    attempts: int = big(0)
    backoff_ms: int = big(0)
    next_attempt_at: datetime = instant("next_attempt_us", default=EPOCH)  # EPOCH means at once


# On the driver: the answer to each Hello has it.
SELECT_SIZE: Final = select(ArchivedRow.size).where(
    col(ArchivedRow.log_id) == bindparam("ledger"), col(ArchivedRow.branch) > 0
)


@dataclass(slots=True)
class Archive:
    """The storage of the archive, and its retention. The first use tests the capabilities of the storage, once."""

    objects: Objects
    retention: Retention = field(default_factory=Retention)
    lock_required: bool = False
    _can: Capabilities | None = None

    def capabilities(self, now: datetime) -> Capabilities:
        """Return what the place was seen to do; raises ArchiveFailed.

        Raises ArchiveUnfit where it must lock and does not: it is asked again the next time.
        """
        if self._can is None:
            can = self.objects.probe(now)
            if self.lock_required and not can.locked:
                raise ArchiveUnfit(UNLOCKED, where=self.objects.describe(), missing=list(can.missing))
            self._can = can
        return self._can


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """The archived part of a ledger, as in `ArchivedRow`."""

    branch: int = FIRST_BRANCH
    edge: Edge = field(default_factory=Edge)
    size: int = 0
    root: bytes = b""
    checkpoint: str = ""
    checkpoint_at: datetime = EPOCH


def archived(session: Session, log_id: int) -> Archived | None:
    """Return how far a ledger is archived; None before its first time."""
    row = session.get(ArchivedRow, log_id)
    if row is None or row.branch == 0:
        return None
    return Archived(
        branch=row.branch,
        edge=Edge.from_bytes(row.stored, row.edge),
        size=row.size,
        root=row.root,
        checkpoint=row.checkpoint,
        checkpoint_at=row.checkpoint_at,
    )


def keep_archived(session: Session, log_id: int, done: Archived, now: datetime) -> None:
    """Write down how far a ledger is archived."""
    row = _row(session, log_id)
    row.branch, row.stored, row.edge, row.size = done.branch, done.edge.size, done.edge.to_bytes(), done.size
    row.root, row.checkpoint, row.checkpoint_at, row.archived_at = done.root, done.checkpoint, done.checkpoint_at, now
    session.add(row)


class Attempts(NamedTuple):
    """Consecutive failures of the archive, the current backoff in milliseconds, and the next attempt."""

    made: int = 0
    backoff_ms: int = 0
    next_attempt_at: datetime = EPOCH


def attempts_made(session: Session) -> Attempts:
    """Return the attempts on the archive since it last answered."""
    row = session.get(ArchivedRow, HUB)
    return Attempts() if row is None else Attempts(row.attempts, row.backoff_ms, row.next_attempt_at)


def keep_attempts(session: Session, made: Attempts) -> None:
    """Write down the attempts on the archive."""
    row = _row(session, HUB)
    row.attempts, row.backoff_ms, row.next_attempt_at = made
    session.add(row)


def _row(session: Session, log_id: int) -> ArchivedRow:
    """Return the row of a ledger, or a new one, which says that nothing is archived."""
    nothing = partial(ArchivedRow, branch=0, stored=0, size=0, root=b"", edge=b"", checkpoint="")
    return session.get(ArchivedRow, log_id) or nothing(log_id=log_id, checkpoint_at=EPOCH, archived_at=EPOCH)


def archived_size(session: Session, log_id: int) -> int | None:
    """Return how many entries of a ledger the archive holds under a checkpoint; None where it was never archived."""
    row = session.row(SELECT_SIZE, {"ledger": log_id})
    return None if row is None else int(row[0])


def archived_rows(reads: ReadSession) -> list[ArchivedRow]:
    """Return how far each ledger is archived: the hub's own, then plant by plant, its directives first."""
    rows = reads.exec(select(ArchivedRow).where(col(ArchivedRow.branch) > 0))
    return sorted(rows, key=lambda row: (abs(row.log_id), row.log_id))


def folder(origin: str, branch: int) -> str:
    """Return the folder of one history of a ledger."""
    return f"{origin}/b{branch}"


def branches(objects: Objects, origin: str) -> list[int]:
    """Return the histories of a ledger that the archive holds, the first one first."""
    names = (name.removeprefix("b") for name in objects.children(origin) if name.startswith("b"))
    return sorted(int(name) for name in names if name.isdecimal())


def checkpoint_name(place: str, size: int, note: bytes) -> str:
    """Return the name of a checkpoint: the size, so that names sort by it, and what it is, so that none repeats."""
    return f"{place}/checkpoints/{size:0{SIZE_DIGITS}d}-{sha256(note).hexdigest()[:16]}"


def checkpoint_names(objects: Objects, place: str, after: str = "") -> Iterator[tuple[int, str]]:
    """Yield size and name of the checkpoints in a ledger's folder, smallest first, behind a name."""
    for name in objects.names(f"{place}/checkpoints/", after=after):
        size, dash, _ = name.rpartition("/")[2].partition("-")
        if dash and size.isdecimal():
            yield int(size), name
