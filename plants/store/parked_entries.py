"""Entries that the hub could not apply: tried again, or passed over for good by a person's signed decision.

`projection_faults` (in `plants.store.positions`) says what waits and why. Here is what outlives it: the decisions to
pass over, which are made from the hub's own ledger, and the mark of the slice that is being applied, which a program
that was killed leaves behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Integer
from sqlmodel import SQLModel, col, select

from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.scope import PlantScope
from plants.store.columns import PLANT, big, key, text

HUB_ALONE = frozenset({Role.HUB})
SELECT_SKIPPED = "SELECT idx FROM skipped_entries WHERE of_plant = :log_id AND idx >= :low AND idx < :high"
LOCK_FAULT = "SELECT type, error FROM projection_faults WHERE log_id = :log_id AND idx = :idx AND error IS NOT NULL"
LOCK_LEASE = "SELECT token FROM leases WHERE name = :name"
UNPARK = "DELETE FROM projection_faults WHERE log_id = :log_id AND idx = :idx"
WAKE = "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us WHERE log_id = :log_id AND idx = :idx"
WAKE_BEHIND = (
    "UPDATE projection_faults SET next_attempt_us = :now_us WHERE log_id = :log_id AND (error IS NULL OR key = '*')"
)


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
    skipped_us: int = big()


class ProjectionTry(SQLModel, table=True):
    """The slice that is being applied, written before it is begun: what a killed program leaves behind."""

    __tablename__ = "projection_tries"
    __table_args__ = table_options(Keeping.LOCAL, HUB_ALONE)

    log_id: int = key(Integer)
    low: int = big()  # the first entry of the slice
    entries: int = big()  # how many at most
    attempts: int = big()


@dataclass(frozen=True, slots=True)
class Parked:
    """An entry that waits because of itself, as the one who decides on it was shown it."""

    type: str
    error: str


def skipped_between(session: Session, log_id: int, low: int, high: int) -> set[int]:
    """Return the positions from low to high - 1 of a plant's ledger that are never applied."""
    return {index for (index,) in session.rows(SELECT_SKIPPED, {"log_id": log_id, "low": low, "high": high})}


def parked_for_decision(session: Session, log_id: int, index: int) -> Parked | None:
    """Return the entry that is parked at a position, keeping every job from touching it until the transaction ends.

    None where nothing is parked, or where the entry only waits behind another.
    """
    suffix = " FOR UPDATE" if session.dialect == "postgresql" else ""
    # Whoever applies this plant's entries holds this row: a slice under way ends first, and parks nothing behind ours.
    session.row(LOCK_LEASE + suffix, {"name": f"project/{log_id}"})
    row = session.row(LOCK_FAULT + suffix, {"log_id": log_id, "idx": index})
    return None if row is None else Parked(row[0], row[1])


def unpark(session: Session, log_id: int, index: int, now_us: int) -> None:
    """Take a parked entry off the list and have what waits behind it tried at once."""
    session.run(UNPARK, {"log_id": log_id, "idx": index})
    session.run(WAKE_BEHIND, {"log_id": log_id, "now_us": now_us})


def wake_one(session: Session, log_id: int, index: int, now_us: int) -> None:
    """Have a parked entry, and what waits behind it, tried at once, its attempts counted from nothing."""
    session.run(WAKE, {"log_id": log_id, "idx": index, "now_us": now_us})
    session.run(WAKE_BEHIND, {"log_id": log_id, "now_us": now_us})


def skipped_entries(reads: ReadSession, scope: PlantScope, *, first: int = 100) -> Sequence[SkippedEntryRow]:
    """Return what was passed over in the ledgers of the plants in the scope, by plant and position."""
    row = SkippedEntryRow
    found = select(row).where(col(row.of_plant).in_(scope)).order_by(col(row.of_plant), col(row.idx))
    return reads.exec(found.limit(first)).all()
