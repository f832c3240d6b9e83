"""The refusal of a document."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import refusal

DOCUMENT_INVALID: Final = refusal(
    "DOCUMENT_INVALID",
    "The document cannot be read ({where}): {why}. Correct it and import it again.",
    where=Datum("Position in the document.", name="position"),
    why=Datum("First problems.", DatumKind.PHRASE, "problem"),
)
