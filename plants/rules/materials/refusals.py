"""Refusals of master data."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import CODE, CODE_SHOWN_MAX, Refusal, message, refusal, term

DEFINITION_AS_GIVEN: Final = message("DEFINITION_AS_GIVEN", "{code} is already defined like this")

CONVERSION_IMPOSSIBLE: Final = refusal(
    "CONVERSION_IMPOSSIBLE",
    "1 {unit} is {exact} {target}, never {factor}. Leave this conversion out: the exact one is known.",
    unit=Datum("Code of the other unit.", DatumKind.TEXT, "unit_code"),
    exact="Exact factor, as a fraction or a whole number.",
    target=Datum("Code of the unit of the material.", DatumKind.TEXT, "target_code"),
    factor="Factor in the request.",
)
CONVERSIONS_OUTDATED: Final = refusal(
    "CONVERSIONS_OUTDATED",
    "The conversions of material {code} are to {unit}. Give its conversions to {target} in the same save, "
    "or clear them.",
    code=CODE,
    unit=Datum("Code of the current unit.", DatumKind.TEXT, "unit_code"),
    target=Datum("Code of the unit in the request.", DatumKind.TEXT, "target_code"),
)
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
ROW_REPEATED: Final = refusal(
    "ROW_REPEATED",
    "Row {first} of the same save has the code {code} too. Send one row for each code.",
    first=Datum("Index of the first row with this code, from 0.", DatumKind.INTEGER, "first_index"),
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
VERSION_OF_ONE_PLANT: Final = refusal(
    "VERSION_OF_ONE_PLANT",
    "Each plant has versions of its own, so no expected version fits {count} plants. "
    "Send a request for each plant, or leave out the expected version.",
    count=Datum("Number of addressed plants.", DatumKind.INTEGER, "plant_count"),
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
