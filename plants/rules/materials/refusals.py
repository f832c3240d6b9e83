"""The refusal of master data that is not defined."""

from typing import Final

from plants.rules.values.refusals import CODE, CODE_SHOWN_MAX, Refusal, refusal

NOT_DEFINED: Final = refusal(
    "NOT_DEFINED",
    "No {thing} with the code {code} is defined here. Define it first.",
    thing="Kind of thing that the code names.",
    code=CODE,
)


def not_defined(thing: str, code: str) -> Refusal:
    """Return the refusal of a code that names nothing of a kind here, be it malformed or unknown."""
    return Refusal(NOT_DEFINED, thing=thing, code=code[:CODE_SHOWN_MAX])
