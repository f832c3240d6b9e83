"""Names of the built-in units (UN/ECE Recommendation 20)."""

from collections.abc import Mapping
from typing import Final

from infra.messages import Language, term, translate

UNIT_NAMES: Final[Mapping[str, str]] = {
    "KGM": term("unit_name", "kilogram"),
    "GRM": term("unit_name", "gram"),
    "MGM": term("unit_name", "milligram"),
    "TNE": term("unit_name", "tonne"),
    "LBR": term("unit_name", "pound"),
    "ONZ": term("unit_name", "ounce"),
    "LTR": term("unit_name", "litre"),
    "MLT": term("unit_name", "millilitre"),
    "CLT": term("unit_name", "centilitre"),
    "DLT": term("unit_name", "decilitre"),
    "HLT": term("unit_name", "hectolitre"),
    "MTQ": term("unit_name", "cubic metre"),
    "GLL": term("unit_name", "gallon (US)"),
    "MTR": term("unit_name", "metre"),
    "CMT": term("unit_name", "centimetre"),
    "MMT": term("unit_name", "millimetre"),
    "KMT": term("unit_name", "kilometre"),
    "INH": term("unit_name", "inch"),
    "FOT": term("unit_name", "foot"),
    "MTK": term("unit_name", "square metre"),
    "CMK": term("unit_name", "square centimetre"),
    "C62": term("unit_name", "one"),
    "H87": term("unit_name", "piece"),
    "EA": term("unit_name", "each"),
    "DZN": term("unit_name", "dozen"),
}
"""English names by code. `translate` words them in other languages, with the context `unit_name`."""


def unit_name(code: str, language: Language) -> str | None:
    """Return the name of a built-in unit, or None for a code that only a plant can define."""
    name = UNIT_NAMES.get(code)
    return None if name is None else translate(name, language, context="unit_name")
