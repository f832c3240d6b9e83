"""Movements of goods between locations."""

from auth.permissions import Permission
from plants.commands.inventory import movements
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import NOTHING_CHANGES
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode, Code
from schema.inventory.batches import Batch, batch_coded


@input_type
class MoveBatchInput(MutationInput):
    """The goods to move, and both locations."""

    batch_code: BatchCode = described("Code of the batch.")
    from_location_code: Code = described("Code of the location that the goods leave.")
    to_location_code: Code = described("Code of the location that the goods enter.")
    quantity: QuantityInput = described("Quantity to move.")


@object_type
class BatchMoved(Recorded):
    """Goods were moved between locations."""

    batch: Batch = described("Batch that was moved.")


@mutation(
    "Move goods between locations. Held and expired goods may be moved too. "
    'Example: `{ batchCode: "SH1-260314-0001P", fromLocationCode: "A1", toLocationCode: "B1", '
    'quantity: { amount: "10", unit: "KGM" } }`.',
    roles=PLANT_ONLY,
    permission=Permission.STOCK_MOVE,
    command=movements.move_batch,
    refusals=(
        *AMOUNTS,
        BATCH_UNKNOWN,
        NOTHING_CHANGES,
        NOT_DEFINED,
        STOCK_SHORT,
    ),
)
async def move_batch(info: Info, input: Input[MoveBatchInput]) -> BatchMoved:
    quantity = input.quantity
    order = movements.Move(
        input.batch_code, input.from_location_code, input.to_location_code, quantity.amount, quantity.unit
    )
    entry = await info.write(movements.move_batch, order, input)
    return BatchMoved(entry=RecordedEntry.of(entry), batch=required(await batch_coded(info, input.batch_code)))
