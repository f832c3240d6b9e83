"""Rebuild the tables from the ledgers."""

from collections.abc import Callable

from infra.database import Session
from plants.store.ledger.pruning import check_bodies
from plants.store.projection.rebuilding import apply_again, empty_tables, lock_ledgers

ENTRIES_AT_ONCE = 1_000  # whose row writes are held in memory together: of the largest entries 65 MB


def rebuild(session: Session, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Make every table of the projection again from the ledgers in this store; returns how many entries were applied.

    Exactly what was applied before is applied again: the entries below each ledger's `projected` but for those that
    are parked. `progress` receives the number of entries done, and the total. All in the caller's transaction: until it
    commits, readers see the tables as they were, and nobody else writes. Raises UnknownEvent for an entry that a newer
    program wrote, and BodiesElsewhere, before anything is changed, where bodies were pruned and not brought back.
    """
    logs = lock_ledgers(session)
    check_bodies(session)
    empty_tables(session)
    total, done, applied = sum(size for _, size in logs), 0, 0
    for log_id, size in logs:
        for low in range(0, size, ENTRIES_AT_ONCE):
            if progress is not None:
                progress(done, total)
            high = min(low + ENTRIES_AT_ONCE, size)
            applied += apply_again(session, log_id, low, high)
            done += high - low
    if progress is not None:
        progress(done, total)
    return applied
