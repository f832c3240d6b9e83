"""Receipts of goods."""

from datetime import date, datetime

from auth.permissions import Permission
from plants.commands.inventory import receipts
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import ALIAS_TAKEN
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
)
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.scalars import Code
from schema.inventory.aliases import BatchAliasInput
from schema.inventory.attributes import BatchAttributeInput, attributes
from schema.inventory.batches import Batch, batch_coded


@input_type
class ReceiveBatchInput(MutationInput):
    """A receipt. Without a supplier, the goods originate here (harvest, opening stock)."""

    material_code: Code = described("Code of the material.")
    quantity: QuantityInput = described("Received quantity, in any unit that converts to the material's own.")
    location_code: Code = described("Code of the location for the goods.")
    supplier_code: Code | None = described("Code of the supplier. Without it, the goods originate here.", default=None)
    supplier_lot: str | None = described("Lot code of the supplier. It becomes an alias of the batch.", default=None)
    purchase_order: str | None = described("Number of the purchase order.", default=None)
    produced_at: datetime | None = described("Time of production. The default is the time of receipt.", default=None)
    expires_on: date | None = described(
        "Last day of use. The default follows from the material's shelf life.", default=None
    )
    grade: str | None = described("Quality grade, such as A.", default=None)
    attributes: list[BatchAttributeInput] = described("Properties of the batch.", default_factory=list)
    aliases: list[BatchAliasInput] = described("Aliases of the batch.", default_factory=list)
    hold_reason: str | None = described(
        "Reason for a QUALITY hold from the receipt on. Without it, there is no hold.", default=None
    )


@object_type
class BatchReceived(Recorded):
    """Goods were received: a batch was created and is in stock."""

    batch: Batch = described("The new batch.")


@mutation(
    "Receive goods. This creates a batch with a code and puts it in stock at the location. "
    'Example: `{ materialCode: "RM-MILK", quantity: { amount: "100", unit: "KGM" }, locationCode: "A1" }`.',
    roles=PLANT_ONLY,
    permission=Permission.BATCH_RECEIVE,
    command=receipts.receive_batch,
    refusals=(
        ALIAS_TAKEN,
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        AMOUNT_TOO_LARGE,
        AMOUNT_TOO_PRECISE,
        BATCH_CODE_INVALID,
        NOT_DEFINED,
        UNIT_NOT_CONVERTIBLE,
        UNIT_UNKNOWN,
    ),
)
async def receive_batch(info: Info, input: Input[ReceiveBatchInput]) -> BatchReceived:
    entry = await info.write(receipts.receive_batch, _delivery(input), input)
    batch = await batch_coded(info, entry.envelope["key"])
    return BatchReceived(entry=RecordedEntry.of(entry), batch=required(batch))


def _delivery(input: ReceiveBatchInput) -> receipts.Delivery:
    return receipts.Delivery(
        material=input.material_code,
        amount=input.quantity.amount,
        unit=input.quantity.unit,
        location=input.location_code,
        supplier=input.supplier_code,
        supplier_lot=input.supplier_lot,
        order=input.purchase_order,
        produced_at=input.produced_at,
        expires_on=input.expires_on,
        grade=input.grade,
        attributes=attributes(input.attributes),
        aliases=tuple(alias.order for alias in input.aliases),
        quarantine=input.hold_reason,
    )
