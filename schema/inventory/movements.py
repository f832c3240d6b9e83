"""Moving, splitting, merging, counting and naming goods that are on stock."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.inventory import aliases as alias
from plants.commands.inventory import movements, stock
from plants.commands.production import merges, splits
from plants.rules.approvals.refusals import CHANGE_REQUIRED
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import MATERIAL_DIFFERS
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import AliasInput, Input, MutationInput
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING, mutation
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batch_coded, batches_stated
from schema.production.process_records import ProcessRecord, process_written

BATCH = "The batch's code."


@strawberry.input(description="How much of which batch goes from where to where.")
class MoveBatchInput(MutationInput):
    """How much of which batch goes from where to where."""

    batch: BatchCode = described(BATCH)
    from_location: str = described("The code of the location it leaves.")
    to_location: str = described("The code of the location it comes to.")
    quantity: QuantityInput = described("How much moves.")


@strawberry.input(description="A part of a batch that becomes a batch of its own.")
class SplitPartInput:
    """A part of a batch that becomes a batch of its own."""

    quantity: QuantityInput = described("How much it is.")
    location: str = described("The code of the location where it is put.")


@strawberry.input(description="Which batch is split, and into what; the rest stays.")
class SplitBatchInput(MutationInput):
    """Which batch is split, and into what."""

    batch: BatchCode = described(BATCH)
    location: str = described("The code of the location the parts are taken from.")
    parts: list[SplitPartInput] = described("The parts, each a new batch.")


@strawberry.input(description="A batch at a location: all that is there unless a quantity is given.")
class MergeSourceInput:
    """A batch at a location."""

    batch: BatchCode = described(BATCH)
    location: str = described("The code of the location it is taken from.")
    quantity: QuantityInput | None = described("How much of it; all that is there unless given.", default=None)


@strawberry.input(description="Which batches become one.")
class MergeBatchesInput(MutationInput):
    """Which batches become one."""

    sources: list[MergeSourceInput] = described("What is put together: at least two batches of one material.")
    location: str = described("The code of the location where the new batch is.")


@strawberry.input(description="What was counted of a batch at a location; `reason` is needed.")
class AdjustStockInput(MutationInput):
    """What was counted of a batch at a location."""

    batch: BatchCode = described(BATCH)
    location: str = described("The code of the location.")
    counted: QuantityInput = described("How much is there, none included.")


@strawberry.input(description="A batch, and the names that it gets or loses.")
class AliasBatchInput(MutationInput):
    """A batch, and the names that it gets or loses."""

    batch: BatchCode = described(BATCH)
    aliases: list[AliasInput] = described("The names.")


@strawberry.type(description="Goods moved between locations.")
class BatchMoved:
    """Goods moved between locations."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")


@strawberry.type(description="A batch was split.")
class BatchSplit:
    """A batch was split."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record of the split.")
    batch: Batch = described("The batch that was split.")
    parts: list[Batch] = described("The new batches, in the order of the parts.")


@strawberry.type(description="Batches were merged.")
class BatchesMerged:
    """Batches were merged."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record of the merge.")
    batch: Batch = described("The new batch.")


@strawberry.type(description="Stock was put right.")
class StockAdjusted:
    """Stock was put right."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")


@strawberry.type(description="A batch got other names, or lost some.")
class BatchAliased:
    """A batch got other names, or lost some."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")


@mutation(
    BatchMoved, *AMOUNTS, BATCH_UNKNOWN, NOTHING_CHANGES, NOT_DEFINED, STOCK_SHORT,
    description="Move goods between locations; held and expired ones too.",
)  # fmt: skip
async def move_batch(info: Info, input: Input[MoveBatchInput]) -> Any:
    quantity = input.quantity
    order = movements.Move(input.batch, input.from_location, input.to_location, quantity.amount, quantity.unit)
    entry = await info.context.write(Permission.STOCK_MOVE, movements.move_batch, order, input)
    return BatchMoved(entry=RecordedEntry.of(entry), batch=sure(await batch_coded(info, input.batch)))


@mutation(
    BatchSplit, *AMOUNTS, *TAKING, BATCH_CODE_INVALID, NOT_DEFINED,
    description="Make batches of parts of a usable batch; they keep its dates, grade and supplier.",
)  # fmt: skip
async def split_batch(info: Info, input: Input[SplitBatchInput]) -> Any:
    parts = tuple(splits.SplitPart(one.quantity.amount, one.location, one.quantity.unit) for one in input.parts)
    order = splits.Split(input.batch, input.location, parts)
    entry = await info.context.write(Permission.STOCK_MOVE, splits.split_batch, order, input)
    return BatchSplit(
        entry=RecordedEntry.of(entry),
        process=await process_written(info, entry.payload["process"]["id"]),
        batch=sure(await batch_coded(info, input.batch)),
        parts=await batches_stated(info, entry),
    )


@mutation(
    BatchesMerged, *AMOUNTS, *TAKING, BATCH_CODE_INVALID, MATERIAL_DIFFERS, NOTHING_CHANGES, NOT_DEFINED,
    description="Make one new batch of several usable ones of one material; it expires with the first of them.",
)  # fmt: skip
async def merge_batches(info: Info, input: Input[MergeBatchesInput]) -> Any:
    order = merges.Merge(tuple(_source(one) for one in input.sources), input.location)
    entry = await info.context.write(Permission.STOCK_MOVE, merges.merge_batches, order, input)
    (batch,) = await batches_stated(info, entry)
    process = await process_written(info, entry.payload["process"]["id"])
    return BatchesMerged(entry=RecordedEntry.of(entry), process=process, batch=batch)


@mutation(
    StockAdjusted, *AMOUNTS, BATCH_UNKNOWN, CHANGE_REQUIRED, NOTHING_CHANGES, NOT_DEFINED, STOCK_SHORT,
    description="Set stock to what was counted; a difference above the tolerance needs a change request.",
)  # fmt: skip
async def adjust_stock(info: Info, input: Input[AdjustStockInput]) -> Any:
    order = stock.Count(input.batch, input.location, input.counted.amount, input.counted.unit)
    entry = await info.context.write(Permission.STOCK_ADJUST, stock.adjust_stock, order, input)
    return StockAdjusted(entry=RecordedEntry.of(entry), batch=sure(await batch_coded(info, input.batch)))


@mutation(
    BatchAliased, ALIAS_TAKEN, BATCH_UNKNOWN, LINES_INVALID, NOTHING_CHANGES,
    description="Give a batch other names to be found by.",
)  # fmt: skip
async def alias_batch(info: Info, input: Input[AliasBatchInput]) -> Any:
    order = alias.Naming(input.batch, tuple(one.order for one in input.aliases))
    entry = await info.context.write(Permission.BATCH_RECEIVE, alias.alias_batch, order, input)
    return BatchAliased(entry=RecordedEntry.of(entry), batch=sure(await batch_coded(info, input.batch)))


@mutation(
    BatchAliased, BATCH_UNKNOWN, LINES_INVALID, NOTHING_CHANGES,
    description="End names of a batch; each is free for another batch.",
)  # fmt: skip
async def end_alias(info: Info, input: Input[AliasBatchInput]) -> Any:
    order = alias.Naming(input.batch, tuple(one.order for one in input.aliases))
    entry = await info.context.write(Permission.BATCH_RECEIVE, alias.end_alias, order, input)
    return BatchAliased(entry=RecordedEntry.of(entry), batch=sure(await batch_coded(info, input.batch)))


def _source(given: MergeSourceInput) -> merges.MergeSource:
    if given.quantity is None:
        return merges.MergeSource(given.batch, given.location)
    return merges.MergeSource(given.batch, given.location, given.quantity.amount, given.quantity.unit)
