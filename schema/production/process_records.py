"""Process records in the contract: what was run where and when, what went in, and what came out."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.production import process_records as rules
from plants.rules.values.instants import from_micros
from plants.store.genealogy.edges import Edge as EdgeRow
from plants.store.production import process_records as kept
from plants.store.production.process_records import ProcessesFilter, ProcessRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.fields import argument, described, field
from schema.engine.nodes import Node, findable, node_id, read_id
from schema.engine.quantities import Quantity, quantities
from schema.engine.scalars import PlantCode
from schema.group.plants import Plant, instant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.materials.materials import MasterKind, MasterRecord, record_of

PROCESS_ID = "The id of the process record."


@strawberry.enum(description="What sort of process a record is of.")
class ProcessKind(StrEnum):
    """What sort of process a record is of."""

    PRODUCTION = "PRODUCTION"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REPACK = "REPACK"
    REWORK = "REWORK"
    RELABEL = "RELABEL"
    TRANSFER = "TRANSFER"
    SHIPMENT = "SHIPMENT"


@strawberry.enum(description="How far along a process record is.")
class ProcessState(StrEnum):
    """How far along a process record is."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@strawberry.enum(description="What part goods play in a process record (ISA-95 material use).")
class MaterialUse(StrEnum):
    """What part goods play in a process record."""

    CONSUMED = "CONSUMED"
    PRODUCED = "PRODUCED"
    BY_PRODUCT = "BY_PRODUCT"
    CO_PRODUCT = "CO_PRODUCT"
    SAMPLE = "SAMPLE"
    RETURNED = "RETURNED"
    TRANSFERRED = "TRANSFERRED"
    SHIPPED = "SHIPPED"


@strawberry.type(description="An amount of a batch that went into a process record or came out of it.")
class ProcessLine:
    """An amount of a batch that went into a process record or came out of it."""

    use: MaterialUse = described("What part the goods play.")
    quantity: Quantity = described("How much it was.")
    occurred_at: datetime = described("When it was put in or taken out.")
    number: strawberry.Private[int]

    @field("The batch; null when you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)

    @classmethod
    def of(cls, row: EdgeRow, batch: int) -> Self:
        """Return an edge as the contract answers it."""
        return cls(
            use=MaterialUse(row.use),
            quantity=Quantity.of(row.quantity, row.unit),
            occurred_at=from_micros(row.occurred_us),
            number=batch,
        )


@strawberry.type(description="What went into a process record, came out and was returned, unit by unit.")
class MassBalance:
    """What went into a process record, came out and was returned, unit by unit."""

    inputs: list[Quantity] = described("What was consumed.")
    outputs: list[Quantity] = described("What was produced, by-products, co-products and samples among it.")
    returned: list[Quantity] = described("What came back unused.")
    loss: list[Quantity] = described("Inputs less outputs less returned; below zero where more came out than went in.")

    @classmethod
    def of(cls, balance: rules.MassBalance) -> Self:
        """Return a balance as the contract answers it."""
        parts = balance.inputs, balance.outputs, balance.returned, balance.loss
        inputs, outputs, returned, loss = (quantities(rules.amounts(part)) for part in parts)
        return cls(inputs=inputs, outputs=outputs, returned=returned, loss=loss)


@strawberry.type(description="A process record: production, split, merge, shipment and the like.")
class ProcessRecord(Node):
    """A process record: production, split, merge, shipment and the like."""

    kind: ProcessKind = described("What sort of process it is of.")
    state: ProcessState = described("How far along it is.")
    job_order: str | None = described("The job order, or for a shipment the customer's order.")
    segment: str | None = described("The process segment.")
    opened_at: datetime = described("When it began.")
    closed_at: datetime | None = described("When it ended.")
    loss: list[Quantity] = described("Inputs less outputs less returned, as closed; empty while it is open.")
    row: strawberry.Private[ProcessRow]

    @field("The plant whose record it is.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("What it ran on.")
    async def equipment(self, info: Info) -> MasterRecord | None:
        return await record_of(info, MasterKind.EQUIPMENT, self.row.plant_id, self.row.equipment)

    @field("Whom it was shipped to, for a shipment.")
    async def customer(self, info: Info) -> MasterRecord | None:
        return await record_of(info, MasterKind.CUSTOMER, self.row.plant_id, self.row.customer)

    @field("What went in, in the order it was put in.")
    async def inputs(self, info: Info) -> list[ProcessLine]:
        rows = await info.context.load(Permission.BATCH_READ, kept.edges_into, self.row.id) or []
        return [ProcessLine.of(row, row.source_id) for row in rows]

    @field("What came out, in the order it was taken out.")
    async def outputs(self, info: Info) -> list[ProcessLine]:
        rows = await info.context.load(Permission.BATCH_READ, kept.edges_out, self.row.id) or []
        return [ProcessLine.of(row, row.target_id) for row in rows]

    @field("What went in, came out and was returned so far.")
    async def balance(self, info: Info) -> MassBalance:
        lines = [*await self._rows(info, into=True), *await self._rows(info, into=False)]
        return MassBalance.of(rules.mass_balance((row.use, row.unit, row.quantity) for row in lines))

    async def _rows(self, info: Info, *, into: bool) -> list[EdgeRow]:
        query = kept.edges_into if into else kept.edges_out
        return await info.context.load(Permission.BATCH_READ, query, self.row.id) or []

    @classmethod
    def of(cls, row: ProcessRow) -> Self:
        """Return a process record as the contract answers it."""
        loss: dict[str, str] = json.loads(row.loss)
        return cls(
            id=node_id("process", row.id),
            kind=ProcessKind(row.kind),
            state=ProcessState(row.state),
            job_order=row.job_order,
            segment=row.segment,
            opened_at=from_micros(row.opened_us),
            closed_at=instant(row.closed_us),
            loss=quantities(loss),
            row=row,
        )


@strawberry.input(description="Which process records are wanted; what is not given does not matter.")
class ProcessFilter:
    """Which process records are wanted."""

    plant: PlantCode | None = described("Of this plant.", default=None)
    kind: ProcessKind | None = described("Of this kind.", default=None)
    state: ProcessState | None = described("In this state.", default=None)
    job_order: str | None = described("Of this job order.", default=None)
    equipment: str | None = described("Run on this piece of equipment.", default=None)


async def process_numbered(info: Info, number: int) -> ProcessRecord | None:
    """Return a process record by its number."""
    row = await info.context.load(Permission.BATCH_READ, kept.processes_by_id, number)
    return None if row is None else ProcessRecord.of(row)


async def process_written(info: Info, number: int) -> ProcessRecord:
    """Return a process record that was just written."""
    return sure(await process_numbered(info, number))


@findable("process")
async def _find(info: Info, numbers: tuple[int, ...]) -> ProcessRecord | None:
    return await process_numbered(info, numbers[0])


@field("The process record with this id, or null when there is none that you may see.")
async def process_record(info: Info, id: Annotated[strawberry.ID, argument(PROCESS_ID)]) -> ProcessRecord | None:
    numbers = read_id("process", id)
    return None if numbers is None else await process_numbered(info, numbers[0])


@field("Process records, the last opened of each plant first; transfers are listed by themselves.")
async def process_records(
    info: Info,
    filter: Annotated[ProcessFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[ProcessRecord]:
    return await info.context.connection(
        Permission.BATCH_READ, kept.processes_page, kept.processes_count, _filters(filter), (first, after),
        key=lambda row: (row.id, row.plant_id), make=ProcessRecord.of,
    )  # fmt: skip


def _filters(filter: ProcessFilter | None) -> ProcessesFilter:
    if filter is None:
        return ProcessesFilter()
    kind, state = (None if one is None else one.value for one in (filter.kind, filter.state))
    return ProcessesFilter(filter.plant, kind, state, filter.job_order, filter.equipment)
