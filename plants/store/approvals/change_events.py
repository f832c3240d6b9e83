"""The entries of ledgers that concern change requests, with the requests as they are now."""

from collections.abc import Mapping, Sequence

from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.approvals.events import CHANGE_APPLIED, CHANGE_DECIDED, CHANGE_REFUSED, CHANGE_REQUESTED
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_requests import (
    Change,
    ChangeDecisionRow,
    ChangeRequestRow,
    ChangesFilter,
    changes_matching,
)
from plants.store.audit.history import logs_of
from plants.store.audit.tails import Span
from plants.store.ledger.decoding import decode
from plants.store.ledger.entries import LedgerEntry

EVENTS = (CHANGE_REQUESTED, CHANGE_DECIDED, CHANGE_APPLIED, CHANGE_REFUSED)
ChangeEvent = tuple[int, ChangeRequestRow | None]
"""The index of an entry, and its change request; None for one that the filter leaves out."""


def change_events(
    reads: ReadSession, scope: PlantScope, filters: ChangesFilter, span: Span
) -> Sequence[ChangeEvent] | None:
    """Return the first entries of a span about change requests; None if the scope does not cover the ledger.

    The span ends at or below the number of applied entries, so that each request is in the tables.
    """
    if span.log_id not in logs_of(scope):
        return None
    row, plant = LedgerEntry, abs(span.log_id)
    found = select(row).where(
        row.log_id == span.log_id,
        col(row.idx) >= span.start,
        col(row.idx) < span.end,
        col(row.type).in_([one.name for one in EVENTS]),
    )
    entries = reads.exec(found.order_by(col(row.idx)).limit(span.limit)).all()
    pruned = _changes_of_pruned(reads, plant, [one for one in entries if not one.body])
    ids: dict[int, Change] = {}
    for one in entries:
        change = one.idx if one.type == CHANGE_REQUESTED.name else pruned.get(one.idx)
        ids[one.idx] = plant, decode(one.body)["payload"]["change"] if change is None else change
    rows = changes_matching(reads, scope, filters, list(ids.values()))
    return [(one.idx, rows.get(ids[one.idx])) for one in entries]


def _changes_of_pruned(reads: ReadSession, plant: int, entries: Sequence[LedgerEntry]) -> Mapping[int, int]:
    """Return the numbers of the change requests of entries without a body, by their indexes, from the tables."""
    indexes = {one.idx for one in entries if one.type != CHANGE_REQUESTED.name}
    if not indexes:
        return {}
    log_id = entries[0].log_id
    decided, closed = ChangeDecisionRow, ChangeRequestRow
    decisions = select(decided.idx, decided.change_id).where(decided.log_id == log_id, col(decided.idx).in_(indexes))
    closings = select(closed.closed_idx, closed.change_id).where(
        closed.plant_id == plant, col(closed.closed_idx).in_(indexes)
    )
    ends = {idx: change for idx, change in reads.exec(closings) if idx is not None}
    return dict(reads.exec(decisions).all()) | ends
