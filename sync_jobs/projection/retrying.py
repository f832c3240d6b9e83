"""What is parked is tried again: when its time comes, when a person asks, or when a newer program knows it.

An attempt is counted, and committed, before it is made: so that an entry that ends the program is not tried for ever.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.ledger.events import Entry
from plants.rules.values.instants import micros
from plants.store.ledger.entries import entry_at
from plants.store.projection import applying
from plants.store.replication.parked_entries import (
    HALTED,
    UNPARK,
    failed_positions,
    retry_blocked,
    stop_retrying_blocked,
)
from sync_jobs.backoff import is_due
from sync_jobs.leases import Lease, LeaseLost
from sync_jobs.projection import parking

LOG = logging.getLogger(__name__)

# As `attempts.is_due` has it: a wait longer than any that is given was begun by a clock that was wrong.
SELECT_DUE = (
    "SELECT log_id FROM projection_faults WHERE next_attempt_us - :now_us NOT BETWEEN 1 AND 3600000000"
    " GROUP BY log_id ORDER BY log_id"
)
SELECT_FAULTS = (
    "SELECT idx, error, attempts, next_attempt_us FROM projection_faults"
    " WHERE log_id = :log_id AND key <> :halted ORDER BY idx"
)
IS_DUE = (
    "SELECT 1 FROM projection_faults"
    " WHERE log_id = :log_id AND next_attempt_us - :now_us NOT BETWEEN 1 AND 3600000000 LIMIT 1"
)
SELECT_UNKNOWN = "SELECT DISTINCT type, needs_version FROM projection_faults WHERE needs_version IS NOT NULL"
WAKE_KIND = (
    "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us, needs_version = NULL"
    " WHERE type = :type AND needs_version = :version"
)
COUNT_TRY = (
    "UPDATE projection_faults SET attempts = attempts + 1, next_attempt_us = :now_us"
    " WHERE log_id = :log_id AND idx = :idx"
)
WAKE = (
    "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us"
    " WHERE error IS NOT NULL AND (:log_id = 0 OR log_id = :log_id)"
)
SERIES = "SELECT next FROM series WHERE plant_id = :plant AND name = :name"
RAISE_SERIES = "UPDATE series SET next = :next WHERE plant_id = :plant AND name = :name AND next < :next"


class _Fault(NamedTuple):
    idx: int
    error: str | None
    tries: int
    next_us: int | None

    def may_be_tried(self, now: datetime) -> bool:
        """Tell whether its time has come; what only waits behind another goes as soon as that is gone."""
        return self.error is None or (self.next_us is not None and is_due(self.next_us, now))


def begin_projection(session: Session, lease: Lease, now: datetime) -> None:
    """Begin a transaction that applies entries: the lease, and the lock that a rebuild also takes first."""
    lease.renew(session, now)
    if session.dialect == "postgresql":
        session.run("LOCK TABLE logs IN ROW EXCLUSIVE MODE")


def retry_now(session: Session, now: datetime, log_id: int = 0) -> int:
    """Have the faults of a plant, or of all, tried again at once, their attempts counted from nothing."""
    return session.run(WAKE, {"log_id": log_id, "now_us": micros(now)})


def retry_understood(session: Session, now_us: int) -> int:
    """Have tried at once what parked because an older program did not know its type or version, and this one does."""
    woken = 0
    for kind, version in session.rows(SELECT_UNKNOWN):
        if applying.understands(kind, version):
            woken += session.run(WAKE_KIND, {"type": kind, "version": version, "now_us": now_us})
    return woken


def retry_due(store: Store, log_id: int, lease: Lease, clock: Clock) -> int:
    """Try what is due once more, and what waits behind it, in order; each entry in its own transaction.

    What waits behind an applied one is due from that very transaction on, so that a program which ends between two of
    them leaves nothing to wait for ever. What still waits when all were looked at is due no more.
    """
    now = clock.now()
    given = {"log_id": log_id, "now_us": micros(now)}
    with store.transaction() as session:
        if session.row(IS_DUE, given) is None:
            return 0
        begin_projection(session, lease, now)
        parking.unhalt(session, log_id, now)
        rows = session.rows(SELECT_FAULTS, {"log_id": log_id, "halted": HALTED})
    going = _Pass(store, log_id, lease, clock)
    applied = sum(map(going.retry, map(_Fault._make, rows)))
    with store.transaction() as session:
        begin_projection(session, lease, clock.now())
        going.rest(session)
        parking.update_alarm(session, log_id, clock.now())
    return applied


@dataclass(slots=True)
class _Pass:
    """One pass over what is parked of a plant: what the faults that stay hold up, and which they are."""

    store: Store
    log_id: int
    lease: Lease
    clock: Clock
    blocked: set[str] = field(default_factory=set)
    stay: set[int] = field(default_factory=set)

    def retry(self, fault: _Fault) -> bool:
        """Try one fault unless it is not its turn; tell whether it was applied."""
        log_id, now = self.log_id, self.clock.now()
        given = {"log_id": log_id, "idx": fault.idx}
        with self.store.transaction() as session:
            begin_projection(session, self.lease, now)
            entry = entry_at(session, log_id, fault.idx)
            assert entry is not None
            if not fault.may_be_tried(now) or not self.blocked.isdisjoint(parking.touched_keys(entry)):
                self._stays(session, entry, because_of_itself=fault.error is not None)
                return False
            if fault.tries >= parking.TRIES_MAX:
                # Counted that often and never ended, well or badly: it was the program that ended.
                self._stays(session, entry)
                parking.park(session, log_id, entry, parking.PROGRAM_ENDED, tries=fault.tries, at=now)
                return False
            if session.run(COUNT_TRY, {**given, "now_us": micros(now)}) == 0:
                return False  # skipped by a person since the list was read.
        try:
            with self.store.transaction() as session:
                begin_projection(session, self.lease, self.clock.now())
                if session.run(UNPARK, given) == 0:
                    return False
                _apply_out_of_turn(session, log_id, entry)
                retry_blocked(session, log_id, micros(now))
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever the content does: it stays parked, with the reason.
            LOG.warning("ledger %s: entry %s stays parked: %r", log_id, entry.index, error)
            with self.store.transaction() as session:
                begin_projection(session, self.lease, self.clock.now())
                self._stays(session, entry)
                parking.park(session, log_id, entry, error, tries=fault.tries + 1, at=now)
            return False
        return True

    def _stays(self, session: Session, entry: Entry, *, because_of_itself: bool = True) -> None:
        self.blocked |= parking.keys_blocked_by(session, self.log_id, [entry])
        if because_of_itself:
            self.stay.add(entry.index)

    def rest(self, session: Session) -> None:
        """Let what waits behind others be due no more, unless a person has skipped one of those meanwhile."""
        if self.stay <= failed_positions(session, self.log_id):
            stop_retrying_blocked(session, self.log_id)


def _apply_out_of_turn(session: Session, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    names = payload.get("series", {}) if isinstance(payload, dict) else {}
    before = {
        name: row[0] for name in names if (row := session.row(SERIES, {"plant": log_id, "name": name})) is not None
    }
    applying.apply(session, log_id, (entry,))
    for name, following in before.items():
        # A series only goes up: applied out of turn, an old entry must not set it back.
        session.run(RAISE_SERIES, {"plant": log_id, "name": name, "next": following})
