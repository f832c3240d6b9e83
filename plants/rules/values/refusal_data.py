"""Data of refusals: their kinds and descriptions."""

from dataclasses import dataclass
from enum import Enum, auto


class DatumKind(Enum):
    """The kind of a datum of a refusal. Stores keep it as text. The GraphQL contract gives it a type by its kind."""

    TEXT = auto()
    INTEGER = auto()
    DECIMAL = auto()
    DAY = auto()
    INSTANT = auto()
    UUID = auto()
    BATCH_CODE = auto()
    PLANT_CODE = auto()
    PROCESS = auto()
    TRANSFER = auto()
    HOLD_KIND = auto()
    DISPOSITION = auto()
    CHANGE_LEVELS = auto()
    """Levels of decisions, separated by commas."""
    CHANGE_STATE = auto()
    QUANTITY = auto()
    """An amount in the unit that the datum `unit` of the same refusal names."""
    PHRASE = auto()
    """A phrase of a declared message, worded in the reader's language."""
    WORD = auto()
    """A term in the text of the refusal. It has no field of its own."""
    UNIT = auto()
    """The unit of the quantities in the same refusal. It has no field of its own."""


@dataclass(frozen=True, slots=True)
class Datum:
    """A datum of a refusal: its description, its kind, and its name in answers where that differs from its key.

    `default` replaces a datum that a kept refusal lacks, because the program that recorded it did not have the datum.
    """

    description: str
    kind: DatumKind = DatumKind.TEXT
    name: str | None = None
    default: str | None = None
