"""Ledgers as streams: their sizes, and the entries between two positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.audit.history import EntriesFilter, entries_matching
from plants.store.ledger.entries import LedgerEntry, Log
from plants.store.ledger.logs import logs_of


@dataclass(frozen=True, slots=True)
class Span:
    """Positions of one ledger, from `start` up to but not including `end`, and how many rows to read of them."""

    log_id: int
    start: int
    end: int
    limit: int


def stored_sizes(reads: ReadSession, scope: PlantScope) -> Mapping[int, int]:
    """Return the number of entries of each ledger in the scope, by log id."""
    row = Log
    return dict(reads.exec(select(row.log_id, row.size).where(col(row.log_id).in_(logs_of(scope)))).all())


def applied_sizes(reads: ReadSession, scope: PlantScope) -> Mapping[int, int]:
    """Return the number of entries of each ledger in the scope that are applied to the tables, by log id."""
    row = Log
    return dict(reads.exec(select(row.log_id, row.projected).where(col(row.log_id).in_(logs_of(scope)))).all())


def entries_in(
    reads: ReadSession, scope: PlantScope, filters: EntriesFilter, span: Span
) -> Sequence[LedgerEntry] | None:
    """Return the first entries of a span that match a filter; None if the scope does not cover the ledger.

    The head of a ledger is locked while it grows, so no entry is committed below a size that was read.
    """
    if span.log_id not in logs_of(scope):
        return None
    row = LedgerEntry
    found = entries_matching(reads, scope, filters).where(
        row.log_id == span.log_id, col(row.idx) >= span.start, col(row.idx) < span.end
    )
    return reads.exec(found.order_by(col(row.idx)).limit(span.limit)).all()
