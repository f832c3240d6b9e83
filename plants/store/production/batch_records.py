"""Process records of batches: the one that made a batch, and those that used it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func
from sqlalchemy import select as sql_select
from sqlmodel import col

from infra.database import ReadSession
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.edges import Edge
from plants.store.production.process_listings import LISTED_APART, ProcessRecordOrderField, sort_key
from plants.store.production.process_records import ProcessRow, processes_by_id
from plants.store.sql import pages
from plants.store.sql.orders import Order

MADE_WITH = (MaterialUse.PRODUCED, MaterialUse.BY_PRODUCT, MaterialUse.CO_PRODUCT, MaterialUse.SAMPLE)


def made_by(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, ProcessRow]:
    """Return by batch the process record that made it. A received batch has none."""
    batch, record = col(Edge.target_id), func.min(col(Edge.source_id))
    wanted = batch.in_(set(ids)), col(Edge.use).in_(MADE_WITH), col(Edge.plant_id).in_(scope)
    rows = reads.connection().execute(sql_select(batch, record).where(*wanted).group_by(batch))
    makers = {int(made): int(maker) for made, maker in rows}
    records = processes_by_id(reads, scope, list(makers.values()))
    return {made: records[maker] for made, maker in makers.items() if maker in records}


def used_by_page(
    reads: ReadSession,
    scope: PlantScope,
    ids: Sequence[int],
    after: pages.Key | None,
    limit: int,
    *,
    order: Order[ProcessRecordOrderField],
) -> dict[int, list[ProcessRow]]:
    """Return one page of the process records that used each batch, in this order."""
    users = _users(scope, ids)
    batch, *_ = users.selected_columns
    found: Any = pages.page_of_each(users, (batch,), sort_key(order), after, limit, descending=order.descending)
    records = pages.by_parent(reads.exec(found), lambda one: one[0])
    return {batch_id: [record for _, record in some] for batch_id, some in records.items()}


def used_by_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many process records used batches."""
    users = _users(scope, ids)
    batch, *_ = users.selected_columns
    return pages.count_of_each(reads, users, (batch,))


def _users(scope: PlantScope, ids: Sequence[int]) -> Select[Any]:
    """Return the process records that batches went into, each once. Transfers and shipments use nothing up."""
    batch, row = col(Edge.source_id), ProcessRow
    fed = sql_select(batch, col(Edge.target_id)).where(batch.in_(set(ids)), col(Edge.plant_id).in_(scope))
    used = fed.distinct().subquery().c
    stated = col(row.plant_id).in_(scope), col(row.kind).not_in(LISTED_APART)
    return sql_select(used.source_id, row).where(col(row.id) == used.target_id, *stated)
