"""Leases with fencing tokens: one holder per task; a stale holder is detected by its token."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, or_, update
from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.values.instants import EPOCH
from plants.store.sql.columns import big, text, text_key

LASTING: Final = timedelta(seconds=30)  # longer than one request may stall
LONGEST: Final = timedelta(minutes=2)  # a lease that ends later than this was taken under a wrong clock


class LeaseRow(SQLModel, table=True):
    """The holder of one task; each new holder raises the token."""

    __tablename__ = "leases"
    __table_args__ = table_options(Keeping.LOCAL)

    name: str = text_key()
    holder: str = text()
    token: int = big()
    until: datetime = instant("until_us")


NEW: Final = insert(LeaseRow).values(
    name=bindparam("name"), holder=bindparam("holder"), token=1, until=bindparam("until")
)
IS_FREE: Final = or_(col(LeaseRow.until) <= bindparam("now"), col(LeaseRow.until) > bindparam("longest"))
TAKE: Final = NEW.on_conflict_do_update(
    index_elements=["name"],
    set_={"holder": NEW.excluded.holder, "token": col(LeaseRow.token) + 1, "until_us": NEW.excluded.until_us},
    where=IS_FREE,
).returning(col(LeaseRow.token))
HELD: Final = (col(LeaseRow.name) == bindparam("lease"), col(LeaseRow.token) == bindparam("held"))
RENEW: Final = update(LeaseRow).where(*HELD).values(until=bindparam("later"))
END: Final = update(LeaseRow).where(*HELD).values(until=EPOCH)
END_ALL: Final = (
    update(LeaseRow)
    .where(col(LeaseRow.holder) == bindparam("ended"), col(LeaseRow.until) > EPOCH)
    .values(until=EPOCH, token=col(LeaseRow.token) + 1)
)


class LeaseLost(Exception):
    """Another holder has taken the lease: the former holder must not write."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken. Every write under it calls `renew` first, in the same transaction."""

    name: str
    token: int

    def renew(self, session: Session, now: datetime) -> None:
        """Extend the lease by LASTING; raises LeaseLost when another holder has taken it.

        No other holder can take it before the caller's transaction ends.
        """
        given = {"lease": self.name, "held": self.token, "later": now + LASTING}
        if session.run(RENEW, given) != 1:
            raise LeaseLost(self.name)

    def end(self, session: Session) -> None:
        """Release the lease, unless another holder has taken it."""
        session.run(END, {"lease": self.name, "held": self.token})


def take(session: Session, name: str, holder: str, *, now: datetime) -> Lease | None:
    """Return the lease when it is free or expired, else None. The holder's name is for diagnosis."""
    given = {"name": name, "holder": holder, "now": now, "until": now + LASTING, "longest": now + LONGEST}
    row = session.row(TAKE, given)
    return None if row is None else Lease(name, row[0])


def overlong_leases(reads: ReadSession, now: datetime) -> list[LeaseRow]:
    """Return the leases that end later than any valid one: they were taken before the clock was set back."""
    return list(reads.exec(select(LeaseRow).where(LeaseRow.until > now + LONGEST).order_by(LeaseRow.name)))


def end_all(session: Session, holder: str) -> None:
    """End all leases of a holder whose process has died. If it still runs, its next `renew` raises LeaseLost.

    The caller must be the only live process under this holder's name.
    """
    session.run(END_ALL, {"ended": holder})
