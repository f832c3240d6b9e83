"""Quarantine in the contract: placing a hold on a plant's goods of a batch."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.quality import holds
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.quality.dispositions import HoldKind
from plants.store.quality.holds import holds_by_batch
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input, MutationInput
from schema.engine.nodes import findable
from schema.engine.refusals import mutation
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batch_coded
from schema.quality.batch_holds import BatchHold


@strawberry.input(description="Which batch is put on hold, and why.")
class QuarantineBatchInput(MutationInput):
    """Which batch is put on hold, and why."""

    batch: BatchCode = described("The batch's code.")
    kind: HoldKind = described("Why, in one word.", default=HoldKind.QUALITY)
    reason: str = described("Why, in your own words.")


@strawberry.type(description="The plant's goods of a batch were put on hold.")
class BatchQuarantined:
    """The plant's goods of a batch were put on hold."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")
    hold: BatchHold = described("The hold that was placed, as it stands now.")


@findable("hold", 3)
async def _find(info: Info, numbers: tuple[int, ...]) -> BatchHold | None:
    plant, batch, hold = numbers
    rows = await info.context.load(Permission.BATCH_READ, holds_by_batch, batch) or []
    return next((BatchHold.of(row) for row in rows if (row.plant_id, row.hold_id) == (plant, hold)), None)


@mutation(
    BatchQuarantined,
    BATCH_UNKNOWN,
    description="Put the plant's goods of a batch on hold, whatever else holds them; an approved release lifts it.",
)
async def quarantine_batch(info: Info, input: Input[QuarantineBatchInput]) -> Any:
    order = holds.Quarantine(input.batch, input.reason, input.kind)
    entry = await info.context.write(Permission.BATCH_QUARANTINE, holds.quarantine_batch, order, input)
    batch = sure(await batch_coded(info, input.batch))
    hold = await _find(info, (info.context.serving.plant, batch.known.stated.id, entry.index))
    return BatchQuarantined(entry=RecordedEntry.of(entry), batch=batch, hold=sure(hold))
