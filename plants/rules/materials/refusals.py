"""Refusals of master data."""

from typing import Final

from plants.rules.values.refusals import CODE, CODE_SHOWN_MAX, Datum, DatumKind, Refusal, message, refusal, term

DEFINITION_AS_GIVEN: Final = message("DEFINITION_AS_GIVEN", "{code} is already defined like this")

FIELD_REQUIRED: Final = refusal(
    "FIELD_REQUIRED",
    "A {thing} cannot be without its {field}. Give a value.",
    thing="Kind of thing that is defined.",
    field="Field that has no value.",
)
NOT_DEFINED: Final = refusal(
    "NOT_DEFINED",
    "No {thing} with the code {code} is defined here. Define it first.",
    thing="Kind of thing that the code names.",
    code=CODE,
)
STALE_VERSION: Final = refusal(
    "STALE_VERSION",
    "The {thing} {code} has changed (version {expected} was expected, now {current}). Look at it again, then save.",
    thing="Kind of thing that was to be saved.",
    code=CODE,
    expected=Datum("Version that the request expected.", DatumKind.INTEGER, "expected_version"),
    current=Datum("Current version.", DatumKind.INTEGER, "current_version"),
)
TERMS: Final = (
    term("field", "unit"),
    term("field", "base unit"),
    term("field", "factor"),
    term("thing", "conversion"),
)
"""Terms that data of these refusals hold."""


def not_defined(thing: str, code: str) -> Refusal:
    """Return the refusal of a code that names nothing of a kind here, be it malformed or unknown."""
    return Refusal(NOT_DEFINED, thing=thing, code=code[:CODE_SHOWN_MAX])
