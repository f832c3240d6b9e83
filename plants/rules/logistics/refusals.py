"""Refusals of transfers."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import BATCH, message, refusal

TRANSFER: Final = Datum("Id of the transfer.", DatumKind.TRANSFER, "transfer_id")

LABEL_CONTRADICTS: Final = message(
    "LABEL_CONTRADICTS", "what it says of batch {batch} contradicts what is known here. Ask the sender"
)
LABEL_INVALID: Final = message(
    "LABEL_INVALID", "its content is not that of a transfer ({part}). Ask the sender for a new label"
)
LABEL_OF_OTHER_GROUP: Final = message(
    "LABEL_OF_OTHER_GROUP", "it was made in the ledger {origin}, which is not of a plant of this group. Ask the sender"
)
LABEL_OF_THIS_PLANT: Final = message(
    "LABEL_OF_THIS_PLANT", "this transfer leaves from here. Scan it at its destination, {destination}"
)
LABEL_UNREADABLE: Final = message("LABEL_UNREADABLE", "it is incomplete, or no transfer label. Scan it again")

TRANSFER_TO_ITSELF: Final = message("TRANSFER_TO_ITSELF", "{plant} is both the source and the destination")

BATCH_NOT_IN_TRANSFER: Final = refusal(
    "BATCH_NOT_IN_TRANSFER",
    "Batch {batch} is not part of this transfer. Check which label was scanned.",
    batch=BATCH,
    transfer=TRANSFER,
)
TRANSFER_MANIFEST_INVALID: Final = refusal(
    "TRANSFER_MANIFEST_INVALID",
    "The transfer label cannot be used: {why}.",
    why=Datum("Fault of the label.", DatumKind.PHRASE, "fault"),
)
TRANSFER_NOT_FOR_THIS_PLANT: Final = refusal(
    "TRANSFER_NOT_FOR_THIS_PLANT",
    "This transfer goes to plant {destination}, not to {plant}. Send the goods on, or ask the sender.",
    destination=Datum("Destination plant.", DatumKind.PLANT_CODE, "destination_code"),
    plant=Datum("Plant of this node.", DatumKind.PLANT_CODE, "plant_code"),
)
TRANSFER_RECEIVED: Final = refusal(
    "TRANSFER_RECEIVED",
    "This transfer was already received here. Nothing was changed again.",
    transfer=TRANSFER,
)
