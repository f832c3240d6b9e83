"""Process records of batches: the one that made a batch, and those that used it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func
from sqlalchemy import select as sql_select
from sqlmodel import col

from infra.database import ReadSession
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.production.process_records import ProcessKind
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.edges import Edge
from plants.store.production.process_records import ProcessRow, processes_by_id
from plants.store.sql import pages

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
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[ProcessRow]]:
    """Return one page of the process records that used each batch, in the order of their ids."""
    found = _users(scope, ids)
    batch, record = found.selected_columns
    rows = reads.connection().execute(pages.page_of_each(found, (batch,), (record,), after, limit)).all()
    records = processes_by_id(reads, scope, [number for _, number in rows])
    users = pages.by_parent(rows, lambda row: int(row[0]))
    return {of: [records[number] for _, number in some] for of, some in users.items()}


def used_by_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many process records used batches."""
    found = _users(scope, ids)
    return pages.count_of_each(reads, found, (found.selected_columns[0],))


def _users(scope: PlantScope, ids: Sequence[int]) -> Select[Any]:
    """Return the process records that batches went into, each once. Transfers and shipments use nothing up."""
    batch, record = col(Edge.source_id), col(Edge.target_id)
    row = ProcessRow
    stated = exists().where(
        col(row.id) == record,
        col(row.plant_id).in_(scope),
        col(row.kind).not_in((ProcessKind.TRANSFER, ProcessKind.SHIPMENT)),
    )
    users = sql_select(batch, record).where(batch.in_(set(ids)), col(Edge.plant_id).in_(scope), stated)
    return sql_select(*users.distinct().subquery().c)
