"""What a trace consists of, in the contract: batches with their distance, edges with their quantity, and paths."""

from asyncio import gather
from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.genealogy.walks import Bounds
from plants.rules.identification.codes import plant_of
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import from_micros
from plants.store.genealogy.walks import Presence, TracedEdge, presences
from plants.store.genealogy.walks import TracedBatch as TracedRow
from plants.store.logistics.in_transit import awaited_batches, awaited_transfers
from plants.store.materials.plants import plants_by_number
from schema.engine.context import Info
from schema.engine.fields import described, field
from schema.engine.nodes import node_id
from schema.engine.quantities import Quantity
from schema.engine.scalars import BatchCode
from schema.group.plants import Plant, instant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.materials.materials import Material, material_of
from schema.production.process_records import MaterialUse, ProcessRecord, process_numbered
from schema.traceability.walks import Walk


@strawberry.type(description="How one plant's goods of a traced batch stand.")
class TracedPresence:
    """How one plant's goods of a traced batch stand."""

    disposition: Disposition = described("How far along the plant's goods are.")
    on_hand: Quantity = described("How much of the batch is on hand at the plant.")
    open_holds: int = described("How many holds on the plant's goods are open.")
    number: strawberry.Private[int]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, presence: Presence, unit: str) -> Self:
        """Return a presence as the contract answers it."""
        return cls(
            disposition=Disposition(presence.disposition),
            on_hand=Quantity.of(presence.on_hand, unit),
            open_holds=presence.holds,
            number=presence.plant_id,
        )


@strawberry.type(description="How much of what the trace begins at a batch can hold: never less, never more.")
class Contribution:
    """How much of what the trace begins at a batch can hold."""

    least: Quantity = described("At least so much of the batch.")
    most: Quantity = described("At most so much of the batch.")

    @classmethod
    def of(cls, bounds: Bounds, unit: str) -> Self:
        """Return bounds as the contract answers them."""
        return cls(least=Quantity.of(bounds.least, unit), most=Quantity.of(bounds.most, unit))


@strawberry.type(description="A batch of a trace; what no plant that you may see has stated of it is null.")
class TracedBatch:
    """A batch of a trace."""

    batch_id: strawberry.ID = described("The id of the batch, by which `node` finds it.")
    code: BatchCode | None = described("The code on its label.")
    steps: int = described("How many process steps it is away from where the trace begins.")
    material_code: str | None = described("The code of its material.")
    disposition: Disposition | None = described("How far along its goods are, as its origin states it.")
    quantity_made: Quantity | None = described("How much was made or received at its origin.")
    produced_at: datetime | None = described("When it was produced.")
    expires_on: date | None = described("The last day on which it may be used, as its origin states it.")
    row: strawberry.Private[TracedRow]
    walk: strawberry.Private[Walk]

    @field("The batch with all that is known of it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.row.id)

    @field("Whether its origin plant has not told of it so far: known only from a transfer's label.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.context.load(Permission.TRACE_READ, awaited_batches, self.row.id) or False

    @field("The plant that made or first received it; null when you may not see that plant.")
    async def origin(self, info: Info) -> Plant | None:
        seen = await info.context.load(Permission.TRACE_READ, plants_by_number, plant_of(self.row.id))
        return None if seen is None else Plant.of(seen)

    @field("Its material, as the plant that states the batch defines it.")
    async def material(self, info: Info) -> Material | None:
        row = self.row
        if row.plant_id is None or row.material is None:
            return None
        return await material_of(info, row.plant_id, row.material)

    @field("How the goods stand at each plant that knows the batch and that you may see.")
    async def presences(self, info: Info) -> list[TracedPresence]:
        found = await info.context.load(Permission.TRACE_READ, presences, self.row.id) or ()
        return [TracedPresence.of(one, self.row.unit or "") for one in found]

    @field("How much of what the trace begins at it can hold; null unless the trace looks forward alone.")
    async def contribution(self, info: Info) -> Contribution | None:
        bounds = await info.context.load(Permission.TRACE_READ, self.walk.contributions, self.row.id)
        return None if bounds is None or self.row.unit is None else Contribution.of(bounds, self.row.unit)

    @classmethod
    def of(cls, row: TracedRow, walk: Walk) -> Self:
        """Return a batch of a trace as the contract answers it."""
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
            walk=walk,
        )


TraceNode = Annotated[
    TracedBatch | ProcessRecord,
    strawberry.union(name="TraceNode", description="A node of a trace: goods, or what was done with them."),
]


@strawberry.type(description="Goods going into a process record of a trace, or coming out of it.")
class TraceEdge:
    """Goods going into a process record of a trace, or coming out of it."""

    source_id: strawberry.ID = described("The id of the node that the goods come from.")
    target_id: strawberry.ID = described("The id of the node that the goods go to.")
    into_process: bool = described("True from the batch into the process record, false out of it.")
    use: MaterialUse = described("What part the goods play.")
    quantity: Quantity = described("How much it was.")
    occurred_at: datetime = described("When it was put in or taken out.")
    index: int = described("The index of the entry in the plant's ledger that says so.")
    row: strawberry.Private[TracedEdge]

    @field("Whether it is goods of a transfer that came in, and the source's dispatch was not seen so far.")
    async def awaiting_source(self, info: Info) -> bool:
        if self.into_process or self.use is not MaterialUse.TRANSFERRED:
            return False
        return await info.context.load(Permission.TRACE_READ, awaited_transfers, self.row.source_id) or False

    @field("The plant whose ledger says so.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The batch; null when no plant that you may see has stated it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.row.source_id if self.into_process else self.row.target_id)

    @field("The process record; null when no plant that you may see has stated it.")
    async def process(self, info: Info) -> ProcessRecord | None:
        return await process_numbered(info, self.row.target_id if self.into_process else self.row.source_id)

    @classmethod
    def of(cls, row: TracedEdge, walk: Walk) -> Self:
        """Return an edge of a trace as the contract answers it."""
        return cls(
            source_id=trace_node_id(walk, row.source_id),
            target_id=trace_node_id(walk, row.target_id),
            into_process=row.target_id in walk.traced.processes,
            use=MaterialUse(row.use),
            quantity=Quantity.of(row.quantity, row.unit),
            occurred_at=from_micros(row.occurred_us),
            index=row.entry_idx,
            row=row,
        )


@strawberry.type(description="One way that goods took between where the trace begins and a batch.")
class TracePath:
    """One way that goods took."""

    node_ids: list[strawberry.ID] = described("The ids of the nodes, in the direction in which the goods went.")
    path: strawberry.Private[tuple[int, ...]]
    walk: strawberry.Private[Walk]

    @field("The nodes in that direction; null for a process record that no plant you may see has stated.")
    async def nodes(self, info: Info) -> list[TraceNode | None]:
        return list(await gather(*(trace_node(info, self.walk, number) for number in self.path)))

    @classmethod
    def of(cls, path: tuple[int, ...], walk: Walk) -> Self:
        """Return a path as the contract answers it."""
        return cls(node_ids=[trace_node_id(walk, number) for number in path], path=path, walk=walk)


def trace_node_id(walk: Walk, number: int) -> strawberry.ID:
    """Return the id of a batch or process record of a trace."""
    return node_id("process" if number in walk.traced.processes else "batch", number)


async def traced_batch(info: Info, walk: Walk, number: int) -> TracedBatch | None:
    """Return a batch of a trace."""
    row = await info.context.load(Permission.TRACE_READ, walk.batches, number)
    return None if row is None else TracedBatch.of(row, walk)


async def trace_node(info: Info, walk: Walk, number: int) -> TracedBatch | ProcessRecord | None:
    """Return a batch or process record of a trace."""
    if number in walk.traced.processes:
        return await process_numbered(info, number)
    return await traced_batch(info, walk, number)
