"""Transfers between plants: what is on the road, what came in, and what was missing or too much."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.logistics import dispatches
from plants.commands.logistics import transfers as receiving
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.logistics.refusals import (
    BATCH_NOT_IN_TRANSFER,
    TRANSFER_MANIFEST_INVALID,
    TRANSFER_NOT_FOR_THIS_PLANT,
    TRANSFER_RECEIVED,
)
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES
from plants.store.logistics import in_transit as transit
from plants.store.logistics import transfers as kept
from plants.store.logistics.in_transit import Balance
from plants.store.logistics.transfers import TransferLineRow, TransferSeen, TransfersSought
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput, StockLineInput
from schema.engine.nodes import Node, findable, node_id, read_id
from schema.engine.quantities import Quantity, QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING, mutation
from schema.engine.scalars import BatchCode, PlantCode
from schema.group.plants import instant
from schema.inventory.batches import Batch, batch_numbered


@strawberry.enum(description="How far along a transfer is, as far as is known here.")
class TransferState(StrEnum):
    """How far along a transfer is, as far as is known here."""

    IN_TRANSIT = "IN_TRANSIT"
    RECEIVED = "RECEIVED"


@strawberry.type(description="One batch of a transfer.")
class TransferLine:
    """One batch of a transfer."""

    dispatched: Quantity = described("How much left.")
    received: Quantity | None = described("How much came in; null while it is on the road.")
    difference: Quantity | None = described("Received less dispatched: below zero where some is missing.")
    number: strawberry.Private[int]

    @field("The batch; null when you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)


@strawberry.type(description="One batch of a transfer: dispatched = received + in transit + loss, as far as is known.")
class TransferBalance:
    """One batch of a transfer as both sides state it."""

    dispatched: Quantity | None = described("How much the source says that it dispatched; null while it was not heard.")
    received: Quantity | None = described(
        "How much the destination says that it received; null while it was not heard."
    )
    in_transit: Quantity = described("How much is on the road.")
    loss: Quantity = described("How much the destination recorded as missing; below zero where there was too much.")
    unexplained: Quantity = described("What is left over: not zero where the two sides tell different stories.")
    number: strawberry.Private[int]

    @field("The batch; null when you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)

    @classmethod
    def of(cls, one: Balance) -> Self:
        """Return a balance as the contract answers it."""
        return cls(
            dispatched=None if one.dispatched is None else Quantity.of(one.dispatched, one.unit),
            received=None if one.received is None else Quantity.of(one.received, one.unit),
            in_transit=Quantity.of(one.in_transit, one.unit),
            loss=Quantity.of(one.loss, one.unit),
            unexplained=Quantity.of(one.unexplained, one.unit),
            number=one.batch_id,
        )


@strawberry.type(description="Goods on the road from one plant to another, or arrived.")
class Transfer(Node):
    """Goods on the road from one plant to another, or arrived."""

    source: PlantCode = described("The code of the plant that they left.")
    destination: PlantCode = described("The code of the plant that they go to.")
    state: TransferState = described("How far along it is; the source's own node does not hear of the receipt.")
    dispatched_at: datetime = described("When it left.")
    received_at: datetime | None = described("When it came in; null while it is on the road.")
    seen: strawberry.Private[TransferSeen]

    @field("What is on it, batch by batch.")
    async def lines(self, info: Info) -> list[TransferLine]:
        rows = await info.context.load(Permission.BATCH_READ, kept.lines_by_transfer, self.seen.id) or []
        # The destination's statement, which says both, takes the place of the source's.
        by_batch = {row.batch_id: row for row in rows if row.received is None or self.seen.received is not None}
        return [_line(row) for row in by_batch.values()]

    @field("Whether it was received and the source's ledger, which you may see, has not told of it so far.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.context.load(Permission.BATCH_READ, transit.awaited_transfers, self.seen.id) or False

    @field("Whether it was received on a label that does not match the source's ledger.")
    async def label_differs(self, info: Info) -> bool:
        return await info.context.load(Permission.BATCH_READ, transit.mislabelled_by_id, self.seen.id) or False

    @field("What both sides' statements of it add up to, batch by batch.")
    async def balances(self, info: Info) -> list[TransferBalance]:
        found = await info.context.load(Permission.BATCH_READ, transit.balances, self.seen.id) or []
        return [TransferBalance.of(one) for one in found]

    @field("The text for the label that travels with the goods; null where the source's ledger may not be seen.")
    async def manifest(self, info: Info) -> str | None:
        found = await info.context.read(Permission.TRANSFER_RUN, kept.dispatch_of, self.seen.id)
        return None if found is None else transfer_manifest(*found)

    @classmethod
    def of(cls, seen: TransferSeen) -> Self:
        """Return a transfer as the contract answers it."""
        row = sure(seen.sent or seen.received)
        arrived = seen.received
        return cls(
            id=node_id("transfer", seen.id),
            source=PlantCode(row.source_plant or ""),
            destination=PlantCode(row.destination_plant or ""),
            state=TransferState.IN_TRANSIT if arrived is None else TransferState.RECEIVED,
            dispatched_at=from_micros(row.opened_us),
            received_at=None if arrived is None else instant(arrived.closed_us),
            seen=seen,
        )


@strawberry.input(description="Which transfers are wanted; what is not given does not matter.")
class TransferFilter:
    """Which transfers are wanted."""

    plant: PlantCode | None = described("From or to this plant.", default=None)
    state: TransferState | None = described("In this state.", default=None)
    differing: bool | None = described("With something missing or too much, or without.", default=None)


@strawberry.input(description="What leaves, and for which plant.")
class DispatchTransferInput(MutationInput):
    """What leaves, and for which plant."""

    destination: PlantCode = described("The code of the plant that the goods go to.")
    lines: list[StockLineInput] = described("What leaves, from which locations.")


@strawberry.input(description="How much of a batch of a transfer came in at a location, none included.")
class ReceiptLineInput:
    """How much of a batch of a transfer came in at a location."""

    batch: BatchCode = described("The batch's code.")
    quantity: QuantityInput = described("How much came in.")
    location: str = described("The code of the location where it is put.")


@strawberry.input(description="A transfer's label, and where its goods are put.")
class ReceiveTransferInput(MutationInput):
    """A transfer's label, and where its goods are put."""

    manifest: str = described("The text of the label, as it was scanned.")
    location: str = described(
        "The code of the location for all that `lines` do not speak of; as much as was dispatched."
    )
    lines: list[ReceiptLineInput] = described("What was counted, where it differs.", default_factory=list)


@strawberry.type(description="Goods left for another plant; print the manifest on their label.")
class TransferDispatched:
    """Goods left for another plant."""

    entry: RecordedEntry = described(ENTRY)
    transfer: Transfer = described("The transfer.")
    manifest: str = described("The text for the label that travels with the goods.")


@strawberry.type(description="Goods of a transfer came in.")
class TransferReceived:
    """Goods of a transfer came in."""

    entry: RecordedEntry = described(ENTRY)
    transfer: Transfer = described("The transfer, with what was missing or too much.")


@mutation(
    TransferDispatched, *AMOUNTS, *TAKING, CODE_INVALID, NOTHING_CHANGES,
    description="Put usable goods on the road to another plant; they keep their codes.",
)  # fmt: skip
async def dispatch_transfer(info: Info, input: Input[DispatchTransferInput]) -> Any:
    order = dispatches.Dispatch(input.destination, tuple(line.line for line in input.lines))
    entry = await info.context.write(Permission.TRANSFER_RUN, dispatches.dispatch_transfer, order, input)
    transfer = await _written(info, entry.payload["transfer"])
    found = await info.context.read(Permission.TRANSFER_RUN, kept.dispatch_of, entry.payload["transfer"])
    return TransferDispatched(
        entry=RecordedEntry.of(entry), transfer=transfer, manifest=transfer_manifest(*sure(found))
    )


@mutation(
    TransferReceived, *AMOUNTS, BATCH_NOT_IN_TRANSFER, LINES_INVALID, NOT_DEFINED, TRANSFER_MANIFEST_INVALID,
    TRANSFER_NOT_FOR_THIS_PLANT, TRANSFER_RECEIVED,
    description="Take over the goods of a transfer from its label alone; no network is needed.",
)  # fmt: skip
async def receive_transfer(info: Info, input: Input[ReceiveTransferInput]) -> Any:
    lines = tuple(
        receiving.ReceiptLine(line.batch, line.quantity.amount, line.location, line.quantity.unit)
        for line in input.lines
    )
    order = receiving.TransferReceipt(input.manifest, input.location, lines)
    entry = await info.context.write(Permission.TRANSFER_RUN, receiving.receive_transfer, order, input)
    return TransferReceived(entry=RecordedEntry.of(entry), transfer=await _written(info, entry.payload["transfer"]))


@findable("transfer")
async def transfer_numbered(info: Info, numbers: tuple[int, ...]) -> Transfer | None:
    """Return a transfer by its number."""
    seen = await info.context.load(Permission.BATCH_READ, kept.transfers_by_id, numbers[0])
    return None if seen is None else Transfer.of(seen)


@field("The transfer with this id, or null when there is none that you may see.")
async def transfer(info: Info, id: Annotated[strawberry.ID, argument("The id of the transfer.")]) -> Transfer | None:
    numbers = read_id("transfer", id)
    return None if numbers is None else await transfer_numbered(info, numbers)


@field("Transfers, the last dispatched of each plant first; at the hub both sides' statements are joined.")
async def transfers(
    info: Info,
    filter: Annotated[TransferFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[Transfer]:
    wanted = filter or TransferFilter()
    received = None if wanted.state is None else wanted.state is TransferState.RECEIVED
    sought = TransfersSought(wanted.plant, received, wanted.differing)
    return await info.context.connection(
        Permission.BATCH_READ, kept.transfers_page, kept.transfers_count, sought, (first, after),
        key=lambda seen: (seen.id,), make=Transfer.of,
    )  # fmt: skip


async def _written(info: Info, number: int) -> Transfer:
    found: Transfer | None = await transfer_numbered(info, (number,))
    return sure(found)


def _line(row: TransferLineRow) -> TransferLine:
    came = row.received
    return TransferLine(
        dispatched=Quantity.of(row.dispatched, row.unit),
        received=None if came is None else Quantity.of(came, row.unit),
        difference=None if came is None else Quantity.of(came - row.dispatched, row.unit),
        number=row.batch_id,
    )
