"""The hub applies stored entries to its tables, plant by plant, and parks those that cannot be applied.

Parked entries and those blocked behind them are left out (`sync_jobs.projection.parking`) and retried later
(`sync_jobs.projection.retrying`). An entry applied later therefore meets the same rows as it would have in order, and
the tables equal those of a rebuild. Above PARKED_MAX parked entries the whole plant halts. A failure stops neither
intake nor another plant.

A slice is applied in one transaction, optimistically: all entries at once, without savepoints. If that fails, it is
applied again in halves until the failing entry is isolated. An entry may also crash the program, so each slice is
stored before it starts. A slice that neither succeeded nor failed is made smaller next time, until the entry that
crashes the program is alone and is parked.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from infra import garbage_collection
from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.ledger.events import Entry
from plants.rules.replication.pace import ENTRIES_MIN, paced
from plants.store.ledger import logs
from plants.store.ledger.entries import entries_between
from plants.store.projection import applying
from plants.store.projection.applying import UnknownEvent
from plants.store.replication import leases, projection_faults, status
from plants.store.replication.leases import Lease
from plants.store.replication.parked_entries import skipped_between
from plants.store.replication.projection_attempts import SliceAttempt, begin_attempt, end_attempt, last_attempt
from sync_jobs.backoff import LONGEST_WAIT
from sync_jobs.projection import parking
from sync_jobs.projection.retrying import begin_projection, retry_due, retry_understood

SLICE_ENTRIES: Final = 4000  # of one transaction
JOB_ENTRIES: Final = 20_000  # that one run of the job applies before other jobs run
AT_ONCE: Final = 2  # plants whose slices are applied concurrently
SHRINK: Final = 16  # a slice that crashed the program is divided by this, so that four crashes isolate one entry
GROW: Final = 2
TURNS_MAX: Final = timedelta(seconds=10)  # between two slices of a plant with a backlog
LOG = logging.getLogger(__name__)


def backlog_by_plant(store: Store, clock: Clock) -> dict[int, int]:
    """Return how many entries of each plant wait to be applied; 0 where only a parked entry is due.

    Entries that an older program did not understand and this one does become due.
    """
    with store.transaction() as session:
        now = clock.now()
        retry_understood(session, now)
        backlog = dict.fromkeys(projection_faults.ledgers_due(session, now, LONGEST_WAIT), 0)
        return backlog | logs.backlogs(session)


def project_behind(store: Store, clock: Clock, holder: str, *, at_once: int = 1) -> int:
    """Apply one slice of every plant with a backlog, and retry what is due; returns how many entries were applied.

    The plants with the smallest backlog go first, so that a large one delays the others by one slice at most. With two
    at once, PostgreSQL writes the rows of one plant while those of the other are computed.
    """
    backlog = backlog_by_plant(store, clock)
    smallest_first = sorted(backlog, key=lambda log_id: (backlog[log_id], log_id))
    project = partial(project_pending, store, clock=clock, holder=holder)
    if at_once == 1 or len(smallest_first) == 1:
        return sum(map(project, smallest_first))
    with ThreadPoolExecutor(at_once, thread_name_prefix="projection") as threads:
        return sum(threads.map(project, smallest_first))


def project_turns(store: Store, clock: Clock, holder: str) -> bool:
    """Apply slices until nothing is left or JOB_ENTRIES were applied; returns whether more is left."""
    at_once = AT_ONCE if store.dialect == "postgresql" else 1
    applied = 0
    while found := project_behind(store, clock, holder, at_once=at_once):
        # Several slices per run amortise the job's message; the limit lets other jobs run.
        applied += found
        if applied >= JOB_ENTRIES:
            return True
    return False


def project_pending(store: Store, log_id: int, *, clock: Clock, holder: str, limit: int = SLICE_ENTRIES) -> int:
    """Retry what is due and apply the next entries of one plant; returns how many were applied.

    A failure is stored as a fault and logged; only a failure of the database is raised.
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
        LOG.warning("ledger %s: another process has taken over its projection", log_id)
        return 0
    except Exception as error:
        LOG.exception("ledger %s: its projection is halted", log_id)
        with store.transaction() as session:
            begin_projection(session, lease, clock.now())
            end_attempt(session, log_id)
            text = f"{type(error).__name__}: {error}".replace("\0", "")
            parking.halt(session, log_id, text, clock.now(), retry=True)
            lease.end(session)
        return 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """The number of entries to apply, the limit of a slice, and a flag: the next entry has crashed programs."""

    entries: int
    limit: int
    ends_programs: bool = False


def _begin_attempt(session: Session, log_id: int, limit: int) -> Attempt:
    """Store the next slice before it starts: smaller when the last one neither succeeded nor failed."""
    _, low = logs.watermark(session, log_id)
    last = last_attempt(session, log_id)
    entries, attempts = limit, 1
    if last is not None and last.low == low:
        if last.attempts == 0:
            entries = min(limit, last.entries)  # the last slice succeeded, at a reduced size.
        elif last.entries > 1:
            entries = max(1, min(limit, last.entries) // SHRINK)
        else:
            entries, attempts = 1, last.attempts + 1
    begin_attempt(session, log_id, SliceAttempt(low, entries, attempts))
    return Attempt(entries, limit, ends_programs=attempts > parking.TRIES_MAX)


def _project_slice(store: Store, log_id: int, lease: Lease, clock: Clock, attempt: Attempt) -> int:
    """Apply the slice and release the lease in one transaction; isolate failures only when that fails."""
    try:
        with garbage_collection.paused(), store.transaction() as session:
            session.commit_asynchronously()  # rows and watermark commit together: lost entries are applied again.
            now = clock.now()
            begin_projection(session, lease, now)
            applied = Slice(session, log_id, now).run(attempt)
            _keep_pace(session, log_id, applied, now, clock.now())
            lease.end(session)
    except leases.LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 -- the second pass shows whether one entry is the cause.
        LOG.warning("ledger %s: a slice is applied again to isolate the failure: %r", log_id, error)
        with store.transaction() as session:
            begin_projection(session, lease, clock.now())
            applied = Slice(session, log_id, clock.now(), isolate_failures=True).run(attempt)
            lease.end(session)
    return applied


def _keep_pace(session: Session, log_id: int, applied: int, began: datetime, now: datetime) -> None:
    """Store how fast a plant's entries are applied, including the time in which other plants had their turn."""
    if applied < ENTRIES_MIN:
        return
    before = status.known(session, log_id)
    since = began
    if before.applied_at is not None and timedelta(0) < began - before.applied_at <= TURNS_MAX:
        since = before.applied_at
    status.keep_applied_pace(session, log_id, paced(before.applied_pace, applied, now - since), now)


@dataclass(slots=True)
class _ApplicableEntries:
    """Yields entries until one must be parked.

    Parking needs the preceding entries applied, because it resolves batch codes to ids through the tables.
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
    """The entries of one plant that are applied in one transaction."""

    session: Session
    log_id: int
    now: datetime
    isolate_failures: bool = False
    parked: int = 0
    failed: int = 0
    blocked: set[str] = field(default_factory=set)
    applied: int = 0

    def run(self, attempt: Attempt) -> int:
        """Apply the entries after the watermark and move it; returns how many were applied."""
        session, log_id = self.session, self.log_id
        size, projected = logs.watermark(session, log_id)
        high = min(size, projected + attempt.entries)
        if attempt.entries < attempt.limit:
            begin_attempt(session, log_id, SliceAttempt(high, GROW * attempt.entries, 0))
        else:
            end_attempt(session, log_id)
        if high == projected or projection_faults.is_halted(session, log_id):
            return 0
        before = projection_faults.parked_entries(session, log_id)
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
        logs.move_watermark(session, log_id, high)
        if self.failed:
            parking.update_alarm(session, log_id, self.now)
        if self.parked > parking.PARKED_MAX:
            why = parking.TOO_MANY(limit=parking.PARKED_MAX)
            parking.halt(session, log_id, why, self.now, retry=False)
        return self.applied

    def _apply_optimistically(self, entries: Iterator[Entry]) -> None:
        """Apply entries as they are read, so that few are in memory at once; raises what any of them raises."""
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
        except Exception as error:  # noqa: BLE001 -- any failure of the content may block its own keys only.
            if len(entries) > 1:
                # Halving isolates the failing entry and keeps bulk writes for the others.
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
