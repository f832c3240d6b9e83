"""Entries that the hub could not apply: retried, or skipped for good by an operator's signed decision.

`plants.store.replication.projection_faults` stores which entries wait, and why. Here are their worklist and the
decisions to skip an entry, which are projected from the hub's own ledger and outlive the fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, tuple_
from sqlmodel import SQLModel, col, select

from infra.columns import instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import LedgerEntry
from plants.store.replication.leases import LeaseRow
from plants.store.replication.projection_faults import HALTED, ProjectionFault, delete_fault, retry_blocked, retry_one
from plants.store.sql.columns import PLANT, big, key, text
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


@dataclass(frozen=True, slots=True)
class ParkedEntriesFilter:
    """Criteria for parked entries. A state that is None does not filter."""

    state: ParkedState | None = None


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


def parked_page(
    reads: ReadSession, scope: PlantScope, filters: ParkedEntriesFilter, after: Key | None, limit: int
) -> list[ParkedSeen]:
    """Return one page of the entries that wait, by plant and position."""
    row, entry = ProjectionFault, LedgerEntry
    order = col(row.log_id), col(row.idx)
    faults = reads.exec(page(select(row).where(_wanted(scope, filters)), order, after, limit)).all()
    here = tuple_(col(entry.log_id), col(entry.idx)).in_([(fault.log_id, fault.idx) for fault in faults])
    hashes = select(col(entry.log_id), col(entry.idx), col(entry.leaf)).where(here)
    leaves = {(log_id, index): bytes(leaf).hex() for log_id, index, leaf in reads.exec(hashes)} if faults else {}
    return [ParkedSeen(fault, leaves.get((fault.log_id, fault.idx))) for fault in faults]


def parked_at(reads: ReadSession, scope: PlantScope, plant: int, index: int) -> ParkedSeen | None:
    """Return the entry that waits at a position, if one does."""
    found = parked_page(reads, scope, ParkedEntriesFilter(), (plant, index - 1), 1)
    return next((one for one in found if (one.fault.log_id, one.fault.idx) == (plant, index)), None)


def parked_count(reads: ReadSession, scope: PlantScope, filters: ParkedEntriesFilter) -> int:
    """Return how many entries wait."""
    return count(reads, select(col(ProjectionFault.idx)).where(_wanted(scope, filters)))


def skipped_page(
    reads: ReadSession, scope: PlantScope, _filtered: None, after: Key | None, limit: int
) -> Sequence[SkippedEntryRow]:
    """Return one page of what was passed over in the ledgers of the plants in the scope, by plant and position."""
    row = SkippedEntryRow
    found = select(row).where(col(row.of_plant).in_(scope))
    return reads.exec(page(found, (col(row.of_plant), col(row.idx)), after, limit)).all()


def skipped_count(reads: ReadSession, scope: PlantScope, _filtered: None) -> int:
    """Return how many entries were passed over."""
    return count(reads, select(col(SkippedEntryRow.idx)).where(col(SkippedEntryRow.of_plant).in_(scope)))


def skipped_entries(reads: ReadSession, scope: PlantScope, *, first: int = 100) -> Sequence[SkippedEntryRow]:
    """Return what was passed over in the ledgers of the plants in the scope, by plant and position."""
    return skipped_page(reads, scope, None, None, first)


def _wanted(scope: PlantScope, filters: ParkedEntriesFilter) -> ColumnElement[bool]:
    row = ProjectionFault
    halted, failed_positions = col(row.key) == HALTED, col(row.error).is_not(None)
    unknown = col(row.needs_version).is_not(None)
    states = {
        ParkedState.HALTED: halted,
        ParkedState.WAITS_BEHIND: and_(~halted, ~failed_positions),
        ParkedState.NEEDS_UPGRADE: and_(~halted, failed_positions, unknown),
        ParkedState.FAILED: and_(~halted, failed_positions, ~unknown),
    }
    within = col(row.log_id).in_(scope)
    return within if filters.state is None else and_(within, states[filters.state])
