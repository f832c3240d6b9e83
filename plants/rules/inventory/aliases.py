"""Aliases of batches: the forms by which they are found."""

from typing import Final, Literal, get_args

from plants.rules.values.search_forms import search_form

EpcisScheme = Literal["EPC_CLASS", "EPC", "LOT_NUMBER", "HANDLING_UNIT"]
"""A scheme of the aliases that an import of EPCIS gives."""
CASE_SENSITIVE: Final = frozenset(get_args(EpcisScheme))
"""The schemes whose identifiers are the same only if each character is."""


def alias_form(scheme: str, value: str) -> str:
    """Return the form by which an alias is found under its scheme."""
    return value if scheme in CASE_SENSITIVE else search_form(value)
