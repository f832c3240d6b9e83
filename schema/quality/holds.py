"""Holds: those that a plant placed on its goods, and those that headquarters directed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.quality import holds as commands
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import HOLD_UNKNOWN
from plants.rules.values.refusals import Refusal, within
from plants.store.inventory.batches import known_by_id
from plants.store.inventory.holds import HoldsFilter, ListedHold, holds_named
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, enum_type, field, input_type, object_type
from schema.engine.filters import Filter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.node_ids import node_id
from schema.engine.nodes import ID_SHOWN_MAX, Node, findable, named
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.scalars import BatchCode
from schema.group.plants import Plant, owner
from schema.inventory import batches
from schema.people.actors import Actor

if TYPE_CHECKING:
    from schema.inventory.batches import Batch

enum_type(HoldKind)


@object_type
class BatchHold(Node):
    """A hold on a plant's goods of a batch. The goods may not be used while it is open."""

    kind: HoldKind = described("Kind of hold.")
    reason: str = described("Reason that was given.")
    open: bool = described("True until it is lifted.")
    placed_by: Actor = described("User who placed it, at the plant or at headquarters.")
    placed_at: datetime = described("Time of placing.")
    lifted_at: datetime | None = described("Time of lifting. Null while it is open.")
    placed_index: int | None = described(
        "Index of the entry by which the plant placed it. Null while only headquarters knows the hold."
    )
    directed_hold_id: strawberry.ID | None = described(
        "Id at headquarters, the same at every plant. Null if the plant placed it by itself."
    )
    in_force_at_plant: bool = described("True if the plant has placed it and not lifted it.")
    number: strawberry.Private[int]

    @field("Plant of the goods.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: ListedHold) -> Self:
        is_open = row.ended_at is None
        return cls(
            id=node_id("hold", row.plant_id, row.batch_id, row.directed or str(row.idx)),
            kind=row.kind,
            reason=row.reason,
            open=is_open,
            placed_by=Actor.of(row.author),
            placed_at=row.placed_at,
            lifted_at=row.ended_at,
            placed_index=None if row.pending else row.idx,
            directed_hold_id=None if row.directed is None else directed_hold_id(row.directed),
            in_force_at_plant=is_open and not row.pending,
            number=row.plant_id,
        )


def directed_hold_id(hold: str) -> strawberry.ID:
    """Return the id of a hold or recall of headquarters, for all plants and batches that it was directed to."""
    return node_id("directed-hold", hold)


@input_type
class BatchHoldFilter:
    """Filters holds. A field that is not given does not filter."""

    kind: Filter[HoldKind] | None = described("Kind of hold.", default=None)
    open: bool | None = described("True for open holds, false for lifted ones. Without it, both.", default=None)

    @property
    def criteria(self) -> HoldsFilter:
        return HoldsFilter(criterion(self.kind), self.open)


@findable("hold", int, int, str)
async def _find(info: Info, parts: tuple[int, int, str]) -> BatchHold | None:
    row = await info.load(Permission.BATCH_READ, holds_named, parts)
    return None if row is None else BatchHold.of(row)


async def placed_index(info: Info, batch_code: str, hold_id: str) -> int:
    """Return the index of the hold that `holdId` names on this node's goods of a batch.

    Raises Refusal HOLD_UNKNOWN for any other text.
    """
    plant, batch, name = named("holdId", "hold", hold_id, HOLD_UNKNOWN, batch=batch_code[:40])
    known = await info.load(Permission.BATCH_READ, known_by_id, batch)
    row = await info.load(Permission.BATCH_READ, holds_named, (plant, batch, name))
    mine = known is not None and (plant, known.stated.code) == (info.services.plant, batch_code)
    if row is None or row.pending or not mine:
        with within("holdId"):
            raise Refusal(HOLD_UNKNOWN, batch=batch_code[:40], hold=hold_id[:ID_SHOWN_MAX])
    return row.idx


@input_type
class PlaceHoldInput(MutationInput):
    """The batch to hold, and the reason."""

    batch_code: BatchCode = described("Code of the batch.")
    kind: HoldKind = described("Kind of hold.", default=HoldKind.QUALITY)
    reason: str = described("Reason, in your own words.")


@object_type
class HoldPlaced(Recorded):
    """The plant's goods of a batch were put on hold."""

    batch: Annotated["Batch", strawberry.lazy("schema.inventory.batches")] = described("Batch that is held.")
    hold: BatchHold = described("The new hold.")


@mutation(
    "Put the plant's goods of a batch on hold. Other holds do not matter. An approved release lifts it. "
    'Example: `{ batchCode: "SH1-260314-0001P", reason: "Seal broken" }`.',
    roles=PLANT_ONLY,
    permission=Permission.HOLD_PLACE,
    command=commands.quarantine_batch,
    refusals=(BATCH_UNKNOWN,),
)
async def place_hold(info: Info, input: Input[PlaceHoldInput]) -> HoldPlaced:
    order = commands.Quarantine(input.batch_code, input.reason, input.kind)
    entry = await info.write(commands.quarantine_batch, order, input)
    batch = required(await batches.batch_coded(info, input.batch_code))
    hold = await _find(info, (info.services.plant, batch.known.stated.id, str(entry.index)))
    return HoldPlaced(entry=RecordedEntry.of(entry), batch=batch, hold=required(hold))
