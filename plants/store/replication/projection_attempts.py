"""The slice that a projection is applying, stored before it starts, so that a crash can be attributed to it."""

from typing import Final, NamedTuple

from sqlalchemy import Integer, bindparam, delete
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.database import Session
from infra.roles import Keeping, Role, table_options
from plants.store.sql.columns import big, key


class ProjectionTry(SQLModel, table=True):
    """The slice of one ledger that is being applied; it remains when the program is killed."""

    __tablename__ = "projection_tries"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    log_id: int = key(Integer)
    low: int = big()  # the first entry of the slice
    entries: int = big()  # the largest number of entries
    attempts: int = big()


# Declared once and run on the driver: each slice of the projection runs them.
OF_LEDGER: Final = col(ProjectionTry.log_id) == bindparam("ledger")
SELECT: Final = select(ProjectionTry.low, ProjectionTry.entries, ProjectionTry.attempts).where(OF_LEDGER)
NEW: Final = insert(ProjectionTry)
BEGIN: Final = NEW.on_conflict_do_update(
    index_elements=["log_id"], set_={name: NEW.excluded[name] for name in ("low", "entries", "attempts")}
)
END: Final = delete(ProjectionTry).where(OF_LEDGER)


class SliceAttempt(NamedTuple):
    """A slice: its first position, its largest number of entries, and how often it was attempted."""

    low: int
    entries: int
    attempts: int


def last_attempt(session: Session, log_id: int) -> SliceAttempt | None:
    """Return the slice that was stored last and has not ended."""
    row = session.row(SELECT, {"ledger": log_id})
    return None if row is None else SliceAttempt(*row)


def begin_attempt(session: Session, log_id: int, attempt: SliceAttempt) -> None:
    """Store the slice that is attempted next."""
    session.run(BEGIN, {"log_id": log_id, **attempt._asdict()})


def end_attempt(session: Session, log_id: int) -> None:
    """Delete the slice: the next one has the full size."""
    session.run(END, {"ledger": log_id})
