"""Goods of batches at plants: their state, and what their plant may do with them."""

import zoneinfo
from datetime import date
from typing import Self

import strawberry

from auth.permissions import Permission
from plants.rules.quality.dispositions import Disposition, check_usable
from plants.rules.quality.holds import Hold
from plants.rules.quality.refusals import BATCH_ON_HOLD, HEADQUARTERS
from plants.rules.values.refusals import Refusal
from plants.store.inventory.batches import Batch as BatchRow
from plants.store.inventory.batches import Known
from plants.store.inventory.holds import ListedHold, open_holds
from plants.store.inventory.stock import stock_by_batch
from schema.engine.abilities import Ability, ability, nothing_blocks
from schema.engine.context import Info
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.quantities import Quantity
from schema.engine.refusals import RefusalAnswer, refused
from schema.group.plants import Plant, owner

enum_type(Disposition)


@object_type(name="BatchAtPlant")
class BatchAtPlant:
    """State of one plant's goods of a batch."""

    disposition: Disposition = described("Disposition of the plant's goods.")
    expires_on: date | None = described("Last day of use of the plant's goods. Null if they do not expire.")
    version: int = described("Version. It rises with every change of the batch or its goods at the plant.")
    row: strawberry.Private[BatchRow]
    known: strawberry.Private[Known]

    @field("Plant that has the goods.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Quantity of the batch on hand at the plant.")
    async def on_hand(self, info: Info) -> Quantity:
        return Quantity.of(await self._on_hand(info), self.row.unit)

    @field("True if goods of the batch are on hand at the plant.")
    async def in_stock(self, info: Info) -> bool:
        return await self._on_hand(info) > 0

    @field("True if a hold on the goods is open, also one of headquarters that the plant has not placed yet.")
    async def on_hold(self, info: Info) -> bool:
        return bool(await self._open_holds(info))

    @field("True if the goods may be used today, by the plant's calendar.")
    async def usable(self, info: Info) -> bool:
        return await self._blocked(info) is None

    @field("Refusal that blocks the goods today. Null if they may be used.")
    async def blocked_by(self, info: Info) -> RefusalAnswer | None:
        blocked = await self._blocked(info)
        return None if blocked is None else refused(blocked, info.context.language)

    @field("Your ability to move the goods between locations now.")
    async def viewer_can_move(self, info: Info) -> Ability:
        return await ability(info, Permission.STOCK_MOVE, self.row.plant_id, nothing_blocks)

    @field("Your ability to dispatch the goods to another plant now.")
    async def viewer_can_transfer(self, info: Info) -> Ability:
        return await self._ability_to_use(info, Permission.TRANSFER_RUN)

    @field("Your ability to ship the goods to a customer now.")
    async def viewer_can_ship(self, info: Info) -> Ability:
        return await self._ability_to_use(info, Permission.GOODS_SHIP)

    async def _ability_to_use(self, info: Info, permission: Permission) -> Ability:
        async def check() -> None:
            blocked = await self._blocked(info)
            if blocked is not None:
                raise blocked

        return await ability(info, permission, self.row.plant_id, check)

    async def _on_hand(self, info: Info) -> int:
        rows = await info.load(Permission.BATCH_READ, stock_by_batch, self.row.id) or []
        return sum(row.quantity for row in rows if row.plant_id == self.row.plant_id)

    async def _open_holds(self, info: Info) -> list[ListedHold]:
        rows = await info.load(Permission.BATCH_READ, open_holds, self.row.id) or []
        return [row for row in rows if row.plant_id == self.row.plant_id]

    async def _blocked(self, info: Info) -> Refusal | None:
        here = await self._open_holds(info)
        placed = tuple(Hold(row.idx, row.kind, row.reason, row.directed) for row in here if not row.pending)
        plant = await owner(info, self.row.plant_id)
        today = info.services.clock.now().astimezone(zoneinfo.ZoneInfo(plant.time_zone)).date()
        try:
            check_usable(self.row.code, self.disposition, placed, self.row.expires_on, today)
        except Refusal as refusal:
            return refusal
        directed = next((row for row in here if row.pending), None)
        if directed is None:
            return None
        data = {"batch": self.row.code, "hold": directed.directed, "kind": directed.kind, "reason": directed.reason}
        return Refusal(BATCH_ON_HOLD, **data, lifter=HEADQUARTERS)

    @classmethod
    def of(cls, row: BatchRow, known: Known) -> Self:
        return cls(
            disposition=Disposition(row.disposition),
            expires_on=day(row.expires_on),
            version=row.version,
            row=row,
            known=known,
        )


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
