"""Merging batches."""

from auth.permissions import Permission
from plants.commands.production import merges
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.ledger.events import LINES_MAX
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import MATERIAL_DIFFERS
from plants.rules.values.refusals import NOTHING_CHANGES
from schema.engine.context import Info
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import BatchCode, Code
from schema.inventory.batches import Batch, batches_stated
from schema.production.process_records import ProcessRecord, process_written


@input_type
class MergeSourceInput:
    """Goods of a batch at a location, to be merged."""

    batch_code: BatchCode = described("Code of the batch.")
    location_code: Code = described("Code of the location that the goods are taken from.")
    quantity: QuantityInput | None = described("Quantity. Without it, all of the batch at the location.", default=None)


@input_type
class MergeBatchesInput(MutationInput):
    """The batches to merge."""

    sources: list[MergeSourceInput] = described(
        f"Batches to merge: at least two and at most {LINES_MAX}, of one material."
    )
    location_code: Code = described("Code of the location for the new batch.")


@object_type
class BatchesMerged(Recorded):
    """Batches were merged."""

    process: ProcessRecord = described("Process record of the merge.")
    batch: Batch = described("The new batch.")


@mutation(
    "Merge usable batches of one material into a new batch. The earliest expiry date applies. "
    'Example: `{ sources: [{ batchCode: "SH1-260314-0001P", locationCode: "A1" }, { batchCode: '
    '"SH1-260314-0002M", locationCode: "A1" }], locationCode: "B1" }`.',
    roles=PLANT_ONLY,
    permission=Permission.STOCK_MOVE,
    command=merges.merge_batches,
    refusals=(
        *AMOUNTS,
        *TAKING,
        BATCH_CODE_INVALID,
        MATERIAL_DIFFERS,
        NOTHING_CHANGES,
        NOT_DEFINED,
    ),
)
async def merge_batches(info: Info, input: Input[MergeBatchesInput]) -> BatchesMerged:
    order = merges.Merge(tuple(_source(one) for one in input.sources), input.location_code)
    entry = await info.write(merges.merge_batches, order, input)
    (batch,) = await batches_stated(info, entry)
    process = await process_written(info, entry.payload["process"]["id"])
    return BatchesMerged(entry=RecordedEntry.of(entry), process=process, batch=batch)


def _source(input: MergeSourceInput) -> merges.MergeSource:
    if input.quantity is None:
        return merges.MergeSource(input.batch_code, input.location_code)
    return merges.MergeSource(input.batch_code, input.location_code, input.quantity.amount, input.quantity.unit)
