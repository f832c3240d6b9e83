"""Inputs and outputs of process records."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.values.instants import from_micros
from plants.store.genealogy.edges import Edge
from plants.store.production.process_records import (
    lines_by_key,
)
from schema.engine.context import Info
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.quantities import Quantity
from schema.inventory import batches

if TYPE_CHECKING:
    from schema.inventory.batches import Batch

LazyBatch = Annotated["Batch", strawberry.lazy("schema.inventory.batches")]
"""A batch. Its module and this one import each other."""


enum_type(MaterialUse)


@object_type
class ProcessLine(Node):
    """A quantity of a batch that entered or left a process record."""

    use: MaterialUse = described("Material use of the goods.")
    quantity: Quantity = described("Quantity that entered or left.")
    occurred_at: datetime = described("Time at which the goods entered or left.")
    number: strawberry.Private[int]

    @field("Batch. Null if you may not see it.")
    async def batch(self, info: Info) -> LazyBatch | None:
        return await batches.batch_numbered(info, self.number)

    @classmethod
    def of_input(cls, row: Edge) -> Self:
        return cls._of(row, row.target_id, row.source_id)

    @classmethod
    def of_output(cls, row: Edge) -> Self:
        return cls._of(row, row.source_id, row.target_id)

    @classmethod
    def _of(cls, row: Edge, process: int, batch: int) -> Self:
        return cls(
            id=node_id("process-line", process, *line_key(row)),
            use=MaterialUse(row.use),
            quantity=Quantity.of(row.quantity, row.unit),
            occurred_at=from_micros(row.occurred_us),
            number=batch,
        )


def line_key(row: Edge) -> tuple[int, int, int]:
    """Return the plant, entry and line of an input or output: its place in its list, and the end of its id."""
    return row.plant_id, row.entry_idx, row.line


@findable("process-line", int, int, int, int)
async def _find_line(info: Info, parts: tuple[int, int, int, int]) -> ProcessLine | None:
    process, *key = parts
    row = await info.load(Permission.BATCH_READ, lines_by_key, tuple(key))
    if row is None or process not in {row.source_id, row.target_id}:
        return None
    return ProcessLine.of_input(row) if row.target_id == process else ProcessLine.of_output(row)
