"""What a trace adds up to, in the contract: counts by plant, material and customer, and where the goods went."""

from typing import Self

import strawberry

from auth.permissions import Permission
from plants.rules.quality.dispositions import Disposition
from plants.store.traceability.trace_summary import Delivered, Flow, Share, Summary
from schema.engine.context import Info, sure
from schema.engine.fields import described, field
from schema.engine.quantities import Quantity
from schema.group.plants import Plant, owner
from schema.materials.materials import MasterKind, MasterRecord, Material, material_of, record_of
from schema.traceability.walks import WHOLE, Walk


@strawberry.type(description="Traced batches of one material, at one plant, in one disposition.")
class TraceShare:
    """Traced batches of one material, at one plant, in one disposition."""

    material_code: str = described("The code of the material.")
    disposition: Disposition = described("How far along the plant's goods are.")
    present: int = described("How many batches the plant knows.")
    batches: int = described("How many of them count here: each batch counts at its origin, or at one other plant.")
    made: Quantity = described("How much of those was made or received at their origin.")
    on_hand: Quantity = described("How much is on hand at the plant.")
    row: strawberry.Private[Share]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The material, as the plant defines it.")
    async def material(self, info: Info) -> Material | None:
        return await material_of(info, self.row.plant_id, self.row.material)

    @classmethod
    def of(cls, row: Share) -> Self:
        """Return a share as the contract answers it."""
        return cls(
            material_code=row.material,
            disposition=Disposition(row.disposition),
            present=row.present,
            batches=row.batches,
            made=Quantity.of(row.made, row.unit),
            on_hand=Quantity.of(row.on_hand, row.unit),
            row=row,
        )


@strawberry.type(description="What one plant shipped of the traced batches to one customer, in one unit.")
class TraceDelivery:
    """What one plant shipped of the traced batches to one customer."""

    customer_code: str = described("The code of the customer at the plant.")
    shipments: int = described("How many shipments it was.")
    batches: int = described("How many batches it was.")
    quantity: Quantity = described("How much it was.")
    row: strawberry.Private[Delivered]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The customer, as the plant defines it.")
    async def customer(self, info: Info) -> MasterRecord | None:
        return await record_of(info, MasterKind.CUSTOMER, self.row.plant_id, self.row.customer)

    @classmethod
    def of(cls, row: Delivered) -> Self:
        """Return a delivery as the contract answers it."""
        return cls(
            customer_code=row.customer,
            shipments=row.shipments,
            batches=row.batches,
            quantity=Quantity.of(row.quantity, row.unit),
            row=row,
        )


@strawberry.type(description="How much of the traced batches a plant moved between two kinds of place.")
class TraceFlow:
    """How much of the traced batches a plant moved between two kinds of place."""

    taken_from: str = described("Where from: supplier, source (it began there), stock, process or count.")
    put_in: str = described("Where to: stock, process, count or scrap.")
    quantity: Quantity = described("How much it was, over all batches of the unit.")
    number: strawberry.Private[int]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: Flow) -> Self:
        """Return a flow as the contract answers it."""
        quantity = Quantity.of(row.quantity, row.unit)
        return cls(taken_from=row.taken_from, put_in=row.put_in, quantity=quantity, number=row.plant_id)


@strawberry.type(description="The figures of a trace; only those that are asked for are worked out.")
class TraceSummary:
    """The figures of a trace."""

    batches: int = described("How many batches were reached, those it begins at among them.")
    processes: int = described("How many process records were reached.")
    edges: int = described("How many edges there are between them.")
    depth: int = described("How many process steps the farthest batch is away.")
    walk: strawberry.Private[Walk]

    @field("How many batches no plant that you may see has stated.")
    async def unstated(self, info: Info) -> int:
        return (await self._figures(info)).unstated

    @field("The batches by plant, material and disposition.")
    async def shares(self, info: Info) -> list[TraceShare]:
        return [TraceShare.of(row) for row in (await self._figures(info)).shares]

    @field("What was shipped, by plant, customer and unit.")
    async def deliveries(self, info: Info) -> list[TraceDelivery]:
        return [TraceDelivery.of(row) for row in (await self._figures(info)).deliveries]

    @field("The mass balance: what was moved, by plant, unit and kinds of place; into stock less out of it is on hand.")
    async def flows(self, info: Info) -> list[TraceFlow]:
        return [TraceFlow.of(row) for row in await info.context.read(Permission.TRACE_READ, self.walk.flows)]

    async def _figures(self, info: Info) -> Summary:
        return sure(await info.context.load(Permission.TRACE_READ, self.walk.summary, WHOLE))

    @classmethod
    def of(cls, walk: Walk) -> Self:
        """Return the figures of a walk as the contract answers them."""
        traced = walk.traced
        return cls(
            batches=len(traced.batches),
            processes=len(traced.processes),
            edges=len(traced.links),
            depth=traced.depth,
            walk=walk,
        )
