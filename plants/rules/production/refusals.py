"""Refusals of process records."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import BATCH, message, refusal

ONE_BATCH: Final = message("ONE_BATCH", "all lines are of batch {batch}")

BATCH_OF_OTHER_PROCESS: Final = refusal(
    "BATCH_OF_OTHER_PROCESS",
    "Batch {batch} was not made in this process record. Declare the output as a new batch.",
    batch=BATCH,
    process=Datum("Id of the process record.", DatumKind.PROCESS, "process_id"),
)
MATERIAL_DIFFERS: Final = refusal(
    "MATERIAL_DIFFERS",
    "Batch {batch} is of material {material}, not {expected}. Only the same material can be joined.",
    batch=BATCH,
    material=Datum("Material of the batch.", name="material_code"),
    expected=Datum("Expected material.", name="expected_material_code"),
)
PROCESS_CLOSED: Final = refusal(
    "PROCESS_CLOSED",
    "This process record is closed. Open a new one. If it was closed by mistake, correct the entry that closed it.",
    process=Datum("Id of the process record.", DatumKind.PROCESS, "process_id"),
)
PROCESS_UNKNOWN: Final = refusal(
    "PROCESS_UNKNOWN",
    "This process record is not known here. Check its id.",
    process=Datum("Id of the process record in the request.", DatumKind.PROCESS, "process_id"),
)
