"""Process records as commands of a plant read them: state, inputs and outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Index, SelectBase, exists, tuple_, union
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.identification.codes import plant_of
from plants.rules.production.process_records import check_open
from plants.rules.production.refusals import PROCESS_UNKNOWN
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.edges import Edge
from plants.store.inventory.batches import batches_coded
from plants.store.ledger.corrected_entries import corrected
from plants.store.sql import pages
from plants.store.sql.columns import PLANT, PROJECTION, big, key, partial_index, text
from plants.store.sql.filters import CodeCriterion
from plants.store.sql.sums import sum_columns, whole


class ProcessRow(SQLModel, table=True):
    """A process record as one plant states it: production, split, merge, transfer, shipment and the like."""

    __tablename__ = "process_records"
    __table_args__ = (
        Index("process_records_by_kind", "plant_id", "kind", "id"),
        Index("process_records_by_opening", "opened_us", "id", "plant_id"),
        partial_index("process_records_by_customer", "customer"),
        partial_index("process_records_by_job_order_search", "job_order_search"),
        PROJECTION,
    )

    id: int = key()
    plant_id: int = key(PLANT)
    kind: str = text()
    state: str = text()
    job_order: str | None = text(None)
    segment: str | None = text(None)
    equipment: str | None = text(None)
    opened_us: int = big()
    closed_us: int | None = big(None)
    customer: str | None = text(None)
    source_plant: str | None = text(None)
    destination_plant: str | None = text(None)
    job_order_search: str | None = text(None)  # `search_form` of the order
    loss: str = text()  # canonical JSON: unit -> inputs less outputs


class ProcessStatementRow(SQLModel, table=True):
    """The entry by which a plant stated a process record whole: of several, the newest."""

    __tablename__ = "process_statements"
    __table_args__ = PROJECTION

    process_id: int = key()
    plant_id: int = key(PLANT)
    entry_idx: int = big()


def is_corrected() -> ColumnElement[bool]:
    """Return the condition that the entry that stated a process record was corrected."""
    row = ProcessStatementRow
    same = col(row.process_id) == col(ProcessRow.id), col(row.plant_id) == col(ProcessRow.plant_id)
    return exists().where(*same, corrected(col(row.plant_id), col(row.entry_idx)))


SELECT_PROCESS = "SELECT id, kind, state, opened_us FROM process_records WHERE id = :process AND plant_id = :plant"
SELECT_INPUTS = (
    "SELECT source_id, use, unit, quantity FROM edges WHERE target_id = :process AND plant_id = :plant"
    " ORDER BY entry_idx, line"
)
SELECT_OUTPUTS = (
    "SELECT target_id, use, unit, quantity FROM edges WHERE source_id = :process AND plant_id = :plant"
    " ORDER BY entry_idx, line"
)


INPUTS: Final = "target_id"
"""The end of an edge at the process record, of an input."""
OUTPUTS: Final = "source_id"


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
    if row is None:
        raise Refusal(PROCESS_UNKNOWN, process=process)
    facts = ProcessFacts(*row)
    check_open(process, facts.kind, facts.state)
    return facts


def inputs(session: Session, plant: int, process: int) -> Iterator[ProcessEdge]:
    """Yield what the plant put into a process record."""
    return (ProcessEdge(*row) for row in session.rows(SELECT_INPUTS, {"plant": plant, "process": process}))


def outputs(session: Session, plant: int, process: int) -> Iterator[ProcessEdge]:
    """Yield what the plant took out of a process record, returned inputs too."""
    return (ProcessEdge(*row) for row in session.rows(SELECT_OUTPUTS, {"plant": plant, "process": process}))


def left_over(session: Session, plant: int, process: int) -> dict[int, int]:
    """Return how many millionths of each batch that was fed have not come back from a process record."""
    left: dict[int, int] = {}
    for edge in inputs(session, plant, process):
        left[edge.batch] = left.get(edge.batch, 0) + edge.micro
    for edge in outputs(session, plant, process):
        if edge.use == "RETURNED":
            left[edge.batch] = left.get(edge.batch, 0) - edge.micro
    return left


def processes_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, ProcessRow]:
    """Return process records by id: as the plant that opened each states it, or else another of the scope."""
    found = select(ProcessRow).where(col(ProcessRow.id).in_(set(ids)), col(ProcessRow.plant_id).in_(scope))
    records: dict[int, ProcessRow] = {}
    for row in reads.exec(found.order_by(col(ProcessRow.id), col(ProcessRow.plant_id))):
        if row.id not in records or row.plant_id == plant_of(row.id):
            records[row.id] = row
    return records


def inputs_page(
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[Edge]]:
    """Return one page of the inputs of each process record, in the order of entries."""
    return _lines_page(reads, INPUTS, _lines(scope, INPUTS, ids), after, limit)


def inputs_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many inputs process records have."""
    return pages.count_of_each(reads, _lines(scope, INPUTS, ids), (col(Edge.target_id),))


def outputs_page(
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[Edge]]:
    """Return one page of the outputs of each process record, in the order of entries."""
    return _lines_page(reads, OUTPUTS, _lines(scope, OUTPUTS, ids), after, limit)


def outputs_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many outputs process records have."""
    return pages.count_of_each(reads, _lines(scope, OUTPUTS, ids), (col(Edge.source_id),))


def lines_by_key(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Edge]:
    """Return inputs and outputs by plant, entry and line."""
    key = tuple_(col(Edge.plant_id), col(Edge.entry_idx), col(Edge.line))
    found = reads.exec(select(Edge).where(key.in_(keys), col(Edge.plant_id).in_(scope)))
    return {(row.plant_id, row.entry_idx, row.line): row for row in found}


def records_with(scope: PlantScope, code: CodeCriterion, *sides: str) -> SelectBase:
    """Return the ids of the process records with a batch of such a code on one of these sides, for a condition."""
    batches = batches_coded(scope, code)
    return union(
        *(
            select(col(getattr(Edge, side))).where(
                col(getattr(Edge, OUTPUTS if side == INPUTS else INPUTS)).in_(batches), col(Edge.plant_id).in_(scope)
            )
            for side in sides
        )
    )


def line_totals(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, list[tuple[str, str, int]]]:
    """Return the sums of inputs and outputs of process records by material use and unit, in millionths."""
    totals: dict[int, list[tuple[str, str, int]]] = {}
    for side in (INPUTS, OUTPUTS):
        process = col(getattr(Edge, side))
        lines = _lines(scope, side, ids).with_only_columns(process, col(Edge.use), col(Edge.unit), col(Edge.quantity))
        rows = lines.subquery()
        grouped = rows.c[side], rows.c.use, rows.c.unit
        summed: Any = select(*grouped).add_columns(*sum_columns(rows.c.quantity)).group_by(*grouped)
        for one, use, unit, *parts in reads.exec(summed):
            totals.setdefault(one, []).append((use, unit, whole(*parts)))
    return totals


def _lines(scope: PlantScope, side: str, ids: Sequence[int]) -> SelectOfScalar[Edge]:
    return select(Edge).where(col(getattr(Edge, side)).in_(set(ids)), col(Edge.plant_id).in_(scope))


def _lines_page(
    reads: ReadSession, side: str, lines: SelectOfScalar[Edge], after: pages.Key | None, limit: int
) -> dict[int, list[Edge]]:
    key = col(Edge.plant_id), col(Edge.entry_idx), col(Edge.line)
    found = pages.page_of_each(lines, (col(getattr(Edge, side)),), key, after, limit)
    return pages.by_parent(reads.exec(found), attrgetter(side))
