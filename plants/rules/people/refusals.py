"""The refusal of an actor who lacks a permission."""

from typing import Final

from plants.rules.values.refusals import refusal

NOT_PERMITTED: Final = refusal(
    "NOT_PERMITTED",
    "This was not found, or you may not do it here.",
)
