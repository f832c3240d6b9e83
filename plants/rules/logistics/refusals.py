"""Refusals of transfers."""

from typing import Final

from plants.rules.values.refusals import BATCH, Datum, DatumKind, refusal

TRANSFER: Final = Datum("Transfer.", DatumKind.TRANSFER, "transfer_id")

BATCH_NOT_IN_TRANSFER: Final = refusal(
    "BATCH_NOT_IN_TRANSFER",
    "Batch {batch} is not part of transfer {transfer}. Check which label was scanned.",
    batch=BATCH,
    transfer=TRANSFER,
)
TRANSFER_MANIFEST_INVALID: Final = refusal(
    "TRANSFER_MANIFEST_INVALID",
    "The transfer label cannot be read: {why}. Scan it again.",
    why=Datum("Fault of the label.", name="fault"),
)
TRANSFER_NOT_FOR_THIS_PLANT: Final = refusal(
    "TRANSFER_NOT_FOR_THIS_PLANT",
    "This transfer goes to plant {destination}, not to {plant}. Send the goods on, or ask the sender.",
    destination=Datum("Destination plant.", DatumKind.PLANT_CODE, "destination_code"),
    plant=Datum("Plant of this node.", DatumKind.PLANT_CODE, "plant_code"),
)
TRANSFER_RECEIVED: Final = refusal(
    "TRANSFER_RECEIVED",
    "Transfer {transfer} was already received here. Nothing was changed again.",
    type_name="TransferAlreadyReceived",
    transfer=TRANSFER,
)
