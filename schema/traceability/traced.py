"""Elements of a trace: batches with their distance, edges with their quantity, and paths."""

from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.genealogy.walks import Bounds
from plants.rules.identification.codes import plant_of
from plants.rules.production.process_records import ProcessKind
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import from_micros
from plants.store.genealogy.walks import TracedBatch as TracedRow
from plants.store.genealogy.walks import TracedEdge
from plants.store.logistics.in_transit import awaited_batches, awaited_transfers
from plants.store.logistics.transfers import transfers_by_id
from plants.store.materials.plants import plants_by_number
from plants.store.production.process_records import ProcessRow, processes_by_id
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.fields import described, field, object_type
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.quantities import Quantity
from schema.engine.scalars import BatchCode, Code, instant
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.inventory.goods_at_plants import BatchAtPlant
from schema.logistics.shipments import Shipment
from schema.logistics.transfers import Transfer
from schema.materials.customers import Customer
from schema.materials.materials import Material, material_of
from schema.production.process_records import ProcessRecord
from schema.traceability.trace_lists import listed
from schema.traceability.trace_queries import LISTED_APART, TraceQuery


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
    distance: int = described("Number of process steps from the start. Transfers between plants are no steps.")
    material_code: Code | None = described("Code of the material of the batch.")
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

    @field("State at each plant that knows the batch and that you may see: one for each plant.")
    async def at_plants(self, info: Info) -> list[BatchAtPlant]:
        found = await batch_numbered(info, self.row.id)
        return [] if found is None else await found.at_plants(info)

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
            distance=row.distance,
            material_code=row.material,
            disposition=None if row.disposition is None else Disposition(row.disposition),
            quantity_made=Quantity.of(row.made or 0, row.unit or "") if known else None,
            produced_at=instant(row.produced_us),
            expires_on=None if row.expires_on is None else date.fromisoformat(row.expires_on),
            row=row,
            query=query,
        )


@object_type
class TracedProcess:
    """A process record, shipment or transfer of a trace, as a plant you may see has stated it."""

    node_id: strawberry.ID = described("Id of the process record, shipment or transfer, for `node`.")
    kind: ProcessKind = described("Kind of process.")
    distance: int = described(
        "Number of process steps from the start. Of a transfer, which is no step: that of the nearest batch on it."
    )
    opened_at: datetime = described("Time of the start.")
    segment: str | None = described("Process segment, such as MIXING (ISA-95). Null without one.")
    job_order: str | None = described("Number of the job order. Null without one, and for a shipment.")
    customer_order: str | None = described(
        "Number of the order of the customer. Null without one, and unless it is a shipment."
    )
    row: strawberry.Private[ProcessRow]

    @field("Plant of the record. Of a transfer, the source if you may see it.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Customer of a shipment. Null for other kinds.")
    async def customer(self, info: Info) -> Customer | None:
        return await Customer.load(info, self.row.plant_id, self.row.customer)

    @field("The complete process record. Null for a shipment and a transfer.")
    async def process_record(self) -> ProcessRecord | None:
        return ProcessRecord.of(self.row) if self.kind not in LISTED_APART else None

    @field("The complete shipment. Null for other kinds.")
    async def shipment(self) -> Shipment | None:
        return Shipment.of(self.row) if self.kind is ProcessKind.SHIPMENT else None

    @field("The complete transfer. Null for other kinds.")
    async def transfer(self, info: Info) -> Transfer | None:
        if self.kind is not ProcessKind.TRANSFER:
            return None
        return Transfer.of(required(await info.load(Permission.BATCH_READ, transfers_by_id, self.row.id)))

    @classmethod
    def of(cls, row: ProcessRow, query: TraceQuery) -> Self:
        kind = ProcessKind(row.kind)
        is_shipment = kind is ProcessKind.SHIPMENT
        return cls(
            node_id=node_id(LISTED_APART.get(kind, "process"), row.id),
            kind=kind,
            distance=query.traced.handled[row.id],
            opened_at=from_micros(row.opened_us),
            segment=row.segment,
            job_order=None if is_shipment else row.job_order,
            customer_order=row.job_order if is_shipment else None,
            row=row,
        )


TraceNode = Annotated[
    TracedBatch | TracedProcess,
    strawberry.union(name="TraceNode", description="A node of a trace: a batch or a process."),
]


@object_type
class TraceLink:
    """Goods that enter or leave a process of a trace."""

    source_id: strawberry.ID = described("Id of the node that the goods leave.")
    target_id: strawberry.ID = described("Id of the node that the goods enter.")
    into_process: bool = described("True for goods that enter the process, false for goods that leave it.")
    use: MaterialUse = described("Material use of the goods.")
    quantity: Quantity = described("Quantity that entered or left.")
    occurred_at: datetime = described("Time at which the goods entered or left.")
    entry_index: int = described("Index of the entry in the plant's ledger that recorded it.")
    row: strawberry.Private[TracedEdge]
    query: strawberry.Private[TraceQuery]

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

    @field("Process. Null if no plant you may see has stated it.")
    async def process(self, info: Info) -> TracedProcess | None:
        number = self.row.target_id if self.into_process else self.row.source_id
        return await traced_process(info, self.query, number)

    @classmethod
    def of(cls, row: TracedEdge, query: TraceQuery) -> Self:
        return cls(
            source_id=trace_node_id(query, row.source_id),
            target_id=trace_node_id(query, row.target_id),
            into_process=query.is_process(row.target_id),
            use=MaterialUse(row.use),
            quantity=Quantity.of(row.quantity, row.unit),
            occurred_at=from_micros(row.occurred_us),
            entry_index=row.entry_idx,
            row=row,
            query=query,
        )


@object_type
class TracePathStep:
    """A batch or a process on a path."""

    node_id: strawberry.ID = described("Id of the batch, process record, shipment or transfer, for `node`.")
    number: strawberry.Private[int]
    query: strawberry.Private[TraceQuery]

    @field("Batch or process. Null for a process that no plant you may see has stated.")
    async def node(self, info: Info) -> TraceNode | None:
        return await trace_node(info, self.query, self.number)


@object_type
class TracePath:
    """A path of goods between the start of a trace and a batch."""

    length: int = described("Number of processes on the path.")
    path: strawberry.Private[tuple[int, ...]]
    query: strawberry.Private[TraceQuery]

    @field("Batches and processes on the path, in the order in which the goods passed them.")
    async def steps(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TracePathStep]:
        query, path = self.query, self.path
        return listed(
            info, (query.filters, path), list(enumerate(path)), (first, after), key=lambda one: (one[0],),
            make=lambda one: TracePathStep(node_id=trace_node_id(query, one[1]), number=one[1], query=query),
        )  # fmt: skip

    @classmethod
    def of(cls, path: tuple[int, ...], query: TraceQuery) -> Self:
        return cls(length=sum(map(query.is_process, path)), path=path, query=query)


def trace_node_id(query: TraceQuery, number: int) -> strawberry.ID:
    """Return the id of a batch or process of a trace."""
    return node_id(query.kind_of(number), number)


async def traced_batch(info: Info, query: TraceQuery, number: int) -> TracedBatch | None:
    """Return a batch of a trace."""
    row = await info.load(Permission.TRACE_READ, query.batches, number)
    return None if row is None else TracedBatch.of(row, query)


async def traced_process(info: Info, query: TraceQuery, number: int) -> TracedProcess | None:
    """Return a process of a trace."""
    row = await info.load(Permission.TRACE_READ, processes_by_id, number)
    return None if row is None else TracedProcess.of(row, query)


def node_of(row: TracedRow | ProcessRow, query: TraceQuery) -> TracedBatch | TracedProcess:
    """Return a batch or process of a trace from its row."""
    return TracedProcess.of(row, query) if isinstance(row, ProcessRow) else TracedBatch.of(row, query)


async def trace_node(info: Info, query: TraceQuery, number: int) -> TracedBatch | TracedProcess | None:
    """Return a batch or process of a trace."""
    return await (traced_process if query.is_process(number) else traced_batch)(info, query, number)
