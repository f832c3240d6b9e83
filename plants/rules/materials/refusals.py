"""The refusal of master data that is not defined."""

from typing import Final

from plants.rules.values.refusals import CODE, refusal

NOT_DEFINED: Final = refusal(
    "NOT_DEFINED",
    "No {thing} with the code {code} is defined here. Define it first.",
    thing="Kind of thing that the code names.",
    code=CODE,
)
