"""Process records as a plant's commands see them: what state they are in, and what went in and came out."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.database import Session
from plants.rules.process import RUN_KINDS
from plants.rules.refusals import Refusal, RefusalCode

SELECT_PROCESS = "SELECT id, kind, state, opened_us FROM process_records WHERE id = :process AND plant_id = :plant"
SELECT_INPUTS = (
    "SELECT source_id, use, unit, quantity FROM edges WHERE target_id = :process AND plant_id = :plant"
    " ORDER BY entry_idx, line"
)
SELECT_OUTPUTS = (
    "SELECT target_id, use, unit, quantity FROM edges WHERE source_id = :process AND plant_id = :plant"
    " ORDER BY entry_idx, line"
)


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process record as commands need it; the time is microseconds since the epoch."""

    id: int
    kind: str
    state: str
    opened_us: int


@dataclass(frozen=True, slots=True)
class ProcessEdge:
    """One input or output of a process record, in millionths of the unit; corrected ones are gone."""

    batch: int
    use: str
    unit: str
    micro: int


def open_run(session: Session, plant: int, process: int) -> ProcessFacts:
    """Return an open process record that people feed and yield, or raise Refusal."""
    # Ids from outside may be beyond 64 bits, which neither database compares with a column.
    row = session.row(SELECT_PROCESS, {"plant": plant, "process": process}) if 0 < process < 2**63 else None
    if row is None or row[1] not in RUN_KINDS:
        raise Refusal(RefusalCode.PROCESS_UNKNOWN, process=process)
    facts = ProcessFacts(*row)
    if facts.state != "OPEN":
        raise Refusal(RefusalCode.PROCESS_CLOSED, process=process)
    return facts


def inputs(session: Session, plant: int, process: int) -> Iterator[ProcessEdge]:
    """Yield what the plant put into a process record."""
    return (ProcessEdge(*row) for row in session.rows(SELECT_INPUTS, {"plant": plant, "process": process}))


def outputs(session: Session, plant: int, process: int) -> Iterator[ProcessEdge]:
    """Yield what the plant took out of a process record, returned inputs too."""
    return (ProcessEdge(*row) for row in session.rows(SELECT_OUTPUTS, {"plant": plant, "process": process}))
