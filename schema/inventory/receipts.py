"""Receiving goods from suppliers, or goods that begin here."""

from datetime import date, datetime
from typing import Any

import strawberry

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
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import AliasInput, AttributeInput, Input, MutationInput, attributes
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import mutation
from schema.inventory.batches import Batch, batch_coded


@strawberry.input(description="What came in. Without a supplier the goods begin here (harvest, opening stock).")
class ReceiveBatchInput(MutationInput):
    """What came in."""

    material: str = described("The material's code.")
    quantity: QuantityInput = described("How much came in, in any unit that converts to the material's own.")
    location: str = described("The code of the location where it is put.")
    supplier: str | None = described("Who delivered it.", default=None)
    supplier_lot: str | None = described("The supplier's own lot code; scanning it finds the batch.", default=None)
    order: str | None = described("The purchase order.", default=None)
    produced_at: datetime | None = described("When it was produced; when it came in unless given.", default=None)
    expires_on: date | None = described("The last day of use; by the material's shelf life unless given.", default=None)
    grade: str | None = described("Its grade.", default=None)
    attributes: list[AttributeInput] = described("What else is said of it.", default_factory=list)
    aliases: list[AliasInput] = described("Other names that shall find it.", default_factory=list)
    quarantine: str | None = described("The reason, when the goods go straight on hold.", default=None)


@strawberry.type(description="Goods came in: a batch was made and is on stock.")
class BatchReceived:
    """Goods came in."""

    entry: RecordedEntry = described(ENTRY)
    batch: Batch = described("The batch that was made.")


@mutation(
    BatchReceived,
    ALIAS_TAKEN,
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    BATCH_CODE_INVALID,
    NOT_DEFINED,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    description="Receive goods: a batch is made, gets its code, and is on stock at the location.",
)
async def receive_batch(info: Info, input: Input[ReceiveBatchInput]) -> Any:
    entry = await info.context.write(Permission.BATCH_RECEIVE, receipts.receive_batch, _delivery(input), input)
    batch = await batch_coded(info, entry.envelope["key"])
    return BatchReceived(entry=RecordedEntry.of(entry), batch=sure(batch))


def _delivery(input: ReceiveBatchInput) -> receipts.Delivery:
    return receipts.Delivery(
        material=input.material,
        amount=input.quantity.amount,
        unit=input.quantity.unit,
        location=input.location,
        supplier=input.supplier,
        supplier_lot=input.supplier_lot,
        order=input.order,
        produced_at=input.produced_at,
        expires_on=input.expires_on,
        grade=input.grade,
        attributes=attributes(input.attributes),
        aliases=tuple(alias.order for alias in input.aliases),
        quarantine=input.quarantine,
    )
