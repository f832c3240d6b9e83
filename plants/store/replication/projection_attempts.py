"""The slice that a projection is applying, stored before it starts, so that a crash can be attributed to it."""

from typing import Final, NamedTuple

from sqlalchemy import Integer
from sqlmodel import SQLModel

from infra.database import Session
from infra.roles import Keeping, Role, table_options
from plants.store.sql.columns import big, key

SELECT: Final = "SELECT low, entries, attempts FROM projection_tries WHERE log_id = :log_id"
BEGIN: Final = (
    "INSERT INTO projection_tries (log_id, low, entries, attempts) VALUES (:log_id, :low, :entries, :attempts)"
    " ON CONFLICT (log_id) DO UPDATE SET low = excluded.low, entries = excluded.entries, attempts = excluded.attempts"
)
END: Final = "DELETE FROM projection_tries WHERE log_id = :log_id"


class ProjectionTry(SQLModel, table=True):
    """The slice of one ledger that is being applied; it remains when the program is killed."""

    __tablename__ = "projection_tries"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    log_id: int = key(Integer)
    low: int = big()  # the first entry of the slice
    entries: int = big()  # the largest number of entries
    attempts: int = big()


class SliceAttempt(NamedTuple):
    """A slice: its first position, its largest number of entries, and how often it was attempted."""

    low: int
    entries: int
    attempts: int


def last_attempt(session: Session, log_id: int) -> SliceAttempt | None:
    """Return the slice that was stored last and has not ended."""
    row = session.row(SELECT, {"log_id": log_id})
    return None if row is None else SliceAttempt(*row)


def begin_attempt(session: Session, log_id: int, attempt: SliceAttempt) -> None:
    """Store the slice that is attempted next."""
    session.run(BEGIN, {"log_id": log_id, **attempt._asdict()})


def end_attempt(session: Session, log_id: int) -> None:
    """Delete the slice: the next one has the full size."""
    session.run(END, {"log_id": log_id})
