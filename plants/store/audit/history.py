"""The ledgers as they are read: entries by what they say of whom and when, in the order of their positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import CompoundSelect, tuple_, union
from sqlalchemy import select as sql_select
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import LedgerKind, decode, kind_of
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.audit.corrections import CorrectionRow
from plants.store.inventory.batches import Batch
from plants.store.inventory.movements import MovementRow
from plants.store.ledger.entries import LedgerEntry, Log
from plants.store.materials.plants import narrowed, plants_admitted
from plants.store.sql import pages
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order

Position = tuple[int, int]
"""A ledger's log id and an index in it."""


class LedgerEntryOrderField(DescribedEnum):
    """Field to order ledger entries by."""

    RECORDED = "RECORDED", "The ledger, and within it the order in which the entries were recorded."


BY_POSITION: Final = Order(LedgerEntryOrderField.RECORDED)


@dataclass(frozen=True, slots=True)
class EntriesFilter:
    """Criteria for entries, and their order. A field that is None does not filter. Times are microseconds.

    `batch` is the code of a batch: its history has the entries under the code, and those that moved goods of it.
    """

    plant: CodeCriterion | None = None
    kind: MemberCriterion[LedgerKind] | None = None
    index: Span[int] | None = None
    key: CodeCriterion | None = None
    batch: str | None = None
    type: CodeCriterion | None = None
    actor: CodeCriterion | None = None
    request: CodeCriterion | None = None
    occurred_us: Span[int] | None = None
    recorded_us: Span[int] | None = None
    order: Order[LedgerEntryOrderField] = BY_POSITION


def log_named(reads: ReadSession, scope: PlantScope, plant: str | None, kind: LedgerKind, own: int) -> int | None:
    """Return the log id of a ledger that this store holds and the scope covers, or None.

    Without a plant it is the ledger of the node itself, whose number is `own`.
    """
    number = HUB if kind is LedgerKind.HUB else own
    numbers = scope & {number} if plant is None or kind is LedgerKind.HUB else narrowed(reads, scope, plant)
    log_id = next((-one if kind is LedgerKind.DIRECTIVES else one for one in numbers), None)
    return None if log_id is None else reads.scalar(select(Log.log_id).where(Log.log_id == log_id))


def log_size(reads: ReadSession, scope: PlantScope, log_id: int) -> int:
    """Return the number of entries of a ledger, 0 where the scope does not cover it."""
    if log_id not in logs_of(scope):
        return 0
    return reads.scalar(select(Log.size).where(Log.log_id == log_id)) or 0


def logs_of(scope: frozenset[int]) -> set[int]:
    """Return the ledgers of plants: each plant's own and its directives; of the hub its own."""
    return {*scope, *(-plant for plant in scope if plant != HUB)}


def origins(reads: ReadSession, scope: PlantScope) -> dict[int, str]:
    """Return the origins of the ledgers in the scope, by log id."""
    return {log.log_id: log.origin for log in reads.exec(select(Log).where(col(Log.log_id).in_(logs_of(scope))))}


def entries_at(reads: ReadSession, scope: PlantScope, positions: Sequence[Position]) -> dict[Position, LedgerEntry]:
    """Return entries by position."""
    row = LedgerEntry
    here = tuple_(col(row.log_id), col(row.idx)).in_(set(positions))
    found = select(row).where(here, col(row.log_id).in_(logs_of(scope)))
    return {(one.log_id, one.idx): one for one in reads.exec(found)}


def refusal_data_at(
    reads: ReadSession, scope: PlantScope, positions: Sequence[Position]
) -> dict[Position, dict[str, str]]:
    """Return the data of refusals by the position of the entry that records each; none for a pruned entry."""
    found = entries_at(reads, scope, positions)
    return {place: decode(row.body)["payload"].get("data", {}) for place, row in found.items() if row.body}


def corrections_at(
    reads: ReadSession, scope: PlantScope, positions: Sequence[Position]
) -> dict[Position, CorrectionRow]:
    """Return what was said against entries, by position."""
    row = CorrectionRow
    here = tuple_(col(row.plant_id), col(row.entry_idx)).in_(set(positions))
    found = select(row).where(here, col(row.plant_id).in_(scope))
    return {(one.plant_id, one.entry_idx): one for one in reads.exec(found)}


def entries_page(
    reads: ReadSession, scope: PlantScope, filters: EntriesFilter, after: pages.Key | None, limit: int
) -> Sequence[LedgerEntry]:
    """Return one page of entries, by ledger and position."""
    key = col(LedgerEntry.log_id), col(LedgerEntry.idx)
    found = pages.page(entries_matching(reads, scope, filters), key, after, limit, descending=filters.order.descending)
    return reads.exec(found).all()


def entries_count(reads: ReadSession, scope: PlantScope, filters: EntriesFilter) -> int:
    """Return how many entries there are."""
    return pages.count(reads, entries_matching(reads, scope, filters))


def entries_from(
    reads: ReadSession, scope: PlantScope, log_id: int, index: int, limit: int
) -> Sequence[LedgerEntry] | None:
    """Return what a ledger holds from an index on, up to a limit; None when the scope does not cover the ledger."""
    if log_id not in logs_of(scope):
        return None
    row = LedgerEntry
    return reads.exec(
        select(row).where(row.log_id == log_id, row.idx >= index).order_by(col(row.idx)).limit(limit)
    ).all()


def entries_by_origin(
    reads: ReadSession, scope: PlantScope, named: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], LedgerEntry]:
    """Return entries by the origin of their ledger and their index."""
    logs = {origin: log for log, origin in origins(reads, scope).items()}
    places = {one: (logs[one[0]], one[1]) for one in named if one[0] in logs}
    found = entries_at(reads, scope, list(places.values()))
    return {one: found[place] for one, place in places.items() if place in found}


def entries_matching(reads: ReadSession, scope: PlantScope, filters: EntriesFilter) -> SelectOfScalar[LedgerEntry]:
    """Return the selection of entries in the scope that match a filter."""
    row = LedgerEntry
    logs = {
        log
        for log in logs_of(plants_admitted(reads, scope, filters.plant))
        if filters.kind is None or filters.kind.admits(kind_of(log))
    }
    found = select(row).where(col(row.log_id).in_(logs))
    if filters.batch is not None:
        found = found.where(tuple_(col(row.log_id), col(row.idx)).in_(_about(scope, logs, filters.batch)))
    criteria = {
        row.idx: filters.index,
        row.type: filters.type,
        row.key: filters.key,
        row.actor: filters.actor,
        row.request: filters.request,
        row.occurred_us: filters.occurred_us,
        row.recorded_us: filters.recorded_us,
    }
    return filtered(found, criteria)


def _about(scope: PlantScope, logs: set[int], code: str) -> CompoundSelect[Position]:
    """Return the positions of entries under a batch's code, and of those that moved goods of it."""
    row, moved = LedgerEntry, MovementRow
    known = select(Batch.id).where(Batch.code == code, col(Batch.plant_id).in_(scope))
    return union(
        sql_select(col(row.log_id), col(row.idx)).where(col(row.log_id).in_(logs), col(row.key) == code),
        sql_select(col(moved.plant_id), col(moved.entry_idx)).where(
            col(moved.batch_id).in_(known), col(moved.plant_id).in_(logs)
        ),
    )
