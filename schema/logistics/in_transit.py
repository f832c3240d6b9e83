"""Transfers in transit: unsettled transfers and their totals, at the hub."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from infra.roles import Role
from plants.rules.logistics.transfers import overdue_before
from plants.rules.values.instants import from_micros
from plants.store.logistics.in_transit import (
    OpenState,
    OpenTransfersFilter,
    Total,
    open_count,
    open_totals,
    open_transfers,
    open_transfers_by_id,
)
from plants.store.logistics.in_transit import OpenTransfer as OpenTransferRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import DateTimeRange, Filter, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import HUB_ONLY, query
from schema.engine.quantities import Quantity
from schema.logistics.transfers import Transfer, transfer_numbered

enum_type(OpenState, name="OpenTransferState")


@object_type
class OpenTransfer(Node):
    """An unsettled transfer."""

    state: OpenState = described("State of the transfer.")
    since: datetime = described(
        "Time since which it is unsettled: of dispatch, or of receipt if only the receipt is known."
    )
    overdue: bool = described("True if it has been unsettled for longer than `overdueDays`.")
    number: strawberry.Private[int]

    @field("The transfer with its lines.")
    async def transfer(self, info: Info) -> Transfer:
        found: Transfer | None = await transfer_numbered(info, (self.number,))
        return required(found)

    @classmethod
    def of(cls, one: OpenTransferRow, overdue_us: int) -> Self:
        since = from_micros(one.since_us)
        return cls(
            id=node_id("open-transfer", one.id),
            state=one.state,
            since=since,
            overdue=one.since_us < overdue_us,
            number=one.id,
        )


@findable("open-transfer", int)
async def _find(info: Info, numbers: tuple[int]) -> OpenTransfer | None:
    if info.services.role is not Role.HUB:
        return None
    found = await info.load(Permission.BATCH_READ, open_transfers_by_id, numbers[0])
    return None if found is None else OpenTransfer.of(found, _overdue_before(info))


def _overdue_before(info: Info) -> int:
    return overdue_before(info.services.clock.now(), info.services.transfer_overdue_days)


@object_type
class TransitTotal:
    """Total of the listed transfers in one unit."""

    dispatched: Quantity = described("Quantity that the sources dispatched.")
    received: Quantity = described("Quantity that the destinations received.")
    in_transit: Quantity = described("Quantity in transit.")
    loss: Quantity = described("Quantity that the destinations recorded as missing. It is negative for a surplus.")
    unexplained: Quantity = described("Unexplained remainder. It is not zero if the two sides contradict each other.")

    @classmethod
    def of(cls, total: Total) -> Self:
        parts = {
            name: Quantity.of(getattr(total, name), total.unit)
            for name in ("dispatched", "received", "in_transit", "loss", "unexplained")
        }
        return cls(**parts)


@object_type
class TransfersInTransit:
    """Unsettled transfers: one side's statement is missing or contradicts the other."""

    overdue_days: int = described("Days after which a transfer is overdue.")
    filters: strawberry.Private[OpenTransfersFilter]

    @field("Totals of all these transfers, one for each unit.", permission=Permission.BATCH_READ)
    async def totals(self, info: Info) -> list[TransitTotal]:
        found = await info.read(open_totals, self.filters)
        info.context.spend(len(found))
        return [TransitTotal.of(one) for one in found]

    @field("Unsettled transfers, the longest unsettled first.", permission=Permission.BATCH_READ)
    async def transfers(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[OpenTransfer]:
        return await info.connection(
            open_transfers, open_count, self.filters, (first, after),
            key=lambda one: (one.since_us, one.id), make=lambda one: OpenTransfer.of(one, self.filters.overdue_us),
        )  # fmt: skip


@input_type
class OpenTransferFilter:
    """Filters unsettled transfers. A field that is not given does not filter."""

    state: Filter[OpenState] | None = described("State of the transfer.", default=None)
    since: DateTimeRange | None = described("Time since which the transfer is unsettled.", default=None)
    overdue: bool | None = described(
        "True for overdue transfers, false for the others. Without it, both.", default=None
    )


@query(
    "Returns the unsettled transfers between plants that you may see.",
    permission=Permission.BATCH_READ,
    roles=HUB_ONLY,
)
async def transfers_in_transit(
    info: Info, filter: Annotated[OpenTransferFilter | None, argument("Filter. Without it, all.")] = None
) -> TransfersInTransit:
    await info.require_a_plant()
    wanted = filter or OpenTransferFilter()
    since = None if wanted.since is None else wanted.since.in_micros
    filters = OpenTransfersFilter(_overdue_before(info), wanted.overdue, criterion(wanted.state), since)
    return TransfersInTransit(overdue_days=info.services.transfer_overdue_days, filters=filters)
