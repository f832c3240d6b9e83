"""Leases: who alone does a piece of work until when, with a token that gives away a holder who overslept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.database import Session
from plants.rules.values.instants import micros

TAKE = (
    "INSERT INTO leases (name, holder, token, until_us) VALUES (:name, :holder, 1, :until_us)"
    " ON CONFLICT (name) DO UPDATE"
    " SET holder = excluded.holder, token = leases.token + 1, until_us = excluded.until_us"
    " WHERE leases.until_us <= :now_us OR leases.until_us > :longest_us"
    " RETURNING token"
)
RENEW = "UPDATE leases SET until_us = :until_us WHERE name = :name AND token = :token"
END = "UPDATE leases SET until_us = 0 WHERE name = :name AND token = :token"
END_ALL = "UPDATE leases SET until_us = 0, token = token + 1 WHERE holder = :holder AND until_us > 0"
LASTING = timedelta(seconds=30)  # longer than one request may stand still
LONGEST = timedelta(minutes=2)  # a lease that ends later than this was taken by a clock that was wrong


class LeaseLost(Exception):
    """Another holder has taken over: nothing of this piece of work may be written any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken; what is written under it begins with `renew` in the same transaction."""

    name: str
    token: int

    def renew(self, session: Session, now: datetime) -> None:
        """Keep the lease for another while; raises LeaseLost when somebody has taken it since.

        Until the caller's transaction ends nobody else can take it.
        """
        given = {"name": self.name, "token": self.token, "until_us": micros(now + LASTING)}
        if session.run(RENEW, given) != 1:
            raise LeaseLost(self.name)

    def end(self, session: Session) -> None:
        """Give the lease back, if it is still ours."""
        session.run(END, {"name": self.name, "token": self.token})


def take(session: Session, name: str, holder: str, *, now: datetime) -> Lease | None:
    """Return the lease when it is free or has run out, else None; the holder's name is for those who look."""
    until = {"until_us": micros(now + LASTING), "longest_us": micros(now + LONGEST)}
    given = {"name": name, "holder": holder, "now_us": micros(now), **until}
    row = session.row(TAKE, given)
    return None if row is None else Lease(name, row[0])


def end_all(session: Session, holder: str) -> None:
    """End what a holder of this name left behind when its process died; should it live after all, it is fenced off.

    Only for a caller that is the holder now and alone: the embedded jobs of the process that serves the node.
    """
    session.run(END_ALL, {"holder": holder})
