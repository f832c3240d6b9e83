"""Refusals of disputes, parked entries and fenced plants."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import ENTRY, refusal

DISPUTE: Final = Datum("Index of the conflicting entry.", DatumKind.INTEGER, "disputed_entry_index")

DISPUTE_SETTLED: Final = refusal(
    "DISPUTE_SETTLED",
    "Conflicting entry {dispute} was settled already. Nothing was changed again.",
    dispute=DISPUTE,
)
DISPUTE_UNKNOWN: Final = refusal(
    "DISPUTE_UNKNOWN",
    "There is no conflicting entry {dispute} here. Look at the list of conflicting entries again.",
    dispute=DISPUTE,
)
ENTRY_NOT_PARKED: Final = refusal(
    "ENTRY_NOT_PARKED",
    "Entry {entry} of plant {plant} is not parked by itself, or differs from what was shown. List again.",
    entry=ENTRY,
    plant=Datum("Plant of the entry.", DatumKind.PLANT_CODE, "plant_code"),
)
PLANT_FENCED: Final = refusal(
    "PLANT_FENCED",
    "Another copy of plant {plant} is in use, so nothing is written here. An administrator must say which copy counts.",
    plant=Datum("Plant of this store.", DatumKind.PLANT_CODE, "plant_code"),
)
