"""The statement that replaces a plant's assertion key."""

from typing import Final

HEADING: Final = "batchloom/assertion-key/v1"


def statement_text(origin: str, old: str, new: str) -> str:
    """Return the text of the statement."""
    return f"{HEADING}\n{origin}\n{old}\n{new}\n"
