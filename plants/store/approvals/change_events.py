"""The entries of ledgers that concern change requests, with the requests as they are now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Text, cast, literal, tuple_, union
from sqlalchemy import select as sql_select
from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.approvals.events import CHANGE_APPLIED, CHANGE_DECIDED, CHANGE_REFUSED, CHANGE_REQUESTED
from plants.rules.ledger.events import Subject
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_requests import (
    Change,
    ChangeDecisionRow,
    ChangeRequestRow,
    ChangesFilter,
    changes_matching,
)
from plants.store.audit.subjects import About, Positions, positions_of
from plants.store.audit.tails import Span
from plants.store.ledger.decoding import decode
from plants.store.ledger.entries import LedgerEntry
from plants.store.ledger.logs import logs_of

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


@positions_of(Subject.CHANGE_REQUEST)
def _change_requests(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the entries that made each request, decided on it, and applied or refused it."""
    row, decision, separator = ChangeRequestRow, ChangeDecisionRow, literal("/")
    named: tuple[Any, ...] = (
        tuple_(col(row.plant_id), col(row.change_id)).in_([one.parts for one in things]),
        col(row.plant_id).in_(scope),
    )
    decided = tuple_(col(decision.plant_id), col(decision.change_id)).in_([one.parts for one in things])
    name = cast(col(row.plant_id), Text) + separator + cast(col(row.change_id), Text)
    selections: tuple[Any, ...] = (
        sql_select(name.label("name"), col(row.plant_id), col(row.change_id)).where(*named),
        sql_select(name, col(row.plant_id), col(row.closed_idx)).where(*named, col(row.closed_idx).is_not(None)),
        sql_select(
            cast(col(decision.plant_id), Text) + separator + cast(col(decision.change_id), Text),
            col(decision.log_id),
            col(decision.idx),
        ).where(decided, col(decision.plant_id).in_(scope)),
    )
    return union(*selections)
