"""The refusal of a document."""

from typing import Final

from plants.rules.values.refusals import refusal

DOCUMENT_INVALID: Final = refusal(
    "DOCUMENT_INVALID",
    "The document cannot be read ({where}): {why}. Correct it and import it again.",
    where="Position in the document.",
    why="Code of the first problem.",
)
