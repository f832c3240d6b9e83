"""Moving, splitting, merging, counting and naming goods that are on stock."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.inventory import movements
from plants.rules.values.refusals import RefusalCode as C
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input, MutationInput
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, mutation
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batch_coded


@strawberry.input(description="How much of which batch goes from where to where.")
class MoveBatchInput(MutationInput):
    """How much of which batch goes from where to where."""

    batch: BatchCode = described("The batch's code.")
    from_location: str = described("The code of the location it leaves.")
    to_location: str = described("The code of the location it comes to.")
    quantity: QuantityInput = described("How much moves.")


@strawberry.type(description="Goods moved between locations.")
class BatchMoved:
    """Goods moved between locations."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")


@mutation(
    BatchMoved, *AMOUNTS, C.BATCH_UNKNOWN, C.NOTHING_CHANGES, C.NOT_DEFINED, C.STOCK_SHORT,
    description="Move goods between locations; held and expired ones too.",
)  # fmt: skip
async def move_batch(info: Info, input: Input[MoveBatchInput]) -> Any:
    quantity = input.quantity
    order = movements.Move(input.batch, input.from_location, input.to_location, quantity.amount, quantity.unit)
    entry = await info.context.write(Permission.STOCK_MOVE, movements.move_batch, order, input)
    return BatchMoved(entry=RecordedEntry.of(entry), batch=sure(await batch_coded(info, input.batch)))
