"""Batches, and their state at each plant."""

import json
from asyncio import gather
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.inventory.receipts import ATTRIBUTES_MAX
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry, Subject
from plants.rules.values.instants import from_micros
from plants.store.audit.history import corrections_at
from plants.store.inventory.aliases import aliases_count, aliases_page
from plants.store.inventory.batch_lists import (
    AS_RECORDED,
    batches_count,
    batches_page,
)
from plants.store.inventory.batches import Known, known_by_code, known_by_id
from plants.store.inventory.holds import holds_count, holds_page
from plants.store.inventory.receipts import receipts_by_batch
from plants.store.inventory.stock import stock_of_batches, stock_of_batches_count
from plants.store.logistics.in_transit import awaited_batches
from plants.store.production.batch_records import made_by, used_by_count, used_by_page
from plants.store.production.process_listings import OLDEST_FIRST, process_key
from plants.store.sql.orders import Order
from schema.audit.history import EntryCorrection, correction_at, history_field
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.fields import argument, described, field, object_type
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import query
from schema.engine.quantities import Quantity
from schema.engine.scalars import BatchCode
from schema.group.plants import Plant, plant_numbered
from schema.inventory import aliases, stock
from schema.inventory.attributes import BatchAttribute
from schema.inventory.batch_lists import BatchFilter, BatchOrder
from schema.inventory.goods_at_plants import BatchAtPlant, day
from schema.materials.materials import Material, material_of
from schema.materials.suppliers import Supplier
from schema.production import process_records
from schema.production.process_lists import ProcessRecordOrder
from schema.quality import holds

if TYPE_CHECKING:
    from schema.inventory.aliases import BatchAlias
    from schema.inventory.stock import Stock
    from schema.production.process_records import ProcessRecord
    from schema.quality.holds import BatchHold, BatchHoldFilter

LazyRecord = Annotated["ProcessRecord", strawberry.lazy("schema.production.process_records")]
"""A process record. Its module and this one import each other."""
LazyHoldFilter = Annotated["BatchHoldFilter", strawberry.lazy("schema.quality.holds")]
"""A filter of holds. Its module and this one import each other."""


@object_type
class Batch(Node):
    """A batch (material lot): goods that were made or received as one."""

    code: BatchCode = described("Code on its label, unique in the group. It never changes.")
    quantity_made: Quantity = described("Quantity that was made or received at its origin.")
    produced_at: datetime = described("Time of production.")
    expires_on: date | None = described("Last day of use, as its origin stated it. Null if it does not expire.")
    retest_on: date | None = described("Day on which a retest is due. Null if none is.")
    grade: str | None = described("Quality grade, such as A. Null without one.")
    attributes: list[BatchAttribute] = described(f"Further properties, at most {ATTRIBUTES_MAX}.")
    known: strawberry.Private[Known]

    @field("Material, as defined at the plant that stated the batch.")
    async def material(self, info: Info) -> Material:
        stated = self.known.stated
        found = await material_of(info, stated.plant_id, stated.material)
        assert found is not None
        return found

    @field("Plant that made or first received it. Null if you may not see that plant.")
    async def origin(self, info: Info) -> Plant | None:
        return await plant_numbered(info, plant_of(self.known.stated.id))

    @field("True while the batch is known only from a transfer label and its origin's ledger has not arrived.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, awaited_batches, self.known.stated.id) or False

    @field("Supplier. Null if the goods were made in the group, or came without one.")
    async def supplier(self, info: Info) -> Supplier | None:
        stated = self.known.stated
        return await Supplier.load(info, stated.plant_id, stated.supplier)

    @field("Lot code of the supplier, as the receipt stated it. Null without one, or if you may not see the origin.")
    async def supplier_lot(self, info: Info) -> str | None:
        receipt = await info.load(Permission.BATCH_READ, receipts_by_batch, self.known.stated.id)
        return None if receipt is None else receipt.supplier_lot

    @field("Purchase order of the receipt. Null without one, or if you may not see the origin.")
    async def purchase_order(self, info: Info) -> str | None:
        receipt = await info.load(Permission.BATCH_READ, receipts_by_batch, self.known.stated.id)
        return None if receipt is None else receipt.purchase_order

    @field("Process record that made it. Null if it was received, or if you may not see the record.")
    async def made_by(self, info: Info) -> LazyRecord | None:
        row = await info.load(Permission.BATCH_READ, made_by, self.known.stated.id)
        return None if row is None else process_records.ProcessRecord.of(row)

    @field("Process records that goods of it were fed into. Transfers and shipments are not among them.")
    async def used_by(
        self,
        info: Info,
        order_by: Annotated[
            ProcessRecordOrder | None, argument("Order. Without it, plant by plant, the oldest first.")
        ] = None,
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[LazyRecord]:
        order = OLDEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
        return await info.children(
            Permission.BATCH_READ, used_by_page, used_by_count, self.known.stated.id, (first, after),
            key=lambda row: process_key(row, order), make=process_records.ProcessRecord.of, order=order,
        )  # fmt: skip

    @field("State at each plant that knows the batch and that you may see: one for each plant.")
    async def at_plants(self, info: Info) -> list[BatchAtPlant]:
        info.context.spend(len(self.known.rows))
        return [BatchAtPlant.of(row, self.known) for row in self.known.rows]

    @field("Stock, by plant and location.")
    async def stock(
        self, info: Info, first: First = PAGE_DEFAULT, after: After = None
    ) -> Connection[Annotated["Stock", strawberry.lazy("schema.inventory.stock")]]:
        return await info.children(
            Permission.BATCH_READ, stock_of_batches, stock_of_batches_count, self.known.stated.id, (first, after),
            key=lambda row: (row.plant_id, row.location), make=lambda row: stock.Stock.of(row, self.known),
        )  # fmt: skip

    @field("Holds, by plant in the order placed. Holds of headquarters that their plant has not placed yet come last.")
    async def holds(
        self,
        info: Info,
        filter: Annotated[LazyHoldFilter | None, argument("Filter. Without it, all.")] = None,
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[Annotated["BatchHold", strawberry.lazy("schema.quality.holds")]]:
        filters = (filter or holds.BatchHoldFilter()).criteria
        return await info.children(
            Permission.BATCH_READ, holds_page, holds_count, self.known.stated.id, (first, after),
            key=lambda row: row.key, make=holds.BatchHold.of, filters=filters,
        )  # fmt: skip

    @field("Aliases in force, by plant, scheme, issuer and value.")
    async def aliases(
        self, info: Info, first: First = PAGE_DEFAULT, after: After = None
    ) -> Connection[Annotated["BatchAlias", strawberry.lazy("schema.inventory.aliases")]]:
        return await info.children(
            Permission.BATCH_READ, aliases_page, aliases_count, self.known.stated.id, (first, after),
            key=lambda row: (row.plant_id, row.scheme, row.issuer, row.value), make=aliases.BatchAlias.of,
        )  # fmt: skip

    @field(
        "True if the entry that made it was corrected. The goods do not exist so, and the batch is closed. "
        "False if you may not see its origin."
    )
    async def corrected(self, info: Info) -> bool:
        made = self._statement
        return made is not None and await info.load(Permission.BATCH_READ, corrections_at, made) is not None

    @field("Correction of the entry that made it. Null without one.", permission=Permission.LEDGER_READ)
    async def correction(self, info: Info) -> EntryCorrection | None:
        made = self._statement
        return None if made is None else await correction_at(info, made)

    history = history_field(
        "Ledger entries about it, and those that moved goods of it.",
        lambda one: (Subject.BATCH, (one.known.stated.id,)),
    )

    @property
    def _statement(self) -> tuple[int, int] | None:
        """Position of the entry that made it, or None if the statement of its origin is not here."""
        row = self.known.stated
        return (row.plant_id, row.stated_idx) if row.plant_id == plant_of(row.id) else None

    @classmethod
    def of(cls, known: Known) -> Self:
        row = known.stated
        properties: dict[str, str] = json.loads(row.attributes)
        return cls(
            id=node_id("batch", row.id),
            code=BatchCode(row.code),
            quantity_made=Quantity.of(row.made, row.unit),
            produced_at=from_micros(row.produced_us),
            expires_on=day(row.expires_on),
            retest_on=day(row.retest_on),
            grade=row.grade,
            attributes=[BatchAttribute(name=name, value=value) for name, value in sorted(properties.items())],
            known=known,
        )


async def batch_coded(info: Info, code: str) -> Batch | None:
    """Return the batch with this code."""
    known = await info.load(Permission.BATCH_READ, known_by_code, code)
    return None if known is None else Batch.of(known)


async def batch_numbered(info: Info, number: int) -> Batch | None:
    """Return the batch with this number."""
    known = await info.load(Permission.BATCH_READ, known_by_id, number)
    return None if known is None else Batch.of(known)


async def batches_stated(info: Info, entry: Entry) -> list[Batch]:
    """Return the batches that an entry states, in its order."""
    stated = entry.payload.get("batches", ())
    info.context.spend(len(stated))
    found = await gather(*(batch_coded(info, one["code"]) for one in stated))
    return [required(one) for one in found]


@findable("batch", int)
async def _find(info: Info, numbers: tuple[int, ...]) -> Batch | None:
    return await batch_numbered(info, numbers[0])


@query("Returns the batch with this code. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def batch(info: Info, code: Annotated[BatchCode, argument("Code on the label.")]) -> Batch | None:
    return await batch_coded(info, code)


@query("Lists the batches that you may see.", permission=Permission.BATCH_READ)
async def batches(
    info: Info,
    filter: Annotated[BatchFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[BatchOrder | None, argument("Order. Without it, plant by plant, the oldest first.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Batch]:
    order = AS_RECORDED if order_by is None else Order(order_by.field, order_by.direction)
    filters = (filter or BatchFilter()).criteria(order)
    return await info.connection(
        batches_page, batches_count, filters, (first, after),
        key=lambda listed: listed.key, make=lambda listed: Batch.of(listed.known),
    )  # fmt: skip
