"""Holds: those that a plant placed on its goods, and those that headquarters directed."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.quality import holds as commands
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.quality.holds import HoldKind
from plants.store.inventory.batches import Known, known_by_id
from plants.store.quality import holds
from plants.store.quality.holds import DirectedHoldRow, HoldRow, directed_holds_by_code, holds_by_batch
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.scalars import BatchCode
from schema.group.plants import Plant, owner
from schema.inventory import batches

if TYPE_CHECKING:
    from schema.inventory.batches import Batch

enum_type(HoldKind)


@object_type
class BatchHold(Node):
    """A hold on a plant's goods of a batch. The goods may not be used while it is open."""

    kind: HoldKind = described("Kind of hold.")
    reason: str = described("Reason that was given.")
    placed_by: str = described("Employee number of the user who placed it.")
    placed_at: datetime = described("Time of placing.")
    lifted_at: datetime | None = described("Time of lifting. Null while it is open.")
    hold: int | None = described(
        "Id at the plant: the index of its entry. Null while only headquarters knows the hold."
    )
    directed: str | None = described("Id at headquarters. Null if the plant placed it by itself.")
    in_force_at_plant: bool = described("True if the plant has placed it and not lifted it.")
    number: strawberry.Private[int]

    @field("Plant of the goods.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: HoldRow) -> Self:
        return cls(
            id=node_id("hold", row.plant_id, row.batch_id, row.hold_id),
            kind=row.kind,
            reason=row.reason,
            placed_by=row.placed_by,
            placed_at=row.placed_at,
            lifted_at=row.lifted_at,
            hold=row.hold_id,
            directed=row.directed,
            in_force_at_plant=row.lifted_at is None,
            number=row.plant_id,
        )

    @classmethod
    def on_its_way(cls, row: DirectedHoldRow, batch: int) -> Self:
        """Return a directed hold that the plant has not placed yet."""
        return cls(
            id=node_id("directed-hold", row.plant_id, batch, row.directive_idx),
            kind=row.kind,
            reason=row.reason,
            placed_by=row.directed_by,
            placed_at=row.directed_at,
            lifted_at=row.ended_at,
            hold=None,
            directed=row.hold,
            in_force_at_plant=False,
            number=row.plant_id,
        )


async def holds_on_their_way(info: Info, known: Known, placed: Sequence[HoldRow]) -> list[DirectedHoldRow]:
    """Return the directed holds of a batch that their plants have not placed."""
    code = known.stated.code
    directed = await info.load(Permission.BATCH_READ, directed_holds_by_code, code) or []
    there = {(row.plant_id, row.directed) for row in placed}
    return [
        row for row in directed if (row.plant_id, row.hold) not in there and row.batch_id in {None, known.stated.id}
    ]


@findable("directed-hold", int, int, int)
async def _find_directed(info: Info, numbers: tuple[int, ...]) -> BatchHold | None:
    plant, batch, directive = numbers
    known = await info.load(Permission.BATCH_READ, known_by_id, batch)
    if known is None:
        return None
    rows = await info.load(Permission.BATCH_READ, holds.holds_by_batch, batch) or []
    directed = await info.load(Permission.BATCH_READ, directed_holds_by_code, known.stated.code) or []
    row = next((one for one in directed if (one.plant_id, one.directive_idx) == (plant, directive)), None)
    if row is None:
        return None
    placed = (one for one in rows if (one.plant_id, one.directed) == (plant, row.hold))
    return next((BatchHold.of(one) for one in placed), BatchHold.on_its_way(row, batch))


@input_type
class PlaceHoldInput(MutationInput):
    """The batch to hold, and the reason."""

    batch_code: BatchCode = described("Batch code.")
    kind: HoldKind = described("Kind of hold.", default=HoldKind.QUALITY)
    reason: str = described("Reason, in your own words.")


@object_type
class HoldPlaced(Recorded):
    """The plant's goods of a batch were put on hold."""

    batch: Annotated["Batch", strawberry.lazy("schema.inventory.batches")] = described("Batch.")
    hold: BatchHold = described("The new hold.")


@findable("hold", int, int, int)
async def _find_placed(info: Info, numbers: tuple[int, ...]) -> BatchHold | None:
    plant, batch, hold = numbers
    rows = await info.load(Permission.BATCH_READ, holds_by_batch, batch) or []
    return next((BatchHold.of(row) for row in rows if (row.plant_id, row.hold_id) == (plant, hold)), None)


@mutation(
    "Put the plant's goods of a batch on hold. Other holds do not matter. An approved release lifts it.",
    roles=PLANT_ONLY,
    permission=Permission.BATCH_QUARANTINE,
    command=commands.quarantine_batch,
    refusals=(BATCH_UNKNOWN,),
)
async def place_hold(info: Info, input: Input[PlaceHoldInput]) -> HoldPlaced:
    order = commands.Quarantine(input.batch_code, input.reason, input.kind)
    entry = await info.write(commands.quarantine_batch, order, input)
    batch = required(await batches.batch_coded(info, input.batch_code))
    hold = await _find_placed(info, (info.services.plant, batch.known.stated.id, entry.index))
    return HoldPlaced(entry=RecordedEntry.of(entry), batch=batch, hold=required(hold))
