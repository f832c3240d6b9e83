"""The ledgers as they are read: entries by what they say of whom and when, in the order of their positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import false, or_, tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import LedgerKind, decode, kind_of
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.audit.subjects import About, positions_about
from plants.store.ledger.corrected_entries import CorrectionRow
from plants.store.ledger.entries import LedgerEntry, Log
from plants.store.ledger.logs import logs_of
from plants.store.materials.plants import narrowed, plants_admitted
from plants.store.production.process_records import ProcessStatementRow
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
    """Criteria for entries, and their order. A field that is None does not filter. Times are microseconds."""

    plant: CodeCriterion | None = None
    kind: MemberCriterion[LedgerKind] | None = None
    index: Span[int] | None = None
    about: tuple[About, ...] | None = None
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


def corrections_of_records(
    reads: ReadSession, scope: PlantScope, records: Sequence[Position]
) -> dict[Position, CorrectionRow]:
    """Return the corrections of entries that stated process records, by plant and number of the record."""
    row, stated = CorrectionRow, ProcessStatementRow
    here = tuple_(col(stated.plant_id), col(stated.process_id)).in_(set(records))
    found = (
        select(stated.process_id, row)
        .join(row, (col(row.plant_id) == stated.plant_id) & (col(row.entry_idx) == stated.entry_idx))
        .where(here, col(stated.plant_id).in_(scope))
    )
    return {(one.plant_id, process): one for process, one in reads.exec(found)}


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
    if filters.about is not None:
        selected = (one.with_only_columns(*one.selected_columns[1:]) for one in positions_about(scope, filters.about))
        found = found.where(or_(false(), *(tuple_(col(row.log_id), col(row.idx)).in_(one) for one in selected)))
    criteria = {
        row.idx: filters.index,
        row.type: filters.type,
        row.actor: filters.actor,
        row.request: filters.request,
        row.occurred_us: filters.occurred_us,
        row.recorded_us: filters.recorded_us,
    }
    return filtered(found, criteria)
