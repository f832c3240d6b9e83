"""Merging batches."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.production import merges
from plants.rules.values.refusals import RefusalCode as C
from schema.engine.context import Info
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input, MutationInput
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING, mutation
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batches_stated
from schema.production.process_records import ProcessRecord, process_written


@strawberry.input(description="A batch at a location: all that is there unless a quantity is given.")
class MergeSourceInput:
    """A batch at a location."""

    batch: BatchCode = described("The batch's code.")
    location: str = described("The code of the location it is taken from.")
    quantity: QuantityInput | None = described("How much of it; all that is there unless given.", default=None)


@strawberry.input(description="Which batches become one.")
class MergeBatchesInput(MutationInput):
    """Which batches become one."""

    sources: list[MergeSourceInput] = described("What is put together: at least two batches of one material.")
    location: str = described("The code of the location where the new batch is.")


@strawberry.type(description="Batches were merged.")
class BatchesMerged:
    """Batches were merged."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record of the merge.")
    batch: Batch = described("The new batch.")


@mutation(
    BatchesMerged, *AMOUNTS, *TAKING, C.BATCH_CODE_INVALID, C.MATERIAL_DIFFERS, C.NOTHING_CHANGES, C.NOT_DEFINED,
    description="Make one new batch of several usable ones of one material; it expires with the first of them.",
)  # fmt: skip
async def merge_batches(info: Info, input: Input[MergeBatchesInput]) -> Any:
    order = merges.Merge(tuple(_source(one) for one in input.sources), input.location)
    entry = await info.context.write(Permission.STOCK_MOVE, merges.merge_batches, order, input)
    (batch,) = await batches_stated(info, entry)
    process = await process_written(info, entry.payload["process"]["id"])
    return BatchesMerged(entry=RecordedEntry.of(entry), process=process, batch=batch)


def _source(given: MergeSourceInput) -> merges.MergeSource:
    if given.quantity is None:
        return merges.MergeSource(given.batch, given.location)
    return merges.MergeSource(given.batch, given.location, given.quantity.amount, given.quantity.unit)
