"""Retries parked entries: when due, when an operator asks, or when a newer program knows their type.

An attempt is counted and committed before it is made. So an entry that crashes the program is not retried forever.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime

from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.ledger.events import Entry
from plants.store.ledger.entries import entry_at
from plants.store.ledger.logs import lock_for_projection
from plants.store.materials.series import next_numbers, raise_series
from plants.store.projection import applying
from plants.store.replication import projection_faults
from plants.store.replication.leases import Lease, LeaseLost
from plants.store.replication.projection_faults import Fault, retry_blocked
from sync_jobs.backoff import LONGEST_WAIT, is_due
from sync_jobs.projection import parking

LOG = logging.getLogger(__name__)


def begin_projection(session: Session, lease: Lease, now: datetime) -> None:
    """Begin a transaction that applies entries: renew the lease, then take the lock that excludes a rebuild."""
    lease.renew(session, now)
    lock_for_projection(session)


def retry_now(session: Session, now: datetime, log_id: int = 0) -> int:
    """Make the failed entries of a plant, or of all plants, due now and reset their attempts; returns how many."""
    return projection_faults.retry_failed(session, now, log_id)


def retry_understood(session: Session, now: datetime) -> int:
    """Make due what an older program parked because it did not know the type or version; returns how many."""
    return sum(
        projection_faults.retry_kind(session, kind, version, now)
        for kind, version in projection_faults.unknown_kinds(session)
        if applying.understands(kind, version)
    )


def retry_due(store: Store, log_id: int, lease: Lease, clock: Clock) -> int:
    """Retry the entries that are due, and those they block, in order; each in a transaction of its own.

    The transaction that applies an entry also makes the entries behind it due, so that a crash between two of them
    strands none. Entries that are still blocked at the end are no longer due. Returns how many were applied.
    """
    now = clock.now()
    with store.transaction() as session:
        if not projection_faults.is_due(session, log_id, now, LONGEST_WAIT):
            return 0
        begin_projection(session, lease, now)
        parking.unhalt(session, log_id, now)
        faults = projection_faults.faults_of(session, log_id)
    retries = _Pass(store, log_id, lease, clock)
    applied = sum(map(retries.retry, faults))
    with store.transaction() as session:
        begin_projection(session, lease, clock.now())
        retries.stop_retrying_blocked(session)
        parking.update_alarm(session, log_id, clock.now())
    return applied


def _may_be_retried(fault: Fault, now: datetime) -> bool:
    """Tell whether a fault is due; a blocked entry is as soon as nothing blocks it."""
    return fault.error is None or (fault.next_attempt_at is not None and is_due(fault.next_attempt_at, now))


@dataclass(slots=True)
class _Pass:
    """One pass over the parked entries of a plant. `blocked` are the keys of `remaining`, the positions that failed."""

    store: Store
    log_id: int
    lease: Lease
    clock: Clock
    blocked: set[str] = field(default_factory=set)
    remaining: set[int] = field(default_factory=set)

    def retry(self, fault: Fault) -> bool:
        """Retry one fault unless it is blocked or not due; returns whether it was applied."""
        log_id, now = self.log_id, self.clock.now()
        with self.store.transaction() as session:
            begin_projection(session, self.lease, now)
            entry = entry_at(session, log_id, fault.idx)
            assert entry is not None
            if not _may_be_retried(fault, now) or not self.blocked.isdisjoint(parking.touched_keys(entry)):
                self._keep(session, entry, failed=fault.error is not None)
                return False
            if fault.attempts >= parking.TRIES_MAX:
                # Every attempt was counted and none of them ended: the entry crashes the program.
                self._keep(session, entry)
                parking.park(session, log_id, entry, parking.PROGRAM_ENDED, tries=fault.attempts, at=now)
                return False
            if not projection_faults.count_attempt(session, log_id, fault.idx, now):
                return False  # an operator skipped it after the list was read.
        try:
            with self.store.transaction() as session:
                begin_projection(session, self.lease, self.clock.now())
                if not projection_faults.delete_fault(session, log_id, fault.idx):
                    return False
                _apply_out_of_turn(session, log_id, entry)
                retry_blocked(session, log_id, now)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 -- any failure of the content leaves the entry parked, with its reason.
            LOG.warning("ledger %s: entry %s remains parked: %r", log_id, entry.index, error)
            with self.store.transaction() as session:
                begin_projection(session, self.lease, self.clock.now())
                self._keep(session, entry)
                parking.park(session, log_id, entry, error, tries=fault.attempts + 1, at=now)
            return False
        return True

    def _keep(self, session: Session, entry: Entry, *, failed: bool = True) -> None:
        self.blocked |= parking.keys_blocked_by(session, self.log_id, [entry])
        if failed:
            self.remaining.add(entry.index)

    def stop_retrying_blocked(self, session: Session) -> None:
        """Stop retrying blocked entries, unless an operator has skipped one of those that block them."""
        if self.remaining <= projection_faults.failed_positions(session, self.log_id):
            projection_faults.stop_retrying_blocked(session, self.log_id)


def _apply_out_of_turn(session: Session, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    names = payload.get("series", {}) if isinstance(payload, dict) else {}
    before = {name: number for name, number in next_numbers(session, log_id).items() if name in names} if names else {}
    applying.apply(session, log_id, (entry,))
    for name, following in before.items():
        # A number series only rises: an old entry applied out of turn must not set it back.
        raise_series(session, log_id, name, following)
