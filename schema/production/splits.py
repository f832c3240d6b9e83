"""Splitting batches."""

import strawberry

from auth.permissions import Permission
from plants.commands.production import splits
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.ledger.events import LINES_MAX, Entry
from plants.rules.materials.refusals import NOT_DEFINED
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import BatchCode, Code
from schema.inventory.batches import Batch, batch_coded, batches_stated
from schema.production.process_records import ProcessRecord, process_written


@input_type
class SplitPartInput:
    """A part of a batch that becomes a new batch."""

    quantity: QuantityInput = described("Quantity of the part.")
    location_code: Code = described("Code of the location for the goods.")


@input_type
class SplitBatchInput(MutationInput):
    """The batch to split, and its parts. The rest stays in the batch."""

    batch_code: BatchCode = described("Code of the batch.")
    location_code: Code = described("Code of the location that the parts are taken from.")
    parts: list[SplitPartInput] = described(f"Parts. Each becomes a new batch. At most {LINES_MAX}.")


@object_type
class BatchSplit(Recorded):
    """A batch was split."""

    process: ProcessRecord = described("Process record of the split.")
    batch: Batch = described("The split batch.")
    written: strawberry.Private[Entry]

    @field(f"New batches, in the order of the parts. At most {LINES_MAX}.")
    async def parts(self, info: Info) -> list[Batch]:
        return await batches_stated(info, self.written)


@mutation(
    "Split parts of a usable batch into new batches. They keep its dates, grade and supplier. "
    'Example: `{ batchCode: "SH1-260314-0001P", locationCode: "A1", parts: [{ quantity: { amount: "5", unit: '
    '"KGM" }, locationCode: "B1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.STOCK_MOVE,
    command=splits.split_batch,
    refusals=(
        *AMOUNTS,
        *TAKING,
        BATCH_CODE_INVALID,
        NOT_DEFINED,
    ),
)
async def split_batch(info: Info, input: Input[SplitBatchInput]) -> BatchSplit:
    parts = tuple(splits.SplitPart(one.quantity.amount, one.location_code, one.quantity.unit) for one in input.parts)
    order = splits.Split(input.batch_code, input.location_code, parts)
    entry = await info.write(splits.split_batch, order, input)
    return BatchSplit(
        entry=RecordedEntry.of(entry),
        process=await process_written(info, entry.payload["process"]["id"]),
        batch=required(await batch_coded(info, input.batch_code)),
        written=entry,
    )
