"""Obstacles to the correction of an entry: an earlier correction, and later entries that build on it."""

from infra.database import Session

SELECT_CORRECTION = "SELECT corrected_by FROM corrections WHERE plant_id = :plant AND entry_idx = :entry"
# A corrected entry and its correction undo each other, so that neither builds on anything.
SELECT_LATER_MOVEMENT = (
    "SELECT MIN(m.entry_idx) FROM movements m WHERE m.plant_id = :plant AND m.batch_id = :batch"
    " AND m.entry_idx > :entry AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.plant_id = m.plant_id"
    " AND (c.entry_idx = m.entry_idx OR c.corrected_by = m.entry_idx))"
)
SELECT_EDGE = (
    "SELECT MIN(entry_idx) FROM edges WHERE plant_id = :plant AND entry_idx > :entry"
    " AND (source_id = :process OR target_id = :process)"
)
SELECT_RETURN = (
    "SELECT MIN(entry_idx) FROM edges WHERE plant_id = :plant AND entry_idx > :entry"
    " AND source_id = :process AND target_id = :batch AND use = 'RETURNED'"
)
SELECT_STATE = "SELECT state FROM process_records WHERE plant_id = :plant AND id = :process"


def corrected_by(session: Session, plant: int, entry: int) -> int | None:
    """Return the index of the entry that corrects this one, if one does."""
    row = session.row(SELECT_CORRECTION, {"plant": plant, "entry": entry})
    return None if row is None else int(row[0])


def later_movement(session: Session, plant: int, batch: int, entry: int) -> int | None:
    """Return the first entry after this one that moved the batch and still counts, if there is one."""
    row = session.row(SELECT_LATER_MOVEMENT, {"plant": plant, "batch": batch, "entry": entry})
    return None if row is None else row[0]


def later_edge(session: Session, plant: int, process: int, entry: int) -> int | None:
    """Return the first entry after this one that put goods into a process record or took some out, if there is one."""
    row = session.row(SELECT_EDGE, {"plant": plant, "process": process, "entry": entry})
    return None if row is None else row[0]


def later_return(session: Session, plant: int, process: int, batch: int, entry: int) -> int | None:
    """Return the first entry after this one that took some of a batch back from a process record, if there is one."""
    wanted = {"plant": plant, "process": process, "batch": batch, "entry": entry}
    row = session.row(SELECT_RETURN, wanted)
    return None if row is None else row[0]


def is_closed(session: Session, plant: int, process: int) -> bool:
    """Tell whether the plant has closed a process record."""
    row = session.row(SELECT_STATE, {"plant": plant, "process": process})
    return row is not None and row[0] == "CLOSED"
