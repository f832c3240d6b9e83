"""Refusals of corrections."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import ENTRY, refusal

CORRECTION_IMPOSSIBLE: Final = refusal(
    "CORRECTION_IMPOSSIBLE",
    "Entry {entry} ({type}) is of a type that cannot be corrected. Record what is right as a new entry.",
    entry=ENTRY,
    type=Datum("Type of the entry.", name="entry_type"),
)
ENTRY_ALREADY_CORRECTED: Final = refusal(
    "ENTRY_ALREADY_CORRECTED",
    "Entry {entry} was already corrected by entry {by}. Record what is right as a new entry.",
    entry=ENTRY,
    by=Datum("Index of the correcting entry.", DatumKind.INTEGER, "correcting_entry_index"),
)
ENTRY_BUILT_ON: Final = refusal(
    "ENTRY_BUILT_ON",
    "Entry {by} builds on entry {entry}. Correct entry {by} first.",
    by=Datum("Index of the later entry.", DatumKind.INTEGER, "later_entry_index"),
    entry=ENTRY,
)
