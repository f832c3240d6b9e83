"""The hub's keys as a plant stores them: the statements of their rotations."""

from datetime import datetime

from sqlmodel import SQLModel

from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.values.instants import micros
from plants.store.sql.columns import big, octets, text_key

SELECT_STATEMENTS = "SELECT statement FROM hub_keys ORDER BY taken_us, vkey"
KEEP_STATEMENT = (
    "INSERT INTO hub_keys (vkey, statement, taken_us) VALUES (:vkey, :statement, :now_us) ON CONFLICT (vkey) DO NOTHING"
)


class HubKeyRow(SQLModel, table=True):
    """A key of the hub that another one of its keys has proven, and the statement that both signed."""

    __tablename__ = "hub_keys"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.PLANT}))

    vkey: str = text_key()
    statement: bytes = octets()
    taken_us: int = big()


def kept_statements(reads: Session | ReadSession) -> list[bytes]:
    """Return the statements that this plant has taken on, in the order in which it did."""
    return [bytes(statement) for (statement,) in reads.rows(SELECT_STATEMENTS)]


def keep_statement(session: Session, vkey: str, statement: bytes, now: datetime) -> None:
    """Remember the statement of a new key, whose proof the caller has checked."""
    session.run(KEEP_STATEMENT, {"vkey": vkey, "statement": statement, "now_us": micros(now)})
