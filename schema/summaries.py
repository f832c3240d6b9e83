"""What a trace adds up to, in the contract: by plant and material, by customer, and the mass balance."""

from typing import Self

import strawberry

from plants.rules.dispositions import Disposition
from plants.store.trace_summary import Delivered, Flow, Share, Summary
from schema.context import Info
from schema.fields import described, field
from schema.materials import MasterKind, MasterRecord, Material, material_of, record_of
from schema.plants import Plant, owner
from schema.quantities import Quantity


@strawberry.type(description="Traced batches of one material at one plant in one disposition.")
class TraceShare:
    """Traced batches of one material at one plant in one disposition."""

    disposition: Disposition = described("How far along the plant's goods are.")
    present: int = described("How many of the batches the plant knows.")
    batches: int = described("How many of them count here: each batch counts at one plant, its origin where seen.")
    made: Quantity = described("How much was made of those that count here.")
    on_hand: Quantity = described("How much of them is on hand at the plant.")
    share: strawberry.Private[Share]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.share.plant_id)

    @field("The material; null while the plant's definition has not come here.")
    async def material(self, info: Info) -> Material | None:
        return await material_of(info, self.share.plant_id, self.share.material)

    @classmethod
    def of(cls, share: Share) -> Self:
        """Return a share as the contract answers it."""
        return cls(
            disposition=Disposition(share.disposition),
            present=share.present,
            batches=share.batches,
            made=Quantity.of(share.made, share.unit),
            on_hand=Quantity.of(share.on_hand, share.unit),
            share=share,
        )


@strawberry.type(description="What one plant shipped of the traced batches to one customer.")
class TraceDelivery:
    """What one plant shipped of the traced batches to one customer."""

    shipments: int = described("In how many shipments.")
    batches: int = described("Of how many batches.")
    quantity: Quantity = described("How much.")
    delivered: strawberry.Private[Delivered]

    @field("The plant that shipped it.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.delivered.plant_id)

    @field("The customer; null while the plant's definition has not come here.")
    async def customer(self, info: Info) -> MasterRecord | None:
        return await record_of(info, MasterKind.CUSTOMER, self.delivered.plant_id, self.delivered.customer)

    @classmethod
    def of(cls, delivered: Delivered) -> Self:
        """Return a delivery as the contract answers it."""
        return cls(
            shipments=delivered.shipments,
            batches=delivered.batches,
            quantity=Quantity.of(delivered.quantity, delivered.unit),
            delivered=delivered,
        )


@strawberry.type(description="How much of the traced batches a plant moved between two kinds of place.")
class TraceFlow:
    """How much of the traced batches a plant moved between two kinds of place."""

    taken_from: str = described("The kind of place: supplier, source, stock, process, count or scrap.")
    put_in: str = described("The kind of place: stock, process, count or scrap.")
    quantity: Quantity = described("How much.")
    number: strawberry.Private[int]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """Return a flow as the contract answers it."""
        return cls(
            taken_from=flow.taken_from,
            put_in=flow.put_in,
            quantity=Quantity.of(flow.quantity, flow.unit),
            number=flow.plant_id,
        )


@strawberry.type(description="What a trace adds up to.")
class TraceSummary:
    """What a trace adds up to."""

    batches: int = described("How many batches it reaches, those it begins at included.")
    processes: int = described("How many process records.")
    edges: int = described("How many edges: goods that went into or came out of a process record.")
    depth: int = described("How many process steps away the farthest batch is.")
    unstated: int = described("How many of the batches no plant that you may see has stated.")
    shares: list[TraceShare] = described("By plant, material and disposition.")
    deliveries: list[TraceDelivery] = described("By plant and customer.")
    mass_balance: list[TraceFlow] = described("Everything that moved, by plant, unit and kinds of place.")

    @classmethod
    def of(cls, summary: Summary, flows: tuple[Flow, ...]) -> Self:
        """Return a summary as the contract answers it."""
        return cls(
            batches=summary.batches,
            processes=summary.processes,
            edges=summary.edges,
            depth=summary.depth,
            unstated=summary.unstated,
            shares=[TraceShare.of(share) for share in summary.shares],
            deliveries=[TraceDelivery.of(delivered) for delivered in summary.deliveries],
            mass_balance=[TraceFlow.of(flow) for flow in flows],
        )
