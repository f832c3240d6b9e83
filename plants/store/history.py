"""The ledgers as they are read: entries by what they say of whom and when, in the order of their positions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select as sql_select
from sqlalchemy import tuple_, union
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.codes import HUB
from plants.rules.scope import PlantScope
from plants.store import pages
from plants.store.ledger import LedgerEntry, Log
from plants.store.master import narrowed
from plants.store.tables import CorrectionRow, MovementRow

Position = tuple[int, int]
"""A ledger's log id and an index in it."""


@dataclass(frozen=True, slots=True)
class EntriesSought:
    """Which entries are wanted; what is not given does not matter. Times are microseconds, the later one excluded.

    `batch` with `key` asks for the history of a batch: what its code stands over, and what moved goods of it.
    """

    plant: str | None = None
    key: str | None = None
    batch: int | None = None
    type: str | None = None
    actor: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    newest_first: bool = False


def logs_of(scope: frozenset[int]) -> set[int]:
    """Return the ledgers of plants: each plant's own and its directives; of the hub its own."""
    return {*scope, *(-plant for plant in scope if plant != HUB)}


def origins(reads: ReadSession, scope: PlantScope) -> dict[int, str]:
    """Return the origins of the ledgers in the scope, by log id."""
    return {log.log_id: log.origin for log in reads.exec(select(Log).where(col(Log.log_id).in_(logs_of(scope))))}


def origins_by_log(reads: ReadSession, scope: PlantScope, logs: Sequence[int]) -> dict[int, str]:
    """Return the origins of these ledgers, as far as they are in the scope."""
    return {log: origin for log, origin in origins(reads, scope).items() if log in logs}


def entries_at(reads: ReadSession, scope: PlantScope, positions: Sequence[Position]) -> dict[Position, LedgerEntry]:
    """Return entries by position."""
    row = LedgerEntry
    here = tuple_(col(row.log_id), col(row.idx)).in_(set(positions))
    found = select(row).where(here, col(row.log_id).in_(logs_of(scope)))
    return {(one.log_id, one.idx): one for one in reads.exec(found)}


def corrections_at(
    reads: ReadSession, scope: PlantScope, positions: Sequence[Position]
) -> dict[Position, CorrectionRow]:
    """Return what was said against entries, by position."""
    row = CorrectionRow
    here = tuple_(col(row.plant_id), col(row.entry_idx)).in_(set(positions))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.entry_idx): one for one in reads.exec(found)}


def entries_page(
    reads: ReadSession, scope: PlantScope, sought: EntriesSought, after: pages.Key | None, limit: int
) -> Sequence[LedgerEntry]:
    """Return one page of entries, by ledger and position."""
    key = col(LedgerEntry.log_id), col(LedgerEntry.idx)
    found = pages.page(_sought(reads, scope, sought), key, after, limit, descending=sought.newest_first)
    return reads.exec(found).all()


def entries_count(reads: ReadSession, scope: PlantScope, sought: EntriesSought) -> int:
    """Return how many entries there are."""
    return pages.count(reads, _sought(reads, scope, sought))


def entries_from(
    reads: ReadSession, scope: PlantScope, plant: str | None, starts: dict[int, int], limit: int
) -> tuple[dict[int, int], list[LedgerEntry]]:
    """Return the ledgers of one plant, or of all in the scope, with their sizes, and what they hold from the starts on.

    A ledger without a start is given none of its entries.
    """
    logs = {one for one in narrowed(reads, scope, plant)}
    sizes = {log.log_id: log.size for log in reads.exec(select(Log).where(col(Log.log_id).in_(logs)))}
    entries: list[LedgerEntry] = []
    for log in sorted(sizes):
        row = LedgerEntry
        if starts.get(log, sizes[log]) < sizes[log]:
            wanted = row.log_id == log, row.idx >= starts[log]
            entries += reads.exec(select(row).where(*wanted).order_by(col(row.idx)).limit(limit))
    return sizes, entries


def _sought(reads: ReadSession, scope: PlantScope, sought: EntriesSought) -> SelectOfScalar[LedgerEntry]:
    row = LedgerEntry
    logs = logs_of(narrowed(reads, scope, sought.plant))
    found = select(row).where(col(row.log_id).in_(logs))
    if sought.batch is not None:
        keyed = sql_select(col(row.log_id), col(row.idx)).where(col(row.log_id).in_(logs), col(row.key) == sought.key)
        moved = sql_select(col(MovementRow.plant_id), col(MovementRow.entry_idx)).where(
            col(MovementRow.batch_id) == sought.batch, col(MovementRow.plant_id).in_(logs)
        )
        found = found.where(tuple_(col(row.log_id), col(row.idx)).in_(union(keyed, moved)))
    elif sought.key is not None:
        found = found.where(row.key == sought.key)
    for column, value in ((row.type, sought.type), (row.actor, sought.actor)):
        if value is not None:
            found = found.where(column == value)
    if sought.since_us is not None:
        found = found.where(row.occurred_us >= sought.since_us)
    if sought.until_us is not None:
        found = found.where(row.occurred_us < sought.until_us)
    return found
