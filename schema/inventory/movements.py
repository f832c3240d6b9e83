"""Moving, splitting, merging, counting and naming goods that are on stock."""

from auth.permissions import Permission
from plants.commands.inventory import movements
from plants.rules.values.refusals import RefusalCode as C
from schema.engine.context import Info, required
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batch_coded


@input_type
class MoveBatchInput(MutationInput):
    """How much of which batch goes from where to where."""

    batch: BatchCode = described("The batch's code.")
    from_location: str = described("The code of the location it leaves.")
    to_location: str = described("The code of the location it comes to.")
    quantity: QuantityInput = described("How much moves.")


@object_type
class BatchMoved:
    """Goods moved between locations."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch.")


@mutation(
    "Move goods between locations; held and expired ones too.",
    roles=PLANT_ONLY,
    permission=Permission.STOCK_MOVE,
    command=movements.move_batch,
    refusals=(
        *AMOUNTS,
        C.BATCH_UNKNOWN,
        C.NOTHING_CHANGES,
        C.NOT_DEFINED,
        C.STOCK_SHORT,
    ),
)
async def move_batch(info: Info, input: Input[MoveBatchInput]) -> BatchMoved:
    quantity = input.quantity
    order = movements.Move(input.batch, input.from_location, input.to_location, quantity.amount, quantity.unit)
    entry = await info.write(movements.move_batch, order, input)
    return BatchMoved(entry=RecordedEntry.of(entry), batch=required(await batch_coded(info, input.batch)))
