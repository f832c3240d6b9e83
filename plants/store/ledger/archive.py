"""The files of each ledger in the archive, and its archived size.

Below a ledger's origin lies a folder for each history of it, `b1` and, should a store ever be restored and go on
otherwise than what is archived, `b2` and so on: a file is written once, so another history needs another folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Integer
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from infra.messages import message
from infra.objects import ArchiveUnfit, Capabilities, Objects
from infra.roles import Keeping, Role, table_options
from plants.rules.identification.codes import HUB
from plants.rules.ledger.retention import Retention
from plants.rules.ledger.tiles import Edge
from plants.store.sql.columns import big, key, octets, text

UNLOCKED: Final = message(
    "ARCHIVE_UNLOCKED",
    "The archive at {where} lacks these capabilities: {missing}. "
    "With archive_lock = required nothing is written there.",
)
SIZE_DIGITS = 16
FIRST_BRANCH = 1

SELECT_ROW = "SELECT branch, stored, size, root, edge, checkpoint, checkpoint_us FROM archived WHERE log_id = :log_id"
PUT_ROW = (
    "INSERT INTO archived (log_id, branch, stored, size, root, edge, checkpoint, checkpoint_us, archived_us,"
    " attempts, backoff_ms, next_attempt_us)"
    " VALUES (:log_id, :branch, :stored, :size, :root, :edge, :checkpoint, :checkpoint_us, :now_us, 0, 0, 0)"
    " ON CONFLICT (log_id) DO UPDATE SET branch = excluded.branch, stored = excluded.stored, size = excluded.size,"
    " root = excluded.root, edge = excluded.edge, checkpoint = excluded.checkpoint,"
    " checkpoint_us = excluded.checkpoint_us, archived_us = excluded.archived_us"
)
BEGIN_ATTEMPTS = (
    "INSERT INTO archived (log_id, branch, stored, size, root, edge, checkpoint, checkpoint_us, archived_us, attempts,"
    " backoff_ms, next_attempt_us) VALUES (:log_id, 0, 0, 0, :nothing, :nothing, '', 0, 0, 0, 0, 0)"
    " ON CONFLICT (log_id) DO NOTHING"
)
SELECT_ATTEMPTS = "SELECT attempts, backoff_ms, next_attempt_us FROM archived WHERE log_id = :log_id"
PUT_ATTEMPTS = (
    "UPDATE archived SET attempts = :attempts, backoff_ms = :backoff_ms, next_attempt_us = :next_attempt_us"
    " WHERE log_id = :log_id"
)
SELECT_SIZE = "SELECT size FROM archived WHERE log_id = :log_id AND branch > 0"


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
    checkpoint_us: int = big()  # when this node got that checkpoint
    archived_us: int = big()
    # Of the archive as a whole, in the row of the hub's own ledger; failures since it last answered.
    attempts: int = big(0)
    backoff_ms: int = big(0)
    next_attempt_us: int = big(0)


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
    checkpoint_us: int = 0


def archived(session: Session, log_id: int) -> Archived | None:
    """Return how far a ledger is archived; None before its first time."""
    row = session.row(SELECT_ROW, {"log_id": log_id})
    if row is None or row[0] == 0:
        return None
    branch, stored, size, root, edge, checkpoint, checkpoint_us = row
    return Archived(
        branch=branch,
        edge=Edge.from_bytes(stored, bytes(edge)),
        size=size,
        root=bytes(root),
        checkpoint=checkpoint,
        checkpoint_us=checkpoint_us,
    )


def keep_archived(session: Session, log_id: int, done: Archived, now_us: int) -> None:
    """Write down how far a ledger is archived."""
    values = {"branch": done.branch, "stored": done.edge.size, "edge": done.edge.to_bytes(), "size": done.size}
    more = {"root": done.root, "checkpoint": done.checkpoint, "checkpoint_us": done.checkpoint_us, "now_us": now_us}
    session.run(PUT_ROW, {"log_id": log_id, **values, **more})


class Attempts(NamedTuple):
    """Consecutive failures of the archive, the current backoff in milliseconds, and the next attempt."""

    made: int = 0
    backoff_ms: int = 0
    next_attempt_us: int = 0


def attempts_made(session: Session) -> Attempts:
    """Return the attempts on the archive since it last answered."""
    row = session.row(SELECT_ATTEMPTS, {"log_id": HUB})
    return Attempts() if row is None else Attempts(*row)


def keep_attempts(session: Session, made: Attempts) -> None:
    """Write down the attempts on the archive."""
    session.run(BEGIN_ATTEMPTS, {"log_id": HUB, "nothing": b""})
    given = {"attempts": made.made, "backoff_ms": made.backoff_ms, "next_attempt_us": made.next_attempt_us}
    session.run(PUT_ATTEMPTS, {"log_id": HUB, **given})


def archived_size(session: Session, log_id: int) -> int | None:
    """Return how many entries of a ledger the archive holds under a checkpoint; None where it was never archived."""
    row = session.row(SELECT_SIZE, {"log_id": log_id})
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
