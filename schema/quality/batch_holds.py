"""Holds in the contract: what a plant placed on its goods of a batch, and what headquarters directed it to place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

import strawberry

from auth.permissions import Permission
from plants.rules.quality.dispositions import HoldKind
from plants.rules.values.instants import from_micros
from plants.store.inventory import batches as kept
from plants.store.inventory.batches import Known
from plants.store.quality import holds
from plants.store.quality.holds import DirectedHoldRow, HoldRow, directed_holds_by_code
from schema.engine.context import Info
from schema.engine.fields import described, field
from schema.engine.nodes import Node, findable, node_id
from schema.group.plants import Plant, instant, owner

HoldKindEnum = strawberry.enum(
    HoldKind, name="HoldKind", description="Why goods are held. Holds are a set: lifting one leaves the others."
)


@strawberry.type(description="A hold on a plant's goods of a batch; while one is open the goods may not be used.")
class BatchHold(Node):
    """A hold on a plant's goods of a batch."""

    kind: HoldKind = described("Why the goods are held, in one word.")
    reason: str = described("Why, in the words of whoever placed it.")
    placed_by: str = described("Who placed it, by employee number.")
    placed_at: datetime = described("When it was placed.")
    lifted_at: datetime | None = described("When it was lifted; null while it is open.")
    hold: int | None = described(
        "Its id at the plant: the index of the entry that placed it; null while headquarters alone knows of it."
    )
    directed: str | None = described("Its id at headquarters, where it was directed from there; else null.")
    in_force_at_plant: bool = described("Whether the plant says that it is in force there.")
    number: strawberry.Private[int]

    @field("The plant whose goods are held.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: HoldRow) -> Self:
        """Return a hold as the contract answers it."""
        return cls(
            id=node_id("hold", row.plant_id, row.batch_id, row.hold_id),
            kind=HoldKind(row.kind),
            reason=row.reason,
            placed_by=row.placed_by,
            placed_at=from_micros(row.placed_us),
            lifted_at=instant(row.lifted_us),
            hold=row.hold_id,
            directed=row.directed,
            in_force_at_plant=row.lifted_us is None,
            number=row.plant_id,
        )

    @classmethod
    def on_its_way(cls, row: DirectedHoldRow, batch: int) -> Self:
        """Return a hold that headquarters directed and that the plant has not placed, as the contract answers it."""
        return cls(
            id=node_id("directed-hold", row.plant_id, batch, row.directive_idx),
            kind=HoldKind(row.kind),
            reason=row.reason,
            placed_by=row.directed_by,
            placed_at=from_micros(row.directed_us),
            lifted_at=instant(row.ended_us),
            hold=None,
            directed=row.hold,
            in_force_at_plant=False,
            number=row.plant_id,
        )


async def holds_on_their_way(info: Info, known: Known, placed: Sequence[HoldRow]) -> list[DirectedHoldRow]:
    """Return the holds that headquarters directed for a batch and that their plants have not placed."""
    code = known.stated.code
    directed = await info.context.load(Permission.BATCH_READ, directed_holds_by_code, code) or []
    there = {(row.plant_id, row.directed) for row in placed}
    return [
        row for row in directed if (row.plant_id, row.hold) not in there and row.batch_id in {None, known.stated.id}
    ]


@findable("directed-hold", 3)
async def _find_directed(info: Info, numbers: tuple[int, ...]) -> BatchHold | None:
    plant, batch, directive = numbers
    known = await info.context.load(Permission.BATCH_READ, kept.known_by_id, batch)
    if known is None:
        return None
    rows = await info.context.load(Permission.BATCH_READ, holds.holds_by_batch, batch) or []
    directed = await info.context.load(Permission.BATCH_READ, directed_holds_by_code, known.stated.code) or []
    row = next((one for one in directed if (one.plant_id, one.directive_idx) == (plant, directive)), None)
    if row is None:
        return None
    placed = (one for one in rows if (one.plant_id, one.directed) == (plant, row.hold))
    return next((BatchHold.of(one) for one in placed), BatchHold.on_its_way(row, batch))
