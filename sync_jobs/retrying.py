"""What is parked is tried again: when its time comes, when a person asks, or when a newer program knows it.

An attempt is counted, and committed, before it is made: so that an entry that ends the program is not tried for ever.
"""

import logging
from datetime import datetime
from typing import NamedTuple

from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.events import Entry
from plants.rules.instants import micros
from plants.store import projection
from plants.store.ledger import entry_at
from plants.store.positions import HALTED
from sync_jobs import parking
from sync_jobs.attempts import is_due
from sync_jobs.leases import Held, LeaseLost

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
UNPARK = "DELETE FROM projection_faults WHERE log_id = :log_id AND idx = :idx"
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


def begin(session: Session, held: Held, now: datetime) -> None:
    """Begin a transaction that applies entries: the lease, and the lock that a rebuild also takes first."""
    held.renew(session, now)
    if session.dialect == "postgresql":
        session.run("LOCK TABLE logs IN ROW EXCLUSIVE MODE")


def wake(session: Session, now: datetime, log_id: int = 0) -> int:
    """Have the faults of a plant, or of all, tried again at once, their attempts counted from nothing."""
    return session.run(WAKE, {"log_id": log_id, "now_us": micros(now)})


def wake_understood(session: Session, now_us: int) -> int:
    """Have tried at once what parked because an older program did not know its type or version, and this one does."""
    woken = 0
    for kind, version in session.rows(SELECT_UNKNOWN):
        if projection.understands(kind, version):
            woken += session.run(WAKE_KIND, {"type": kind, "version": version, "now_us": now_us})
    return woken


def retry_due(store: Store, log_id: int, held: Held, clock: Clock) -> int:
    """Try what is due once more, and what waits behind it, in order; each entry in its own transaction."""
    now = clock.now()
    given = {"log_id": log_id, "now_us": micros(now)}
    with store.transaction() as session:
        if session.row(IS_DUE, given) is None:
            return 0
        begin(session, held, now)
        parking.unhalt(session, log_id, now)
        rows = session.rows(SELECT_FAULTS, {"log_id": log_id, "halted": HALTED})
    applied = 0
    blocked: set[str] = set()
    for fault in map(_Fault._make, rows):
        applied += _retry(store, log_id, held, clock, (fault, blocked))
    with store.transaction() as session:
        begin(session, held, clock.now())
        parking.tell(session, log_id, clock.now())
    return applied


def _retry(store: Store, log_id: int, held: Held, clock: Clock, what: tuple[_Fault, set[str]]) -> bool:
    """Try one fault unless it is not its turn; tell whether it was applied, and add to what is blocked when not."""
    fault, blocked = what
    now = clock.now()
    with store.transaction() as session:
        begin(session, held, now)
        entry = entry_at(session, log_id, fault.idx)
        assert entry is not None
        if not fault.may_be_tried(now) or not blocked.isdisjoint(parking.touched(entry)):
            blocked |= parking.held_up_by(session, log_id, [entry])
            return False
        if fault.tries >= parking.TRIES_MAX:
            # Counted that often and never ended, well or badly: it was the program that ended.
            blocked |= parking.held_up_by(session, log_id, [entry])
            parking.park(session, log_id, entry, parking.PROGRAM_ENDED, tries=fault.tries, at=now)
            return False
        if session.run(COUNT_TRY, {"log_id": log_id, "idx": fault.idx, "now_us": micros(now)}) == 0:
            return False  # skipped by a person since the list was read.
    try:
        with store.transaction() as session:
            begin(session, held, clock.now())
            if session.run(UNPARK, {"log_id": log_id, "idx": fault.idx}) == 0:
                return False
            _apply_out_of_turn(session, log_id, entry)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever the content does: it stays parked, with the reason.
        LOG.warning("ledger %s: entry %s stays parked: %r", log_id, entry.index, error)
        with store.transaction() as session:
            begin(session, held, clock.now())
            blocked |= parking.held_up_by(session, log_id, [entry])
            parking.park(session, log_id, entry, error, tries=fault.tries + 1, at=now)
        return False
    return True


def _apply_out_of_turn(session: Session, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    names = payload.get("series", {}) if isinstance(payload, dict) else {}
    before = {
        name: row[0] for name in names if (row := session.row(SERIES, {"plant": log_id, "name": name})) is not None
    }
    projection.apply(session, log_id, (entry,))
    for name, following in before.items():
        # A series only goes up: applied out of turn, an old entry must not set it back.
        session.run(RAISE_SERIES, {"plant": log_id, "name": name, "next": following})
