"""Elements of a trace: batches with their distance, edges with their quantity, and paths."""

from asyncio import gather
from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.genealogy.walks import Bounds
from plants.rules.identification.codes import plant_of
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import from_micros
from plants.store.genealogy.walks import Presence, TracedEdge, presences
from plants.store.genealogy.walks import TracedBatch as TracedRow
from plants.store.logistics.in_transit import awaited_batches, awaited_transfers
from plants.store.materials.plants import plants_by_number
from schema.engine.context import Info
from schema.engine.fields import described, field, object_type
from schema.engine.node_ids import node_id
from schema.engine.quantities import Quantity
from schema.engine.scalars import BatchCode, instant
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.materials.materials import Material, material_of
from schema.production.process_records import ProcessRecord, process_numbered
from schema.traceability.trace_queries import TraceQuery


@object_type
class TracedBatchAtPlant:
    """State of one plant's goods of a traced batch."""

    disposition: Disposition = described("Disposition of the plant's goods.")
    on_hand: Quantity = described("Quantity of the batch on hand at the plant.")
    open_holds: int = described("Number of open holds on the plant's goods.")
    number: strawberry.Private[int]

    @field("Plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, presence: Presence, unit: str) -> Self:
        return cls(
            disposition=Disposition(presence.disposition),
            on_hand=Quantity.of(presence.on_hand, unit),
            open_holds=presence.holds,
            number=presence.plant_id,
        )


@object_type
class Contribution:
    """Exact bounds of the quantity from the start that a batch can contain."""

    least: Quantity = described("Lower bound, in the batch's unit.")
    most: Quantity = described("Upper bound, in the batch's unit.")

    @classmethod
    def of(cls, bounds: Bounds, unit: str) -> Self:
        return cls(least=Quantity.of(bounds.least, unit), most=Quantity.of(bounds.most, unit))


@object_type
class TracedBatch:
    """A batch of a trace. Fields that no plant you may see has stated are null."""

    batch_id: strawberry.ID = described("Id of the batch, for `node`.")
    code: BatchCode | None = described("Code on its label.")
    steps: int = described("Number of process steps from the start.")
    material_code: str | None = described("Material code of the batch.")
    disposition: Disposition | None = described("Disposition of its goods, as its origin stated it.")
    quantity_made: Quantity | None = described("Quantity that was made or received at its origin.")
    produced_at: datetime | None = described("Time of production.")
    expires_on: date | None = described("Last day of use, as its origin stated it. Null if it does not expire.")
    row: strawberry.Private[TracedRow]
    query: strawberry.Private[TraceQuery]

    @field("The complete batch. Null if no plant you may see has stated it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.row.id)

    @field("True while the batch is known only from a transfer label and its origin's ledger has not arrived.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.load(Permission.TRACE_READ, awaited_batches, self.row.id) or False

    @field("Plant that made or first received it. Null if you may not see that plant.")
    async def origin(self, info: Info) -> Plant | None:
        seen = await info.load(Permission.TRACE_READ, plants_by_number, plant_of(self.row.id))
        return None if seen is None else Plant.of(seen)

    @field("Material, as defined at the plant that stated the batch.")
    async def material(self, info: Info) -> Material | None:
        row = self.row
        if row.plant_id is None or row.material is None:
            return None
        return await material_of(info, row.plant_id, row.material)

    @field("State at each plant that knows the batch and that you may see.")
    async def at_plants(self, info: Info) -> list[TracedBatchAtPlant]:
        found = await info.load(Permission.TRACE_READ, presences, self.row.id) or ()
        return [TracedBatchAtPlant.of(one, self.row.unit or "") for one in found]

    @field("Quantity from the start that it can contain. Null unless the trace goes only forward.")
    async def contribution(self, info: Info) -> Contribution | None:
        bounds = await info.load(Permission.TRACE_READ, self.query.contributions, self.row.id)
        return None if bounds is None or self.row.unit is None else Contribution.of(bounds, self.row.unit)

    @classmethod
    def of(cls, row: TracedRow, query: TraceQuery) -> Self:
        known = row.made is not None and row.unit is not None
        return cls(
            batch_id=node_id("batch", row.id),
            code=None if row.code is None else BatchCode(row.code),
            steps=row.steps,
            material_code=row.material,
            disposition=None if row.disposition is None else Disposition(row.disposition),
            quantity_made=Quantity.of(row.made or 0, row.unit or "") if known else None,
            produced_at=instant(row.produced_us),
            expires_on=None if row.expires_on is None else date.fromisoformat(row.expires_on),
            row=row,
            query=query,
        )


TraceNode = Annotated[
    TracedBatch | ProcessRecord,
    strawberry.union(name="TraceNode", description="A node of a trace: a batch or a process record."),
]


@object_type
class TraceLink:
    """Goods that enter or leave a process record of a trace."""

    source_id: strawberry.ID = described("Id of the node that the goods leave.")
    target_id: strawberry.ID = described("Id of the node that the goods enter.")
    into_process: bool = described("True for goods that enter the process record, false for goods that leave it.")
    use: MaterialUse = described("Material use of the goods.")
    quantity: Quantity = described("Quantity.")
    occurred_at: datetime = described("Time at which the goods entered or left.")
    index: int = described("Index of the entry in the plant's ledger that recorded it.")
    row: strawberry.Private[TracedEdge]

    @field("True if the goods came with a transfer, and the source's dispatch has not arrived.")
    async def awaiting_source(self, info: Info) -> bool:
        if self.into_process or self.use is not MaterialUse.TRANSFERRED:
            return False
        return await info.load(Permission.TRACE_READ, awaited_transfers, self.row.source_id) or False

    @field("Plant of the ledger that recorded it.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Batch. Null if no plant you may see has stated it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.row.source_id if self.into_process else self.row.target_id)

    @field("Process record. Null if no plant you may see has stated it.")
    async def process(self, info: Info) -> ProcessRecord | None:
        return await process_numbered(info, self.row.target_id if self.into_process else self.row.source_id)

    @classmethod
    def of(cls, row: TracedEdge, query: TraceQuery) -> Self:
        return cls(
            source_id=trace_node_id(query, row.source_id),
            target_id=trace_node_id(query, row.target_id),
            into_process=row.target_id in query.traced.processes,
            use=MaterialUse(row.use),
            quantity=Quantity.of(row.quantity, row.unit),
            occurred_at=from_micros(row.occurred_us),
            index=row.entry_idx,
            row=row,
        )


@object_type
class TracePath:
    """A path of goods between the start of a trace and a batch."""

    node_ids: list[strawberry.ID] = described("Ids of the nodes, in the direction of the goods.")
    path: strawberry.Private[tuple[int, ...]]
    query: strawberry.Private[TraceQuery]

    @field("Nodes in that direction. Null for a process record that no plant you may see has stated.")
    async def nodes(self, info: Info) -> list[TraceNode | None]:
        return list(await gather(*(trace_node(info, self.query, number) for number in self.path)))

    @classmethod
    def of(cls, path: tuple[int, ...], query: TraceQuery) -> Self:
        return cls(node_ids=[trace_node_id(query, number) for number in path], path=path, query=query)


def trace_node_id(query: TraceQuery, number: int) -> strawberry.ID:
    """Return the id of a batch or process record of a trace."""
    return node_id("process" if number in query.traced.processes else "batch", number)


async def traced_batch(info: Info, query: TraceQuery, number: int) -> TracedBatch | None:
    """Return a batch of a trace."""
    row = await info.load(Permission.TRACE_READ, query.batches, number)
    return None if row is None else TracedBatch.of(row, query)


async def trace_node(info: Info, query: TraceQuery, number: int) -> TracedBatch | ProcessRecord | None:
    """Return a batch or process record of a trace."""
    if number in query.traced.processes:
        return await process_numbered(info, number)
    return await traced_batch(info, query, number)
