"""Refusals of corrections."""

from typing import Final

from plants.rules.values.refusals import refusal

CORRECTION_IMPOSSIBLE: Final = refusal(
    "CORRECTION_IMPOSSIBLE",
    "Entry {entry} ({type}) is of a type that cannot be corrected. Record what is right as a new entry.",
    entry="Index of the entry.",
    type="Type of the entry.",
)
ENTRY_ALREADY_CORRECTED: Final = refusal(
    "ENTRY_ALREADY_CORRECTED",
    "Entry {entry} was already corrected by entry {by}. Correct entry {by} instead.",
    entry="Index of the entry.",
    by="Index of the correcting entry.",
)
ENTRY_BUILT_ON: Final = refusal(
    "ENTRY_BUILT_ON",
    "Entry {by} builds on entry {entry}. Correct entry {by} first.",
    by="Index of the later entry.",
    entry="Index of the entry.",
)
