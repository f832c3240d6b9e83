"""The refusal of what a person may not do."""

from typing import Final

from plants.rules.values.refusals import refusal

NOT_PERMITTED: Final = refusal(
    "NOT_PERMITTED",
    "This was not found, or you may not do it here.",
)
