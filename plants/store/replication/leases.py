"""Leases with fencing tokens: one holder per task; a stale holder is detected by its token."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import SQLModel, select

from infra.database import ReadSession, Session
from infra.roles import Keeping, table_options
from plants.rules.values.instants import micros
from plants.store.sql.columns import big, text, text_key

# Text, as on the other hot paths: every slice and every request of an exchange renews its lease.
TAKE: Final = (
    "INSERT INTO leases (name, holder, token, until_us) VALUES (:name, :holder, 1, :until_us)"
    " ON CONFLICT (name) DO UPDATE"
    " SET holder = excluded.holder, token = leases.token + 1, until_us = excluded.until_us"
    " WHERE leases.until_us <= :now_us OR leases.until_us > :longest_us"
    " RETURNING token"
)
RENEW: Final = "UPDATE leases SET until_us = :until_us WHERE name = :name AND token = :token"
END: Final = "UPDATE leases SET until_us = 0 WHERE name = :name AND token = :token"
END_ALL: Final = "UPDATE leases SET until_us = 0, token = token + 1 WHERE holder = :holder AND until_us > 0"
LASTING: Final = timedelta(seconds=30)  # longer than one request may stall
LONGEST: Final = timedelta(minutes=2)  # a lease that ends later than this was taken under a wrong clock


class LeaseRow(SQLModel, table=True):
    """The holder of one task; each new holder raises the token."""

    __tablename__ = "leases"
    __table_args__ = table_options(Keeping.LOCAL)

    name: str = text_key()
    holder: str = text()
    token: int = big()
    until_us: int = big()


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
        given = {"name": self.name, "token": self.token, "until_us": micros(now + LASTING)}
        if session.run(RENEW, given) != 1:
            raise LeaseLost(self.name)

    def end(self, session: Session) -> None:
        """Release the lease, unless another holder has taken it."""
        session.run(END, {"name": self.name, "token": self.token})


def take(session: Session, name: str, holder: str, *, now: datetime) -> Lease | None:
    """Return the lease when it is free or expired, else None. The holder's name is for diagnosis."""
    until = {"until_us": micros(now + LASTING), "longest_us": micros(now + LONGEST)}
    given = {"name": name, "holder": holder, "now_us": micros(now), **until}
    row = session.row(TAKE, given)
    return None if row is None else Lease(name, row[0])


def overlong_leases(reads: ReadSession, now: datetime) -> list[LeaseRow]:
    """Return the leases that end later than any valid one: they were taken before the clock was set back."""
    return list(reads.exec(select(LeaseRow).where(LeaseRow.until_us > micros(now + LONGEST)).order_by(LeaseRow.name)))


def end_all(session: Session, holder: str) -> None:
    """End all leases of a holder whose process has died. If it still runs, its next `renew` raises LeaseLost.

    The caller must be the only live process under this holder's name.
    """
    session.run(END_ALL, {"holder": holder})
