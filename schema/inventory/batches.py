"""Batches in the contract: what they are, and how each plant's goods of them stand."""

import json
import zoneinfo
from asyncio import gather
from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry
from plants.rules.quality.dispositions import Disposition, Hold, HoldKind, check_usable
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import Refusal
from plants.store.audit.history import EntriesSought
from plants.store.inventory import batches as kept
from plants.store.inventory.batches import Alias as AliasRow
from plants.store.inventory.batches import Batch as BatchRow
from plants.store.inventory.batches import BatchesSought, BatchOrder, Known
from plants.store.inventory.movements import Stock as StockRow
from plants.store.inventory.stock import stock_by_batch
from plants.store.logistics.in_transit import awaited_batches
from plants.store.quality import holds as quality_holds
from schema.audit.history import LedgerEntry, entries
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.fields import argument, described, field
from schema.engine.nodes import Node, findable, node_id
from schema.engine.quantities import Quantity
from schema.engine.refusals import RefusalAnswer, refused
from schema.engine.scalars import BatchCode, PlantCode
from schema.group.plants import Plant, owner, plant_numbered
from schema.materials.materials import MasterKind, MasterRecord, Material, material_of, record_of
from schema.quality.batch_holds import BatchHold, holds_on_their_way

DispositionEnum = strawberry.enum(
    Disposition, name="Disposition", description="How far along goods are (ISA-95 / B2MML DispositionType)."
)
BatchOrderEnum = strawberry.enum(
    BatchOrder, name="BatchOrder", description="In which order batches are listed; MADE is by plant, then by time."
)


@strawberry.type(description="A named property of a batch.")
class Attribute:
    """A named property of a batch."""

    name: str = described("What is said.")
    value: str = described("What it is.")


@strawberry.type(description="Another name that finds a batch at a plant.")
class Alias:
    """Another name that finds a batch at a plant."""

    scheme: str = described("What sort of name it is, such as SUPPLIER_LOT.")
    issuer: str = described("Who gave it; empty for the plant itself.")
    value: str = described("The name itself.")
    number: strawberry.Private[int]

    @field("The plant where the name counts.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: AliasRow) -> Self:
        """Return an alias as the contract answers it."""
        return cls(scheme=row.scheme, issuer=row.issuer, value=row.value, number=row.plant_id)


@strawberry.type(description="How much of a batch is on hand at one location.")
class Stock(Node):
    """How much of a batch is on hand at one location."""

    quantity: Quantity = described("How much there is, in the batch's unit.")
    row: strawberry.Private[StockRow]
    known: strawberry.Private[Known]

    @field("The plant where it lies.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The location where it lies.")
    async def location(self, info: Info) -> MasterRecord:
        found = await record_of(info, MasterKind.LOCATION, self.row.plant_id, self.row.location)
        assert found is not None
        return found

    @field("The batch.")
    async def batch(self) -> "Batch":
        return Batch.of(self.known)

    @classmethod
    def of(cls, row: StockRow, known: Known) -> Self:
        """Return stock as the contract answers it."""
        unit = known.stated.unit
        return cls(
            id=strawberry.ID(f"stock/{row.plant_id}/{row.batch_id}/{row.location}"),
            quantity=Quantity.of(row.quantity, unit),
            row=row,
            known=known,
        )


@strawberry.type(description="How one plant's goods of a batch stand.")
class BatchStanding:
    """How one plant's goods of a batch stand."""

    disposition: Disposition = described("How far along the plant's goods are.")
    expires_on: date | None = described("The last day on which the plant's goods may be used.")
    version: int = described("Rises with every change of the batch or its goods at the plant.")
    row: strawberry.Private[BatchRow]
    known: strawberry.Private[Known]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("How much of the batch is on hand at the plant.")
    async def on_hand(self, info: Info) -> Quantity:
        rows = await info.context.load(Permission.BATCH_READ, stock_by_batch, self.row.id) or []
        here = sum(row.quantity for row in rows if row.plant_id == self.row.plant_id)
        return Quantity.of(here, self.row.unit)

    @field("Whether the goods may be used today, by the plant's calendar.")
    async def usable(self, info: Info) -> bool:
        return await self._blocked(info) is None

    @field("Why the goods may not be used today; null when they may.")
    async def blocked_by(self, info: Info) -> RefusalAnswer | None:
        blocked = await self._blocked(info)
        return None if blocked is None else refused(blocked, info.context.language)

    async def _blocked(self, info: Info) -> Refusal | None:
        rows = await info.context.load(Permission.BATCH_READ, quality_holds.holds_by_batch, self.row.id) or []
        here = [row for row in rows if row.plant_id == self.row.plant_id and row.lifted_us is None]
        holds = tuple(Hold(row.hold_id, HoldKind(row.kind), row.reason) for row in here)
        plant = await owner(info, self.row.plant_id)
        today = info.context.serving.clock.now().astimezone(zoneinfo.ZoneInfo(plant.time_zone)).date()
        try:
            check_usable(self.row.code, self.disposition, holds, self.row.expires_on, today)
        except Refusal as refusal:
            return refusal
        on_its_way = await holds_on_their_way(info, self.known, rows)
        directed = next((row for row in on_its_way if (row.plant_id, row.ended_us) == (self.row.plant_id, None)), None)
        if directed is None:
            return None
        data = {"batch": self.row.code, "hold": directed.hold, "kind": directed.kind, "reason": directed.reason}
        return Refusal(BATCH_ON_HOLD, **data)

    @classmethod
    def of(cls, row: BatchRow, known: Known) -> Self:
        """Return a plant's goods of a batch as the contract answers them."""
        return cls(
            disposition=Disposition(row.disposition),
            expires_on=_day(row.expires_on),
            version=row.version,
            row=row,
            known=known,
        )


@strawberry.type(description="A batch (material lot): goods that were made or received as one.")
class Batch(Node):
    """A batch (material lot): goods that were made or received as one."""

    code: BatchCode = described("The code on its label, unique in the group and for good.")
    quantity_made: Quantity = described("How much was made or received at its origin.")
    produced_at: datetime = described("When it was produced.")
    expires_on: date | None = described("The last day on which it may be used, as its origin states it.")
    retest_on: date | None = described("The day on which it is due for a test.")
    grade: str | None = described("Its grade.")
    attributes: list[Attribute] = described("What else was said of it.")
    known: strawberry.Private[Known]

    @field("The material it is of, as the plant that states the batch defines it.")
    async def material(self, info: Info) -> Material:
        stated = self.known.stated
        found = await material_of(info, stated.plant_id, stated.material)
        assert found is not None
        return found

    @field("The plant that made or first received it; null when you may not see that plant.")
    async def origin(self, info: Info) -> Plant | None:
        return await plant_numbered(info, plant_of(self.known.stated.id))

    @field("Whether its origin plant has not told of it so far: known only from a transfer's label.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.context.load(Permission.BATCH_READ, awaited_batches, self.known.stated.id) or False

    @field("Who delivered it; null when it was made in the group.")
    async def supplier(self, info: Info) -> MasterRecord | None:
        stated = self.known.stated
        return await record_of(info, MasterKind.SUPPLIER, stated.plant_id, stated.supplier)

    @field("How the goods stand at each plant that knows the batch and that you may see.")
    async def standings(self) -> list[BatchStanding]:
        return [BatchStanding.of(row, self.known) for row in self.known.rows]

    @field("Where how much of it is on hand, by plant and location.")
    async def stock(self, info: Info) -> list[Stock]:
        rows = await info.context.load(Permission.BATCH_READ, stock_by_batch, self.known.stated.id) or []
        return [Stock.of(row, self.known) for row in rows]

    @field(
        "The holds on it, by plant and in the order placed; last those of headquarters that no plant has placed yet."
    )
    async def holds(
        self, info: Info, *, open: Annotated[bool, argument("Only those that are open.")] = True
    ) -> list[BatchHold]:
        batch = self.known.stated.id
        rows = await info.context.load(Permission.BATCH_READ, quality_holds.holds_by_batch, batch) or []
        directed = await holds_on_their_way(info, self.known, rows)
        holds = [*(BatchHold.of(row) for row in rows), *(BatchHold.on_its_way(row, batch) for row in directed)]
        return [hold for hold in holds if not open or hold.lifted_at is None]

    @field("The other names that find it.")
    async def aliases(self, info: Info) -> list[Alias]:
        rows = await info.context.load(Permission.BATCH_READ, kept.aliases_by_batch, self.known.stated.id) or []
        return [Alias.of(row) for row in rows]

    @field("What happened to it: what the ledgers say of it, and what moved goods of it, by ledger and position.")
    async def history(self, info: Info, first: First = None, after: After = None) -> Connection[LedgerEntry]:
        return await entries(info, EntriesSought(batch=self.code), (first, after))

    @classmethod
    def of(cls, known: Known) -> Self:
        """Return a batch as the contract answers it."""
        row = known.stated
        said: dict[str, str] = json.loads(row.attributes)
        return cls(
            id=node_id("batch", row.id),
            code=BatchCode(row.code),
            quantity_made=Quantity.of(row.made, row.unit),
            produced_at=from_micros(row.produced_us),
            expires_on=_day(row.expires_on),
            retest_on=_day(row.retest_on),
            grade=row.grade,
            attributes=[Attribute(name=name, value=value) for name, value in sorted(said.items())],
            known=known,
        )


@strawberry.input(description="Which batches are wanted; what is not given does not matter.")
class BatchFilter:
    """Which batches are wanted."""

    plant: PlantCode | None = described("Known at this plant.", default=None)
    code_begins: str | None = described("With a code that begins so.", default=None)
    material: str | None = described("Of this material.", default=None)
    supplier: str | None = described("Delivered by this supplier.", default=None)
    disposition: Disposition | None = described("With goods that are so far along.", default=None)
    expires_before: date | None = described("Expiring before this day.", default=None)
    on_hold: bool | None = described("With an open hold, or without any.", default=None)
    in_stock: bool | None = described("With goods on hand, or without any.", default=None)
    alias: str | None = described("With this other name, whoever gave it.", default=None)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


async def batch_coded(info: Info, code: str) -> Batch | None:
    """Return a batch by its code."""
    known = await info.context.load(Permission.BATCH_READ, kept.known_by_code, code)
    return None if known is None else Batch.of(known)


async def batch_numbered(info: Info, number: int) -> Batch | None:
    """Return a batch by its number."""
    known = await info.context.load(Permission.BATCH_READ, kept.known_by_id, number)
    return None if known is None else Batch.of(known)


async def batches_stated(info: Info, entry: Entry) -> list[Batch]:
    """Return the batches that an entry states, in its order."""
    found = await gather(*(batch_coded(info, one["code"]) for one in entry.payload.get("batches", ())))
    return [sure(one) for one in found]


@findable("batch")
async def _find(info: Info, numbers: tuple[int, ...]) -> Batch | None:
    return await batch_numbered(info, numbers[0])


@field("The batch with this code, or null when there is none that you may see.")
async def batch(info: Info, code: Annotated[BatchCode, argument("The code on the label.")]) -> Batch | None:
    return await batch_coded(info, code)


@field("Batches that you may see.")
async def batches(
    info: Info,
    filter: Annotated[BatchFilter | None, argument("Which are wanted; all unless given.")] = None,
    order_by: Annotated[BatchOrder, argument("In which order.")] = BatchOrder.MADE_FIRST,
    first: First = None,
    after: After = None,
) -> Connection[Batch]:
    sought = _sought(filter or BatchFilter(), order_by)
    return await info.context.connection(
        Permission.BATCH_READ, kept.batches_page, kept.batches_count, sought, (first, after),
        key=lambda known: kept.batch_key(order_by, known), make=Batch.of,
    )  # fmt: skip


def _sought(filter: BatchFilter, order: BatchOrder) -> BatchesSought:
    return BatchesSought(
        plant=filter.plant,
        code_begins=filter.code_begins,
        material=filter.material,
        supplier=filter.supplier,
        disposition=filter.disposition,
        expires_before=None if filter.expires_before is None else filter.expires_before.isoformat(),
        on_hold=filter.on_hold,
        in_stock=filter.in_stock,
        alias=filter.alias,
        order=order,
    )
