"""The synthetic group as rows, equal to the projection of its ledgers, loaded into PostgreSQL by binary COPY."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.group import PLANTS, Group, Step, plant_code
from infra.database import Session, Store
from plants.store.genealogy.edges import EDGES
from plants.store.inventory.projectors import ALIASES, BATCHES, STOCK
from plants.store.materials.projectors import PLANTS as PLANT_ROWS
from plants.store.production.projectors import PROCESSES
from plants.store.sql.rows import TableSpec

FIRST_INDEX = 1  # Of a plant's steps in its ledger; PlantOpened is at position 0.
LOCATION = "A1"
COPY_TYPES = {"bigint[]": "int8", "integer[]": "int4", "smallint[]": "int2", "bytea[]": "bytea", "text[]": "text"}
USES = {"DISPATCH": "TRANSFERRED", "SHIPMENT": "SHIPPED"}
KINDS = {"DISPATCH": "TRANSFER", "ARRIVAL": "TRANSFER"}
TABLES = (PLANT_ROWS, ALIASES, BATCHES, EDGES, PROCESSES, STOCK)
"""The tables that traces read."""


class Rows:
    """The rows of every event, in the column order of the tables."""

    def __init__(self) -> None:
        self.edges: list[tuple[Any, ...]] = []
        self.processes: dict[tuple[int, int], tuple[Any, ...]] = {}
        self.batches: dict[tuple[int, int], list[Any]] = {}
        self.aliases: list[tuple[Any, ...]] = []
        self.stock: dict[tuple[int, int], int] = {}
        self._next = [FIRST_INDEX] * (PLANTS + 1)

    def add(self, group: Group, step: Step) -> None:
        """Add the rows of one step."""
        plant, index = step.plant, self._next[step.plant]
        self._next[plant] = index + 1
        if step.kind not in USES:
            for batch, _ in step.outputs:
                self._state(group, plant, index, batch)
        if step.kind == "RECEIPT":
            batch = step.outputs[0][0]
            self.aliases.append((plant, "SUPPLIER_LOT", "S1", f"L{batch}", batch, f"l{batch}", None))
        else:
            self.processes[step.process, plant] = _process(step)
        use, lines = USES.get(step.kind, "CONSUMED"), itertools.count()
        for batch, micro in step.inputs:
            self._move(plant, batch, -micro, index)
            self.edges.append((plant, index, next(lines), batch, step.process, micro, "KGM", use, step.at_us))
        use = "TRANSFERRED" if step.kind == "ARRIVAL" else "PRODUCED"
        for batch, micro in step.outputs:
            self._move(plant, batch, micro, index)
            if step.process:
                self.edges.append((plant, index, next(lines), step.process, batch, micro, "KGM", use, step.at_us))

    def tables(self) -> Iterable[tuple[TableSpec, Iterable[Sequence[Any]]]]:
        """Yield the rows of each table."""
        plants = range(1, PLANTS + 1)
        yield PLANT_ROWS, [(plant, plant_code(plant), plant_code(plant), "UTC", origin(plant)) for plant in plants]
        yield BATCHES, self.batches.values()
        yield ALIASES, self.aliases
        yield PROCESSES, self.processes.values()
        yield STOCK, ((plant, batch, LOCATION, micro) for (plant, batch), micro in self.stock.items())
        yield EDGES, self.edges

    def _state(self, group: Group, plant: int, index: int, batch: int) -> None:
        if (batch, plant) not in self.batches:
            made = group.made[batch]
            known = batch, plant, made.code, made.material, "KGM", made.micro, made.produced_us
            self.batches[batch, plant] = [*known, None, None, None, None, "{}", "UNRESTRICTED", index, index]

    def _move(self, plant: int, batch: int, micro: int, index: int) -> None:
        self.stock[plant, batch] = self.stock.get((plant, batch), 0) + micro
        self.batches[batch, plant][13] = index


def origin(plant: int) -> str:
    """Return the origin of a plant's ledger."""
    return f"bench.example/plant/{plant_code(plant)}/i1"


def load(store: Store, group: Group) -> Rows:
    """Generate the group and fill an empty PostgreSQL store with its rows."""
    rows = Rows()
    for step in group.steps():
        rows.add(group, step)
    with store.transaction() as session:
        for table, content in rows.tables():
            copy_rows(session, table, content)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    return rows


def copy_rows(session: Session, table: TableSpec, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows by binary COPY, in the column order of the table."""
    statement = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN (FORMAT BINARY)"
    with session.driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([COPY_TYPES[table.arrays[name]] for name in table.columns])
        for row in rows:
            copy.write_row(row)


def _process(step: Step) -> tuple[Any, ...]:
    kind = KINDS.get(step.kind, step.kind)
    customer = f"C{step.other:03d}" if step.kind == "SHIPMENT" else None
    order = f"O{step.process}" if step.kind in {"SHIPMENT", "PRODUCTION", "REWORK"} else None
    source, destination = None, None
    if step.kind == "DISPATCH":
        source, destination = plant_code(step.plant), plant_code(step.other)
    elif step.kind == "ARRIVAL":
        source, destination = plant_code(step.other), plant_code(step.plant)
    state, closed = ("OPEN", None) if step.kind == "DISPATCH" else ("CLOSED", step.at_us)
    facts = step.process, step.plant, kind, state, order, None, None, step.at_us, closed
    return (*facts, customer, source, destination, None if order is None else order.lower(), "{}")
