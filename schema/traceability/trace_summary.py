"""Figures of a trace: counts by plant, material and customer, and the flows of goods."""

from typing import Self

import strawberry

from auth.permissions import Permission
from plants.rules.quality.dispositions import Disposition
from plants.store.traceability.trace_summary import Delivered, Flow, PlaceKind, Share, Summary
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.quantities import Quantity
from schema.engine.scalars import Code
from schema.group.plants import Plant, owner
from schema.materials.customers import Customer
from schema.materials.materials import Material, material_of
from schema.traceability.trace_lists import listed
from schema.traceability.trace_queries import WHOLE, TraceQuery

enum_type(PlaceKind)


@object_type
class TraceShare:
    """Traced batches of one material and disposition at one plant."""

    material_code: Code = described("Code of the material at the plant.")
    disposition: Disposition = described("Disposition of the plant's goods.")
    known_count: int = described("Number of batches that the plant knows.")
    batch_count: int = described(
        "Number of those batches that count here. Each batch counts at one plant, its origin if possible."
    )
    quantity_made: Quantity = described("Quantity of those batches that was made or received at their origin.")
    on_hand: Quantity = described("Quantity on hand at the plant.")
    row: strawberry.Private[Share]

    @field("Plant that the figures are of.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Material, as defined at the plant.")
    async def material(self, info: Info) -> Material | None:
        return await material_of(info, self.row.plant_id, self.row.material)

    @classmethod
    def of(cls, row: Share) -> Self:
        return cls(
            material_code=row.material,
            disposition=Disposition(row.disposition),
            known_count=row.present,
            batch_count=row.batches,
            quantity_made=Quantity.of(row.made, row.unit),
            on_hand=Quantity.of(row.on_hand, row.unit),
            row=row,
        )


@object_type
class TraceDelivery:
    """Shipments of traced batches from one plant to one customer, in one unit."""

    customer_code: Code = described("Customer code at the plant.")
    shipment_count: int = described("Number of shipments.")
    batch_count: int = described("Number of batches.")
    quantity: Quantity = described("Shipped quantity, over all these batches.")
    row: strawberry.Private[Delivered]

    @field("Plant that the figures are of.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Customer, as defined at the plant.")
    async def customer(self, info: Info) -> Customer | None:
        return await Customer.load(info, self.row.plant_id, self.row.customer)

    @classmethod
    def of(cls, row: Delivered) -> Self:
        return cls(
            customer_code=row.customer,
            shipment_count=row.shipments,
            batch_count=row.batches,
            quantity=Quantity.of(row.quantity, row.unit),
            row=row,
        )


@object_type
class TraceFlow:
    """Quantity of traced batches that a plant moved between two kinds of place."""

    taken_from: PlaceKind = described("Kind of place that the goods left.")
    put_in: PlaceKind = described("Kind of place that the goods entered.")
    quantity: Quantity = described("Quantity, over all batches in the unit.")
    number: strawberry.Private[int]

    @field("Plant that the figures are of.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: Flow) -> Self:
        quantity = Quantity.of(row.quantity, row.unit)
        return cls(taken_from=row.taken_from, put_in=row.put_in, quantity=quantity, number=row.plant_id)


@object_type
class TraceSummary:
    """Figures of a trace. Each is computed only if requested."""

    batch_count: int = described("Number of batches, including the start.")
    process_count: int = described("Number of process records and shipments.")
    transfer_count: int = described("Number of transfers that brought a batch of the trace to a plant or away from it.")
    link_count: int = described("Number of links between batches and process records, shipments or transfers.")
    depth: int = described("Distance of the most distant batch, in process steps.")
    query: strawberry.Private[TraceQuery]

    @field("Number of batches that no plant you may see has stated.")
    async def unstated_count(self, info: Info) -> int:
        return (await self._figures(info)).unstated

    @field("Batches by plant, material and disposition.")
    async def shares(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceShare]:
        return listed(
            info, (self.query.filters,), (await self._figures(info)).shares, (first, after),
            key=lambda row: (row.plant_id, row.material, row.unit, row.disposition), make=TraceShare.of,
        )  # fmt: skip

    @field("Shipped quantities by plant, customer and unit.")
    async def deliveries(
        self, info: Info, first: First = PAGE_DEFAULT, after: After = None
    ) -> Connection[TraceDelivery]:
        return listed(
            info, (self.query.filters,), (await self._figures(info)).deliveries, (first, after),
            key=lambda row: (row.plant_id, row.customer, row.unit), make=TraceDelivery.of,
        )  # fmt: skip

    @field(
        "Mass balance: moved quantities by plant, unit and kinds of place. Into stock minus out of stock is on hand.",
        permission=Permission.TRACE_READ,
    )
    async def flows(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceFlow]:
        return listed(
            info, (self.query.filters,), await info.read(self.query.flows), (first, after),
            key=lambda row: (row.plant_id, row.unit, row.taken_from, row.put_in), make=TraceFlow.of,
        )  # fmt: skip

    async def _figures(self, info: Info) -> Summary:
        return required(await info.load(Permission.TRACE_READ, self.query.summary, WHOLE))

    @classmethod
    def of(cls, query: TraceQuery) -> Self:
        traced = query.traced
        return cls(
            batch_count=len(traced.batches),
            process_count=len(traced.processes),
            transfer_count=len(traced.transfers),
            link_count=traced.link_count,
            depth=traced.depth,
            query=query,
        )
