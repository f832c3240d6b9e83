"""Refusals of disputes, parked entries and fenced plants."""

from typing import Final

from plants.rules.values.refusals import refusal

DISPUTE_SETTLED: Final = refusal(
    "DISPUTE_SETTLED",
    "Disputed entry {dispute} was settled already. Nothing was changed again.",
    type_name="DisputeAlreadySettled",
    dispute="Index of the disputed entry.",
)
DISPUTE_UNKNOWN: Final = refusal(
    "DISPUTE_UNKNOWN",
    "There is no disputed entry {dispute} here. Look at the list of disputes again.",
    dispute="Index of the disputed entry in the request.",
)
ENTRY_NOT_PARKED: Final = refusal(
    "ENTRY_NOT_PARKED",
    "Entry {entry} of plant {plant} is not parked by itself, or differs from what was shown. List again.",
    entry="Index of the entry.",
    plant="Plant of the entry.",
)
PLANT_FENCED: Final = refusal(
    "PLANT_FENCED",
    "Another copy of plant {plant} is in use, so nothing is written here. An administrator must say which copy counts.",
    plant="Plant of this store.",
)
