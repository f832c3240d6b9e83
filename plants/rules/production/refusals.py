"""Refusals of process records."""

from typing import Final

from plants.rules.values.refusals import refusal

BATCH_OF_OTHER_PROCESS: Final = refusal(
    "BATCH_OF_OTHER_PROCESS",
    "Batch {batch} was not made in process record {process}. Declare the output as a new batch.",
    batch="Batch code.",
    process="Id of the process record.",
)
MATERIAL_DIFFERS: Final = refusal(
    "MATERIAL_DIFFERS",
    "Batch {batch} is of material {material}, not {expected}. Only the same material can be joined.",
    batch="Batch code.",
    material="Material of the batch.",
    expected="Expected material.",
)
PROCESS_CLOSED: Final = refusal(
    "PROCESS_CLOSED",
    "Process record {process} is closed. Open a new one or correct the closing entry.",
    type_name="ProcessAlreadyClosed",
    process="Id of the process record.",
)
PROCESS_UNKNOWN: Final = refusal(
    "PROCESS_UNKNOWN",
    "No process record {process} is known here. Check its id.",
    process="Id of the process record in the request.",
)
