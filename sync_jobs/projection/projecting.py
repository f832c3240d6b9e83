"""The hub applies what it took in to its tables, plant by plant, and parks what cannot be applied.

What is parked, and what waits behind it, is left out (`sync_jobs.projection.parking`) and tried again
(`sync_jobs.projection.retrying`). So what is applied later, out of turn, meets the rows just as it would have in turn,
and the tables are those that a rebuild gives. When more than PARKED_MAX entries wait, the whole plant waits. No failure
here stops intake, nor another plant.

A slice is applied in one transaction, in good hope: without savepoints, all entries at once. Only when that fails is it
applied again with care, halved until the one entry that fails stands alone. And because an entry may also end the
whole program, the slice is written down before it is begun: one that was begun and neither done nor failed is made
smaller the next time, until the entry that ends programs stands alone and is parked.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from infra import garbage_collection
from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.ledger.events import Entry
from plants.rules.replication.pace import ENTRIES_MIN, paced
from plants.rules.values.instants import micros
from plants.store.ledger.entries import entries_between
from plants.store.projection import applying
from plants.store.projection.applying import UnknownEvent
from plants.store.replication.parked_entries import skipped_between
from sync_jobs import leases
from sync_jobs.leases import Lease
from sync_jobs.projection import parking
from sync_jobs.projection.retrying import SELECT_DUE, begin_projection, retry_due, retry_understood

SLICE_ENTRIES: Final = 4000  # of one transaction
JOB_ENTRIES: Final = 20_000  # that one job applies before the other jobs have their turn
AT_ONCE: Final = 2  # plants whose slices are applied at the same time
SHRINK: Final = 16  # a slice that ended the program is cut to this part, so that four deaths find one entry
GROW: Final = 2
TURNS_US_MAX: Final = 10_000_000  # between two slices of a plant that is behind
LOG = logging.getLogger(__name__)

SELECT_POSITION = "SELECT size, projected FROM logs WHERE log_id = :log_id"
MOVE = "UPDATE logs SET projected = :projected WHERE log_id = :log_id"
SELECT_BEHIND = "SELECT log_id, size - projected FROM logs WHERE log_id > 0 AND projected < size"
SELECT_PACE = "SELECT applied_pace, applied_us FROM replication WHERE log_id = :log_id"
KEEP_PACE = "UPDATE replication SET applied_pace = :pace, applied_us = :now_us WHERE log_id = :log_id"
SELECT_TRY = "SELECT low, entries, attempts FROM projection_tries WHERE log_id = :log_id"
BEGIN_TRY = (
    "INSERT INTO projection_tries (log_id, low, entries, attempts) VALUES (:log_id, :low, :entries, :attempts)"
    " ON CONFLICT (log_id) DO UPDATE SET low = excluded.low, entries = excluded.entries, attempts = excluded.attempts"
)
END_TRY = "DELETE FROM projection_tries WHERE log_id = :log_id"


def backlog_by_plant(store: Store, clock: Clock) -> dict[int, int]:
    """Return how many entries of each plant wait to be applied; 0 where only something parked is due.

    What an older program did not know and this one does is due at once.
    """
    with store.transaction() as session:
        now_us = micros(clock.now())
        retry_understood(session, now_us)
        ways = {log_id: 0 for (log_id,) in session.rows(SELECT_DUE, {"now_us": now_us})}
        ways |= dict(session.rows(SELECT_BEHIND))
    return ways


def project_behind(store: Store, clock: Clock, holder: str, *, at_once: int = 1) -> int:
    """Apply one slice of every plant that is behind, and retry what is due; returns how many entries were applied.

    Plants take turns, those with the shortest way first, so that one with a long way to go keeps the others waiting for
    one slice at most. With two at once, PostgreSQL writes the rows of one while those of the other are made.
    """
    ways = backlog_by_plant(store, clock)
    shortest = sorted(ways, key=lambda log_id: (ways[log_id], log_id))
    project = partial(project_pending, store, clock=clock, holder=holder)
    if at_once == 1 or len(shortest) == 1:
        return sum(map(project, shortest))
    with ThreadPoolExecutor(at_once, thread_name_prefix="projection") as threads:
        return sum(threads.map(project, shortest))


def project_turns(store: Store, clock: Clock, holder: str) -> bool:
    """Apply what came in, turn by turn, and return whether more is left: a job's worth, then others have their turn."""
    at_once = AT_ONCE if store.dialect == "postgresql" else 1
    applied = 0
    while found := project_behind(store, clock, holder, at_once=at_once):
        # Several turns to a job, for its message costs time as well; and then the other jobs have theirs.
        applied += found
        if applied >= JOB_ENTRIES:
            return True
    return False


def project_pending(store: Store, log_id: int, *, clock: Clock, holder: str, limit: int = SLICE_ENTRIES) -> int:
    """Retry what is due and apply the next entries of one plant; returns how many were applied.

    Whatever goes wrong is written down as a fault and logged; nothing is raised but a failure of the database.
    """
    with store.transaction() as session:
        lease = leases.take(session, f"project/{log_id}", holder, now=clock.now())
        if lease is None:
            return 0
        attempt = _begin_attempt(session, log_id, limit)
    try:
        applied = retry_due(store, log_id, lease, clock)
        return applied + _project_slice(store, log_id, lease, clock, attempt)
    except leases.LeaseLost:
        LOG.warning("ledger %s: another process has taken its projection over", log_id)
        return 0
    except Exception as error:
        LOG.exception("ledger %s: its projection stops", log_id)
        with store.transaction() as session:
            begin_projection(session, lease, clock.now())
            session.run(END_TRY, {"log_id": log_id})
            text = f"{type(error).__name__}: {error}".replace("\0", "")
            parking.halt(session, log_id, text, clock.now(), retry=True)
            lease.end(session)
        return 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How many entries are applied this time, of at most how many, and whether the next one has ended programs."""

    entries: int
    limit: int
    ends_programs: bool = False


def _begin_attempt(session: Session, log_id: int, limit: int) -> Attempt:
    """Write down that the next slice is begun: smaller, when the last one was neither done nor failed."""
    row = session.row(SELECT_POSITION, {"log_id": log_id})
    assert row is not None
    low = row[1]
    left = session.row(SELECT_TRY, {"log_id": log_id})
    entries, attempts = limit, 1
    if left is not None and left[0] == low:
        before, tries = left[1], left[2]
        if tries == 0:
            entries = min(limit, before)  # it went well, if only in small steps
        elif before > 1:
            entries = max(1, min(limit, before) // SHRINK)
        else:
            entries, attempts = 1, tries + 1
    session.run(BEGIN_TRY, {"log_id": log_id, "low": low, "entries": entries, "attempts": attempts})
    return Attempt(entries, limit, ends_programs=attempts > parking.TRIES_MAX)


def _project_slice(store: Store, log_id: int, lease: Lease, clock: Clock, attempt: Attempt) -> int:
    """Apply the slice and give the lease back, in one transaction; with care only where it does not go without."""
    try:
        with garbage_collection.paused(), store.transaction() as session:
            session.commit_asynchronously()  # rows and watermark go together: what a crash undoes is applied again.
            now = clock.now()
            begin_projection(session, lease, now)
            applied = Slice(session, log_id, now).run(attempt)
            _keep_pace(session, log_id, applied, now, clock.now())
            lease.end(session)
    except leases.LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is: with care it shows whether it is one entry's.
        LOG.warning("ledger %s: a slice is applied again with care: %r", log_id, error)
        with store.transaction() as session:
            begin_projection(session, lease, clock.now())
            applied = Slice(session, log_id, clock.now(), isolate_failures=True).run(attempt)
            lease.end(session)
    return applied


def _keep_pace(session: Session, log_id: int, applied: int, began: datetime, now: datetime) -> None:
    """Write down how fast a plant's entries are applied, the turns of the others included."""
    if applied < ENTRIES_MIN:
        return
    row = session.row(SELECT_PACE, {"log_id": log_id})
    if row is not None:
        began_us, now_us = micros(began), micros(now)
        since_us = row[1] if row[1] is not None and 0 < began_us - row[1] <= TURNS_US_MAX else began_us
        pace = paced(row[0], applied, now_us - since_us)
        session.run(KEEP_PACE, {"log_id": log_id, "pace": pace, "now_us": now_us})


@dataclass(slots=True)
class _ApplicableEntries:
    """The entries up to the first that is to wait: it parks once those before it are in the tables.

    For the tables tell which batch a code is, and so what else waits with it.
    """

    entries: Iterator[Entry]
    blocked: set[str]
    free: int = 0
    ended_by: Entry | None = None
    error: UnknownEvent | None = None

    def __iter__(self) -> Iterator[Entry]:
        for entry in self.entries:
            kind = entry.envelope["type"], entry.envelope["version"]
            if self.blocked and not self.blocked.isdisjoint(parking.touched_keys(entry)):
                self.ended_by = entry
                return
            if not applying.understands(*kind):
                self.ended_by, self.error = entry, UnknownEvent(*kind)
                return
            self.free += 1
            yield entry


@dataclass(slots=True)
class Slice:
    """One transaction's worth of one plant's entries."""

    session: Session
    log_id: int
    now: datetime
    isolate_failures: bool = False
    parked: int = 0
    failed: int = 0
    blocked: set[str] = field(default_factory=set)
    applied: int = 0

    def run(self, attempt: Attempt) -> int:
        """Apply the entries behind the watermark and move it; returns how many were applied."""
        session, log_id = self.session, self.log_id
        row = session.row(SELECT_POSITION, {"log_id": log_id})
        assert row is not None
        size, projected = row
        high = min(size, projected + attempt.entries)
        if attempt.entries < attempt.limit:
            larger = {"low": high, "entries": GROW * attempt.entries, "attempts": 0}
            session.run(BEGIN_TRY, {"log_id": log_id, **larger})
        else:
            session.run(END_TRY, {"log_id": log_id})
        if high == projected or parking.is_halted(session, log_id):
            return 0
        before = parking.parked_entries(session, log_id)
        if before:
            self.blocked |= parking.keys_blocked_by(session, log_id, before)
            self.parked = len(before)
        skipped = skipped_between(session, log_id, projected, high)
        found = (entry for entry in entries_between(session, log_id, projected, high) if entry.index not in skipped)
        if attempt.ends_programs:
            for entry in found:
                self._park(entry, parking.PROGRAM_ENDED, tries=parking.TRIES_MAX)
        elif self.isolate_failures:
            self._apply(list(found))
        else:
            self._apply_optimistically(found)
        session.run(MOVE, {"log_id": log_id, "projected": high})
        if self.failed:
            parking.update_alarm(session, log_id, self.now)
        if self.parked > parking.PARKED_MAX:
            text = parking.TOO_MANY.format(limit=parking.PARKED_MAX)
            parking.halt(session, log_id, text, self.now, retry=False)
        return self.applied

    def _apply_optimistically(self, entries: Iterator[Entry]) -> None:
        """Apply each as it is read, so that few are in memory at once; raises what any of them raises."""
        while True:
            run = _ApplicableEntries(entries, self.blocked)
            applying.apply(self.session, self.log_id, run)
            self.applied += run.free
            if run.ended_by is None:
                return
            self._park(run.ended_by, run.error)

    def _apply(self, entries: list[Entry]) -> None:
        left = iter(entries)
        while True:
            run = _ApplicableEntries(left, self.blocked)
            self._apply_free(list(run))
            if run.ended_by is None:
                return
            self._park(run.ended_by, run.error)

    def _apply_free(self, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            with self.session.savepoint():
                applying.apply(self.session, self.log_id, entries)
            self.applied += len(entries)
        except Exception as error:  # noqa: BLE001 -- whatever the content does, only its own key may wait for it.
            if len(entries) > 1:
                # One of them fails: halves find it without giving up set-wise writes for the others.
                middle = len(entries) // 2
                self._apply(entries[:middle])
                self._apply(entries[middle:])
                return
            LOG.warning("ledger %s: entry %s is parked: %r", self.log_id, entries[0].index, error)
            self._park(entries[0], error)

    def _park(self, entry: Entry, error: Exception | str | None, *, tries: int = 1) -> None:
        self.blocked |= parking.keys_blocked_by(self.session, self.log_id, [entry])
        self.parked += 1
        self.failed += error is not None
        tries = 0 if error is None else tries
        parking.park(self.session, self.log_id, entry, error, tries=tries, at=self.now)
