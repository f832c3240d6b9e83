"""Refusals of directives from headquarters."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import refusal

DIRECTED_HOLD_UNKNOWN: Final = refusal(
    "DIRECTED_HOLD_UNKNOWN",
    "Headquarters has no hold or recall {hold} in force. Look at the directives again.",
    hold=Datum("Id of the hold or recall in the request.", DatumKind.WORD),
)
DIRECTIVE_SUPERSEDED: Final = refusal(
    "DIRECTIVE_SUPERSEDED",
    "Headquarters has replaced this directive by directive {later}. Directive {later} applies.",
    later=Datum("Index of the later directive.", DatumKind.INTEGER, "later_directive_index"),
)
UNSUPPORTED: Final = refusal(
    "UNSUPPORTED",
    "This program does not know {type}. Update it.",
    type=Datum("Type and version of the directive.", name="directive_type"),
)
