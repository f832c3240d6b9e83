"""Transfers of goods between plants."""

from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from auth.permissions import Permission
from plants.commands.logistics import transfers as commands
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.ledger.events import LINES_MAX, Subject
from plants.rules.logistics.events import TRANSFER_DISPATCHED
from plants.rules.logistics.refusals import (
    BATCH_NOT_IN_TRANSFER,
    TRANSFER_MANIFEST_INVALID,
    TRANSFER_NOT_FOR_THIS_PLANT,
    TRANSFER_RECEIVED,
)
from plants.rules.logistics.transfers import check_awaited, transfer_manifest
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES, Refusal
from plants.store.logistics.balances import Balance, BalanceSeen, balances_by_batch, balances_count, balances_page
from plants.store.logistics.in_transit import awaited_transfers, mislabelled_by_id
from plants.store.logistics.transfers import (
    NEWEST_FIRST,
    TransferOrderField,
    TransferSeen,
    TransfersFilter,
    TransferState,
    differing_by_id,
    dispatch_of,
    transfers_by_id,
    transfers_count,
    transfers_page,
)
from plants.store.sql.orders import Order
from schema.audit.history import history_field
from schema.engine.abilities import Ability, ability
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, read_id
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.orders import Ordering
from schema.engine.quantities import Quantity, QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import BatchCode, Code, PlantCode, instant
from schema.group.plants import Plant, plant_coded
from schema.inventory.batches import Batch, batch_numbered
from schema.inventory.stock_lines import StockLineInput

enum_type(TransferState)
enum_type(TransferOrderField)


@object_type
class TransferBalance:
    """Balance of one batch of a transfer: dispatched = received + in transit + loss + unexplained."""

    dispatched: Quantity | None = described(
        "Quantity that the source dispatched. Null if its statement has not arrived."
    )
    received: Quantity | None = described(
        "Quantity that the destination received. Null if its statement has not arrived."
    )
    in_transit: Quantity = described("Quantity in transit.")
    loss: Quantity = described("Quantity that the destination recorded as missing. It is negative for a surplus.")
    unexplained: Quantity = described("Unexplained remainder. It is not zero if the two sides contradict each other.")

    @classmethod
    def of(cls, one: Balance) -> Self:
        return cls(
            dispatched=None if one.dispatched is None else Quantity.of(one.dispatched, one.unit),
            received=None if one.received is None else Quantity.of(one.received, one.unit),
            in_transit=Quantity.of(one.in_transit, one.unit),
            loss=Quantity.of(one.loss, one.unit),
            unexplained=Quantity.of(one.unexplained, one.unit),
        )


@object_type
class TransferLine(Node):
    """One batch of a transfer."""

    dispatched: Quantity = described("Dispatched quantity. Once received, the quantity on the label.")
    received: Quantity | None = described("Received quantity. Null while in transit.")
    difference: Quantity | None = described("Received minus dispatched. It is negative if goods are missing.")
    balance: TransferBalance = described("Balance from the statements of both sides.")
    number: strawberry.Private[int]

    @field("Batch. Null if you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)

    @classmethod
    def of(cls, seen: BalanceSeen) -> Self:
        one = seen.balance
        dispatched = (one.dispatched if one.said is None else one.said) or 0
        difference = None if one.received is None else one.received - dispatched
        return cls(
            id=node_id("transfer-line", seen.transfer_id, one.batch_id),
            dispatched=Quantity.of(dispatched, one.unit),
            received=None if one.received is None else Quantity.of(one.received, one.unit),
            difference=None if difference is None else Quantity.of(difference, one.unit),
            balance=TransferBalance.of(one),
            number=one.batch_id,
        )


@findable("transfer-line", int, int)
async def _find_line(info: Info, key: tuple[int, int]) -> TransferLine | None:
    seen = await info.load(Permission.BATCH_READ, balances_by_batch, key)
    return None if seen is None else TransferLine.of(seen)


@object_type
class Transfer(Node):
    """A transfer of goods from one plant to another."""

    source_code: PlantCode = described("Code of the source plant.")
    destination_code: PlantCode = described("Code of the destination plant.")
    state: TransferState = described(
        "State, as known at this node. The source's own node does not learn of the receipt."
    )
    dispatched_at: datetime = described("Time of dispatch.")
    received_at: datetime | None = described("Time of receipt. Null while in transit.")
    seen: strawberry.Private[TransferSeen]

    @field("Source plant. Null if you may not see it.")
    async def source(self, info: Info) -> Plant | None:
        return await plant_coded(info, self.source_code)

    @field("Destination plant. Null if you may not see it.")
    async def destination(self, info: Info) -> Plant | None:
        return await plant_coded(info, self.destination_code)

    @field("Lines, one for each batch, in the order of the dispatch.")
    async def lines(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TransferLine]:
        return await info.children(
            Permission.BATCH_READ, balances_page, balances_count, self.seen.id, (first, after),
            key=lambda seen: (seen.line, seen.balance.batch_id), make=TransferLine.of,
        )  # fmt: skip

    @field("True if the destination received another quantity of a batch than the label says.")
    async def differs(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, differing_by_id, self.seen.id) or False

    @field("True if it was received, and the dispatch has not arrived from the source's ledger, which you may see.")
    async def awaiting_source(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, awaited_transfers, self.seen.id) or False

    @field("True if the label at receipt does not match the source's ledger.")
    async def label_differs(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, mislabelled_by_id, self.seen.id) or False

    @field(
        "Text for the label that travels with the goods. Null without the right to run transfers of the source.",
        permission=Permission.TRANSFER_RUN,
    )
    async def manifest(self, info: Info) -> str | None:
        found = await info.look_up(Permission.TRANSFER_RUN, dispatch_of, self.seen.id)
        return None if found is None else transfer_manifest(*found)

    @field("Your ability to receive it at its destination now.")
    async def viewer_can_receive(self, info: Info) -> Ability:
        destination = await plant_coded(info, self.destination_code)
        if destination is None:
            return Ability.of(Refusal(NOT_PERMITTED), info.context.language)

        async def check() -> None:
            check_awaited(self.seen.id, received=self.seen.received is not None)

        return await ability(info, Permission.TRANSFER_RUN, destination.number, check)

    history = history_field("Ledger entries about it.", lambda one: (Subject.TRANSFER, (one.seen.id,)))

    @classmethod
    def of(cls, seen: TransferSeen) -> Self:
        row = required(seen.sent or seen.received)
        arrived = seen.received
        return cls(
            id=node_id("transfer", seen.id),
            source_code=PlantCode(row.source_plant or ""),
            destination_code=PlantCode(row.destination_plant or ""),
            state=TransferState.IN_TRANSIT if arrived is None else TransferState.RECEIVED,
            dispatched_at=from_micros(row.opened_us),
            received_at=None if arrived is None else instant(arrived.closed_us),
            seen=seen,
        )


@input_type
class TransferFilter:
    """Filters transfers. A field that is not given does not filter."""

    source_code: CodeFilter | None = described("Code of the source plant.", default=None)
    destination_code: CodeFilter | None = described("Code of the destination plant.", default=None)
    state: Filter[TransferState] | None = described("State of the transfer.", default=None)
    differs: bool | None = described(
        "True for transfers with a difference, false for those without. Without it, both.", default=None
    )
    batch_code: CodeFilter | None = described("Code of a batch of its lines.", default=None)
    dispatched_at: DateTimeRange | None = described("Time of dispatch.", default=None)
    received_at: DateTimeRange | None = described("Time of receipt.", default=None)

    def criteria(self, order: Order[TransferOrderField]) -> TransfersFilter:
        return TransfersFilter(
            source=criterion(self.source_code),
            destination=criterion(self.destination_code),
            state=criterion(self.state),
            differs=self.differs,
            batch=criterion(self.batch_code),
            dispatched_us=None if self.dispatched_at is None else self.dispatched_at.in_micros,
            received_us=None if self.received_at is None else self.received_at.in_micros,
            order=order,
        )


@input_type
class TransferOrder(Ordering):
    """Order of transfers."""

    field: TransferOrderField = described("Field to order by.")


@input_type
class DispatchTransferInput(MutationInput):
    """Goods to dispatch, and the destination."""

    destination_code: PlantCode = described("Code of the destination plant.")
    lines: list[StockLineInput] = described(f"Goods, with their locations. At most {LINES_MAX}.")


@input_type
class ReceiptLineInput:
    """Received quantity of a batch of a transfer at a location. It may be zero."""

    batch_code: BatchCode = described("Code of the batch.")
    quantity: QuantityInput = described("Received quantity.")
    location_code: Code = described("Code of the location for the goods.")


@input_type
class ReceiveTransferInput(MutationInput):
    """Label of a transfer, and the location for its goods."""

    manifest: str = described("Text of the scanned label.")
    location_code: Code = described(
        "Code of the location for batches without a line. Their dispatched quantity counts as received."
    )
    lines: list[ReceiptLineInput] = described(
        f"Counted quantities that differ from the dispatched ones. At most {LINES_MAX}.", default_factory=list
    )


@object_type
class TransferDispatched(Recorded):
    """Goods were dispatched to another plant. Print the manifest on their label."""

    transfer: Transfer = described("The new transfer.")
    manifest: str = described("Text for the label that travels with the goods.")


@object_type
class TransferReceived(Recorded):
    """Goods of a transfer were received."""

    transfer: Transfer = described("Transfer with its differences.")


FINAL: Final = "" if TRANSFER_DISPATCHED.correctable else "A dispatch cannot be corrected. Check the destination. "


@mutation(
    "Dispatch usable goods to another plant. Batches keep their codes. Print the manifest of the answer on "
    f"the label. {FINAL}"
    'Example: `{ destinationCode: "BJ2", lines: [{ batchCode: "SH1-260314-0001P", quantity: { amount: "5", '
    'unit: "KGM" }, locationCode: "A1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.TRANSFER_RUN,
    command=commands.dispatch_transfer,
    refusals=(*AMOUNTS, *TAKING, CODE_INVALID, NOTHING_CHANGES),
)
async def dispatch_transfer(info: Info, input: Input[DispatchTransferInput]) -> TransferDispatched:
    order = commands.Dispatch(input.destination_code, tuple(line.line for line in input.lines))
    entry = await info.write(commands.dispatch_transfer, order, input)
    transfer = await _written(info, entry.payload["transfer"])
    found = await info.read(dispatch_of, entry.payload["transfer"])
    return TransferDispatched(
        entry=RecordedEntry.of(entry), transfer=transfer, manifest=transfer_manifest(*required(found))
    )


@mutation(
    "Receive the goods of a transfer by its label. No connection to the source or the hub is needed. Give "
    "lines only for quantities that differ from the label. "
    'Example: `{ manifest: "…", locationCode: "A1" }`.',
    roles=PLANT_ONLY,
    permission=Permission.TRANSFER_RUN,
    command=commands.receive_transfer,
    refusals=(
        *AMOUNTS,
        BATCH_NOT_IN_TRANSFER,
        LINES_INVALID,
        NOT_DEFINED,
        TRANSFER_MANIFEST_INVALID,
        TRANSFER_NOT_FOR_THIS_PLANT,
        TRANSFER_RECEIVED,
    ),
)
async def receive_transfer(info: Info, input: Input[ReceiveTransferInput]) -> TransferReceived:
    lines = tuple(
        commands.ReceiptLine(line.batch_code, line.quantity.amount, line.location_code, line.quantity.unit)
        for line in input.lines
    )
    order = commands.TransferReceipt(input.manifest, input.location_code, lines)
    entry = await info.write(commands.receive_transfer, order, input)
    return TransferReceived(entry=RecordedEntry.of(entry), transfer=await _written(info, entry.payload["transfer"]))


@findable("transfer", int)
async def transfer_numbered(info: Info, numbers: tuple[int, ...]) -> Transfer | None:
    """Return the transfer with this number."""
    seen = await info.load(Permission.BATCH_READ, transfers_by_id, numbers[0])
    return None if seen is None else Transfer.of(seen)


@query("Returns the transfer with this id. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def transfer(info: Info, id: Annotated[strawberry.ID, argument("Id of the transfer.")]) -> Transfer | None:
    numbers = read_id("transfer", id)
    return None if numbers is None else await transfer_numbered(info, numbers)


@query(
    "Lists transfers. The hub joins the statements of both sides.",
    permission=Permission.BATCH_READ,
)
async def transfers(
    info: Info,
    filter: Annotated[TransferFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        TransferOrder | None, argument("Order. Without it, source plant by source plant, the newest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Transfer]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        transfers_page, transfers_count, (filter or TransferFilter()).criteria(order), (first, after),
        key=lambda seen: seen.key(order), make=Transfer.of,
    )  # fmt: skip


async def _written(info: Info, number: int) -> Transfer:
    found: Transfer | None = await transfer_numbered(info, (number,))
    return required(found)
