"""Histories of batches: entries under their codes, and entries that moved goods of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, tuple_, union
from sqlalchemy import select as sql_select
from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.audit.history import LedgerEntryOrderField, logs_of
from plants.store.inventory.batches import Batch
from plants.store.inventory.movements import MovementRow
from plants.store.ledger.entries import LedgerEntry
from plants.store.sql import pages
from plants.store.sql.orders import Order


def batch_history_page(
    reads: ReadSession,
    scope: PlantScope,
    codes: Sequence[str],
    after: pages.Key | None,
    limit: int,
    *,
    order: Order[LedgerEntryOrderField],
) -> dict[str, list[LedgerEntry]]:
    """Return one page of the entries about each batch in this order, by code of the batch."""
    positions = _positions(scope, codes)
    code, log, idx = positions.selected_columns
    page = pages.page_of_each(positions, (code,), (log, idx), after, limit, descending=order.descending)
    listed = reads.connection().execute(page).all()
    row = LedgerEntry
    there = tuple_(col(row.log_id), col(row.idx)).in_({(log_id, index) for _, log_id, index in listed})
    entries = {(one.log_id, one.idx): one for one in reads.exec(select(row).where(there))}
    found = pages.by_parent(listed, lambda one: str(one[0]))
    return {of: [entries[log_id, index] for _, log_id, index in rows] for of, rows in found.items()}


def batch_history_count(reads: ReadSession, scope: PlantScope, codes: Sequence[str]) -> dict[str, int]:
    """Return how many entries there are about batches, by code of the batch."""
    positions = _positions(scope, codes)
    return pages.count_of_each(reads, positions, (positions.selected_columns[0],))


def _positions(scope: PlantScope, codes: Sequence[str]) -> Select[Any]:
    """Return the positions of the entries under each code, and of those that moved goods of the batch."""
    row, moved, logs, named = LedgerEntry, MovementRow, logs_of(scope), set(codes)
    known = sql_select(col(Batch.id), col(Batch.code)).where(col(Batch.code).in_(named), col(Batch.plant_id).in_(scope))
    batch = known.distinct().subquery().c
    both = union(
        sql_select(col(row.key).label("code"), col(row.log_id), col(row.idx)).where(
            col(row.log_id).in_(logs), col(row.key).in_(named)
        ),
        sql_select(batch.code, col(moved.plant_id), col(moved.entry_idx)).where(
            col(moved.batch_id) == batch.id, col(moved.plant_id).in_(logs)
        ),
    ).subquery()
    return sql_select(*both.c)
