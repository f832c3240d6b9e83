"""Goods between plants in the contract, as the hub sees them: transfers that are not settled, and their totals."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.logistics.transfers import overdue_before
from plants.rules.values.instants import from_micros
from plants.store.logistics import in_transit as kept
from plants.store.logistics.in_transit import OpenState, OpenTransfersFilter, Total
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.fields import argument, described, field
from schema.engine.quantities import Quantity
from schema.logistics.transfers import Transfer, transfer_numbered

OpenStateEnum = strawberry.enum(
    OpenState,
    name="OpenTransferState",
    description="Why a transfer is not settled: one side is missing, or the two sides contradict each other.",
)


@strawberry.type(description="A transfer that is not settled.")
class OpenTransfer:
    """A transfer that is not settled."""

    state: OpenState = described("Why it is not settled.")
    since: datetime = described("When it was dispatched, or received where that is all that was heard.")
    overdue: bool = described("Whether that is longer ago than transfers may take.")
    number: strawberry.Private[int]

    @field("The transfer, with its balances.")
    async def transfer(self, info: Info) -> Transfer:
        found: Transfer | None = await transfer_numbered(info, (self.number,))
        return sure(found)

    @classmethod
    def of(cls, one: kept.OpenTransfer, overdue_us: int) -> Self:
        """Return an open transfer as the contract answers it."""
        since = from_micros(one.since_us)
        return cls(state=one.state, since=since, overdue=one.since_us < overdue_us, number=one.id)


@strawberry.type(description="What the listed transfers add up to in one unit.")
class TransitTotal:
    """What the listed transfers add up to in one unit."""

    dispatched: Quantity = described("How much the sources say that they dispatched.")
    received: Quantity = described("How much the destinations say that they received.")
    in_transit: Quantity = described("How much is on the road.")
    loss: Quantity = described("How much the destinations recorded as missing.")
    unexplained: Quantity = described("What is left over: not zero where two sides tell different stories.")

    @classmethod
    def of(cls, total: Total) -> Self:
        """Return a total as the contract answers it."""
        parts = {
            name: Quantity.of(getattr(total, name), total.unit)
            for name in ("dispatched", "received", "in_transit", "loss", "unexplained")
        }
        return cls(**parts)


@strawberry.type(
    description="The transfers that are not settled: one side of each is missing, or contradicts the other."
)
class TransfersInTransit:
    """The transfers that are not settled."""

    overdue_days: int = described("After how many days a transfer is overdue.")
    filters: strawberry.Private[OpenTransfersFilter]

    @field("What they add up to, unit by unit.")
    async def totals(self, info: Info) -> list[TransitTotal]:
        found = await info.context.read(Permission.BATCH_READ, kept.open_totals, self.filters)
        return [TransitTotal.of(one) for one in found]

    @field("The transfers, the longest open first.")
    async def transfers(self, info: Info, first: First = None, after: After = None) -> Connection[OpenTransfer]:
        return await info.context.connection(
            Permission.BATCH_READ, kept.open_transfers, kept.open_count, self.filters, (first, after),
            key=lambda one: (one.since_us, one.id), make=lambda one: OpenTransfer.of(one, self.filters.overdue_us),
        )  # fmt: skip


@field("Transfers of which one side is missing or contradicts the other, over the plants that you may see.")
async def transfers_in_transit(
    info: Info,
    overdue: Annotated[bool | None, argument("Only those that are overdue, or that are not; all unless given.")] = None,
) -> TransfersInTransit:
    serving = info.context.serving
    days = serving.transfer_overdue_days
    before_us = overdue_before(serving.clock.now(), days)
    return TransfersInTransit(overdue_days=days, filters=OpenTransfersFilter(before_us, overdue))
