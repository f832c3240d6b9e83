"""Merging batches."""

from auth.permissions import Permission
from plants.commands.production import merges
from plants.rules.values.refusals import RefusalCode as C
from schema.engine.context import Info
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batches_stated
from schema.production.process_records import ProcessRecord, process_written


@input_type
class MergeSourceInput:
    """A batch at a location: all that is there unless a quantity is given."""

    batch: BatchCode = described("The batch's code.")
    location: str = described("The code of the location it is taken from.")
    quantity: QuantityInput | None = described("How much of it; all that is there unless given.", default=None)


@input_type
class MergeBatchesInput(MutationInput):
    """Which batches become one."""

    sources: list[MergeSourceInput] = described("What is put together: at least two batches of one material.")
    location: str = described("The code of the location where the new batch is.")


@object_type
class BatchesMerged:
    """Batches were merged."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record of the merge.")
    batch: Batch = described("The new batch.")


@mutation(
    "Make one new batch of several usable ones of one material; it expires with the first of them.",
    roles=PLANT_ONLY,
    permission=Permission.STOCK_MOVE,
    command=merges.merge_batches,
    refusals=(
        *AMOUNTS,
        *TAKING,
        C.BATCH_CODE_INVALID,
        C.MATERIAL_DIFFERS,
        C.NOTHING_CHANGES,
        C.NOT_DEFINED,
    ),
)
async def merge_batches(info: Info, input: Input[MergeBatchesInput]) -> BatchesMerged:
    order = merges.Merge(tuple(_source(one) for one in input.sources), input.location)
    entry = await info.write(merges.merge_batches, order, input)
    (batch,) = await batches_stated(info, entry)
    process = await process_written(info, entry.payload["process"]["id"])
    return BatchesMerged(entry=RecordedEntry.of(entry), process=process, batch=batch)


def _source(given: MergeSourceInput) -> merges.MergeSource:
    if given.quantity is None:
        return merges.MergeSource(given.batch, given.location)
    return merges.MergeSource(given.batch, given.location, given.quantity.amount, given.quantity.unit)
