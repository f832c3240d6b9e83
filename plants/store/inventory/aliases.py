"""Lists of aliases of batches."""

from collections.abc import Sequence

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Alias
from plants.store.sql import pages


def aliases_page(
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[Alias]]:
    """Return one page of the aliases in force of each batch, by plant, scheme, issuer and value."""
    key = col(Alias.plant_id), col(Alias.scheme), col(Alias.issuer), col(Alias.value)
    found = pages.page_of_each(_aliases(scope, ids), (col(Alias.batch_id),), key, after, limit)
    return pages.by_parent(reads.exec(found), lambda row: row.batch_id)


def aliases_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many aliases in force batches have."""
    return pages.count_of_each(reads, _aliases(scope, ids), (col(Alias.batch_id),))


def aliases_named(
    reads: ReadSession, scope: PlantScope, named: Sequence[tuple[int, int, str, str, str]]
) -> dict[tuple[int, int, str, str, str], Alias]:
    """Return aliases in force by plant, batch, scheme, issuer and value."""
    key = tuple_(col(Alias.plant_id), col(Alias.batch_id), col(Alias.scheme), col(Alias.issuer), col(Alias.value))
    rows = reads.exec(_aliases(scope, [batch for _, batch, *_ in named]).where(key.in_(set(named))))
    return {(row.plant_id, row.batch_id, row.scheme, row.issuer, row.value): row for row in rows}


def _aliases(scope: PlantScope, ids: Sequence[int]) -> SelectOfScalar[Alias]:
    row = Alias
    wanted = col(row.batch_id).in_(set(ids)), col(row.plant_id).in_(scope), col(row.ended_idx).is_(None)
    return select(row).where(*wanted)
