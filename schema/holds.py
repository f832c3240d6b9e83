"""Putting goods on hold; only an approved change request lifts a hold."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands import quarantine
from plants.rules.dispositions import HoldKind
from plants.rules.refusals import RefusalCode as C
from plants.store.batches import holds_by_batch
from schema.batches import Batch, BatchHold, batch_coded
from schema.context import Info, sure
from schema.entries import ENTRY, RecordedEntry
from schema.fields import described
from schema.inputs import Input, MutationInput
from schema.nodes import findable
from schema.refusals import mutation
from schema.scalars import BatchCode


@strawberry.input(description="Which batch is held, and why; `reason` is needed.")
class QuarantineBatchInput(MutationInput):
    """Which batch is held, and why."""

    batch: BatchCode = described("The batch's code.")
    kind: HoldKind = described("Why, in one word.", default=HoldKind.QUALITY)


@strawberry.type(description="A hold was put on the plant's goods of a batch.")
class BatchQuarantined:
    """A hold was put on the plant's goods of a batch."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")
    hold: BatchHold = described("The hold.")


@mutation(
    BatchQuarantined, C.BATCH_UNKNOWN,
    description="Put the plant's goods of a batch on hold, whatever else holds them.",
)  # fmt: skip
async def quarantine_batch(info: Info, input: Input[QuarantineBatchInput]) -> Any:
    order = quarantine.Quarantine(input.batch, input.reason or "", input.kind)
    entry = await info.context.write(Permission.BATCH_QUARANTINE, quarantine.quarantine_batch, order, input)
    batch = sure(await batch_coded(info, input.batch))
    hold = sure(await _find(info, (info.context.serving.plant, batch.known.stated.id, entry.index)))
    return BatchQuarantined(entry=RecordedEntry.of(entry), batch=batch, hold=hold)


@findable("hold", 3)
async def _find(info: Info, numbers: tuple[int, ...]) -> BatchHold | None:
    plant, batch, hold = numbers
    rows = await info.context.load(Permission.BATCH_READ, holds_by_batch, batch) or []
    found = next((row for row in rows if row.plant_id == plant and row.hold_id == hold), None)
    return None if found is None else BatchHold.of(found)
