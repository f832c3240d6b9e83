"""The hub's keys as a plant stores them: the statements of their rotations."""

from datetime import datetime
from typing import Final

from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.store.sql.columns import octets, text_key


class HubKeyRow(SQLModel, table=True):
    """A key of the hub that another one of its keys has proven, and the statement that both signed."""

    __tablename__ = "hub_keys"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.PLANT}))

    vkey: str = text_key()
    statement: bytes = octets()
    taken_at: datetime = instant("taken_us")


# One statement, because two processes may find the same key at the same time.
KEEP_STATEMENT: Final = insert(HubKeyRow).on_conflict_do_nothing()


def kept_statements(reads: Session | ReadSession) -> list[bytes]:
    """Return the statements that this plant has taken on, in the order in which it did."""
    row = HubKeyRow
    return list(reads.exec(select(row.statement).order_by(col(row.taken_at), col(row.vkey))))


def keep_statement(session: Session, vkey: str, statement: bytes, now: datetime) -> None:
    """Remember the statement of a new key, whose proof the caller has checked."""
    session.run(KEEP_STATEMENT, {"vkey": vkey, "statement": statement, "taken_us": now})
