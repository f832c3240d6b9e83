"""Entries that the hub could not apply: retried, or skipped for good by an operator's signed decision.

`plants.store.replication.projection_faults` stores which entries wait, and why. Here are their worklist and the
decisions to skip an entry, which are projected from the hub's own ledger and outlive the fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, false, or_, tuple_
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import LedgerEntry
from plants.store.materials.plants import plants_admitted
from plants.store.replication.leases import LeaseRow
from plants.store.replication.projection_faults import HALTED, ProjectionFault, delete_fault, retry_blocked, retry_one
from plants.store.sql.columns import PLANT, big, key, text
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key, count, page

HUB_ALONE = frozenset({Role.HUB})
INDEX_MAX = 2**53


class SkippedEntryRow(SQLModel, table=True):
    """An entry of a plant's ledger that is never applied to the hub's tables, by whose decision and why."""

    __tablename__ = "skipped_entries"
    __table_args__ = table_options(Keeping.PROJECTION, HUB_ALONE)

    plant_id: int = key(PLANT)  # whose ledger says so: the hub's, 0
    of_plant: int = key(PLANT)
    idx: int = key()
    entry_idx: int = big()  # index of the decision in the hub's ledger
    leaf: str = text()  # leaf hash of what is passed over, hexadecimal
    type: str = text()
    error: str = text()
    reason: str = text()
    skipped_by: str = text()
    printed_name: str = text()
    skipped_at: datetime = instant("skipped_us")


SELECT_SKIPPED: Final = select(SkippedEntryRow.idx).where(
    col(SkippedEntryRow.of_plant) == bindparam("plant"),
    col(SkippedEntryRow.idx) >= bindparam("low"),
    col(SkippedEntryRow.idx) < bindparam("high"),
)


@dataclass(frozen=True, slots=True)
class Parked:
    """An entry that waits because of itself, as the one who decides on it was shown it."""

    type: str
    error: str


def skipped_between(session: Session, log_id: int, low: int, high: int) -> set[int]:
    """Return the positions from low to high - 1 of a plant's ledger that are never applied."""
    return {index for (index,) in session.rows(SELECT_SKIPPED, {"plant": log_id, "low": low, "high": high})}


def parked_for_decision(session: Session, log_id: int, index: int) -> Parked | None:
    """Return the entry that is parked at a position, keeping every job from touching it until the transaction ends.

    None where nothing is parked, or where the entry only waits behind another.
    """
    fault = ProjectionFault
    # The job that applies this plant's entries locks this row: a running slice ends first, and parks nothing later.
    session.exec(select(LeaseRow.token).where(LeaseRow.name == f"project/{log_id}").with_for_update()).first()
    here = fault.log_id == log_id, fault.idx == index, col(fault.error).is_not(None), fault.key != HALTED
    row = session.exec(select(fault.type, fault.error).where(*here).with_for_update()).first()
    return None if row is None else Parked(row[0], row[1] or "")


def unpark(session: Session, log_id: int, index: int, now: datetime) -> None:
    """Delete the fault of a parked entry and make the entries that it blocks due now."""
    delete_fault(session, log_id, index)
    retry_blocked(session, log_id, now)


def retry_parked(session: Session, log_id: int, index: int, now: datetime) -> None:
    """Make a parked entry and the entries that it blocks due now, and reset its attempts."""
    retry_one(session, log_id, index, now)
    retry_blocked(session, log_id, now)


class ParkedState(DescribedEnum):
    """State of a parked entry. FAILED and NEEDS_UPGRADE may be retried or skipped by an operator."""

    FAILED = "FAILED", "Applying the entry failed; it is retried a few times, then an operator must retry or skip it."
    NEEDS_UPGRADE = (
        "NEEDS_UPGRADE",
        "The hub's program does not know the entry's type or version; upgrade the hub, or skip the entry.",
    )
    WAITS_BEHIND = "WAITS_BEHIND", "The entry depends on a parked one and is applied after it; decide on that one."
    HALTED = "HALTED", "No entry of the plant from here on is applied; the alarm PROJECTION_HALTED says why."


class ParkedOrderField(DescribedEnum):
    """Field to order parked or skipped entries by."""

    INDEX = "INDEX", "The plant, and within it the order of its ledger."


BY_INDEX: Final = Order(ParkedOrderField.INDEX)


@dataclass(frozen=True, slots=True)
class ParkedEntriesFilter:
    """Criteria for parked entries, and their order. A field that is None does not filter."""

    state: MemberCriterion[ParkedState] | None = None
    plant: CodeCriterion | None = None
    type: CodeCriterion | None = None
    key: CodeCriterion | None = None
    order: Order[ParkedOrderField] = BY_INDEX


@dataclass(frozen=True, slots=True)
class SkippedEntriesFilter:
    """Criteria for skipped entries, and their order. A field that is None does not filter."""

    plant: CodeCriterion | None = None
    type: CodeCriterion | None = None
    skipped_by: CodeCriterion | None = None
    skipped_at: Span[datetime] | None = None
    order: Order[ParkedOrderField] = BY_INDEX


@dataclass(frozen=True, slots=True)
class ParkedSeen:
    """An entry that waits, as it is listed; `leaf` is the leaf hash of the entry, None where there is no entry yet."""

    fault: ProjectionFault
    leaf: str | None

    @property
    def state(self) -> ParkedState:
        """The reason for the wait. Operators may decide only on entries that are FAILED or NEEDS_UPGRADE."""
        if self.fault.key == HALTED:
            return ParkedState.HALTED
        if self.fault.error is None:
            return ParkedState.WAITS_BEHIND
        return ParkedState.FAILED if self.fault.needs_version is None else ParkedState.NEEDS_UPGRADE

    @property
    def decidable(self) -> bool:
        """True if an operator may retry or skip it: `parked_for_decision` finds it."""
        return self.state in {ParkedState.FAILED, ParkedState.NEEDS_UPGRADE}


def parked_page(
    reads: ReadSession, scope: PlantScope, filters: ParkedEntriesFilter, after: Key | None, limit: int
) -> list[ParkedSeen]:
    """Return one page of the entries that wait, in the order that the filters name."""
    row = ProjectionFault
    key = col(row.log_id), col(row.idx)
    found = page(_wanted(reads, scope, filters), key, after, limit, descending=filters.order.descending)
    faults = reads.exec(found).all()
    return _with_leaves(reads, faults)


def _with_leaves(reads: ReadSession, faults: Sequence[ProjectionFault]) -> list[ParkedSeen]:
    entry = LedgerEntry
    here = tuple_(col(entry.log_id), col(entry.idx)).in_([(fault.log_id, fault.idx) for fault in faults])
    hashes = select(col(entry.log_id), col(entry.idx), col(entry.leaf)).where(here)
    leaves = {(log_id, index): bytes(leaf).hex() for log_id, index, leaf in reads.exec(hashes)} if faults else {}
    return [ParkedSeen(fault, leaves.get((fault.log_id, fault.idx))) for fault in faults]


ParkedPlace = tuple[int, int]
"""A plant's number and a position in its ledger."""


def parked_by_place(
    reads: ReadSession, scope: PlantScope, places: Sequence[ParkedPlace]
) -> dict[ParkedPlace, ParkedSeen]:
    """Return entries that wait, by plant and position."""
    here = tuple_(col(ProjectionFault.log_id), col(ProjectionFault.idx)).in_(set(places))
    found = reads.exec(select(ProjectionFault).where(here, col(ProjectionFault.log_id).in_(scope))).all()
    return {(one.fault.log_id, one.fault.idx): one for one in _with_leaves(reads, found)}


def parked_at(reads: ReadSession, scope: PlantScope, plant: int, index: int) -> ParkedSeen | None:
    """Return the entry that waits at a position, if one does."""
    return parked_by_place(reads, scope, [(plant, index)]).get((plant, index))


def parked_count(reads: ReadSession, scope: PlantScope, filters: ParkedEntriesFilter) -> int:
    """Return how many entries wait."""
    return count(reads, _wanted(reads, scope, filters))


def skipped_page(
    reads: ReadSession, scope: PlantScope, filters: SkippedEntriesFilter, after: Key | None, limit: int
) -> Sequence[SkippedEntryRow]:
    """Return one page of the skipped entries of the plants in the scope, in the order that the filters name."""
    key = col(SkippedEntryRow.of_plant), col(SkippedEntryRow.idx)
    found = page(_skipped(reads, scope, filters), key, after, limit, descending=filters.order.descending)
    return reads.exec(found).all()


def skipped_count(reads: ReadSession, scope: PlantScope, filters: SkippedEntriesFilter) -> int:
    """Return how many entries were skipped."""
    return count(reads, _skipped(reads, scope, filters))


def skipped_entries(reads: ReadSession, scope: PlantScope, *, first: int = 100) -> Sequence[SkippedEntryRow]:
    """Return skipped entries of the plants in the scope, by plant and position."""
    return skipped_page(reads, scope, SkippedEntriesFilter(), None, first)


def skipped_by_place(
    reads: ReadSession, scope: PlantScope, places: Sequence[ParkedPlace]
) -> dict[ParkedPlace, SkippedEntryRow]:
    """Return skipped entries by plant and position."""
    row = SkippedEntryRow
    here = tuple_(col(row.of_plant), col(row.idx)).in_(set(places))
    found = reads.exec(select(row).where(here, col(row.of_plant).in_(scope)))
    return {(one.of_plant, one.idx): one for one in found}


def _skipped(reads: ReadSession, scope: PlantScope, filters: SkippedEntriesFilter) -> SelectOfScalar[SkippedEntryRow]:
    row = SkippedEntryRow
    found = select(row).where(col(row.of_plant).in_(plants_admitted(reads, scope, filters.plant)))
    criteria = {row.type: filters.type, row.skipped_by: filters.skipped_by, row.skipped_at: filters.skipped_at}
    return filtered(found, criteria)


def _wanted(reads: ReadSession, scope: PlantScope, filters: ParkedEntriesFilter) -> SelectOfScalar[ProjectionFault]:
    row = ProjectionFault
    found = select(row).where(col(row.log_id).in_(plants_admitted(reads, scope, filters.plant)))
    found = filtered(found, {row.type: filters.type, row.key: filters.key})
    if filters.state is None:
        return found
    return found.where(or_(false(), *(_is(state) for state in ParkedState if filters.state.admits(state))))


def _is(state: ParkedState) -> ColumnElement[bool]:
    """Return the condition that a fault is in the state that `ParkedSeen.state` says."""
    row = ProjectionFault
    halted, failed, unknown = col(row.key) == HALTED, col(row.error).is_not(None), col(row.needs_version).is_not(None)
    return {
        ParkedState.HALTED: halted,
        ParkedState.WAITS_BEHIND: and_(~halted, ~failed),
        ParkedState.NEEDS_UPGRADE: and_(~halted, failed, unknown),
        ParkedState.FAILED: and_(~halted, failed, ~unknown),
    }[state]
