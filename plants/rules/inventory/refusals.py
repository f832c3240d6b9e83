"""Refusals of batches, aliases and stock."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import BATCH, CODE_SHOWN_MAX, LOCATION, UNIT, Refusal, message, refusal

ALIAS_IN_FORCE: Final = message("ALIAS_IN_FORCE", "{alias} ({scheme}) is an alias of batch {batch} already")
ALIAS_NOT_IN_FORCE: Final = message("ALIAS_NOT_IN_FORCE", "{alias} ({scheme}) is not an alias of batch {batch}")
GOODS_THERE: Final = message("GOODS_THERE", "the goods are at {location} already")
PROCESS_INPUTS: Final = message("PROCESS_INPUTS", "this process record")
STOCK_AS_COUNTED: Final = message("STOCK_AS_COUNTED", "the stock of batch {batch} at {location} is what was counted")
STOCK_IS: Final = message("STOCK_IS", "the stock at {location} is {amount} {unit} already")

ALIAS_TAKEN: Final = refusal(
    "ALIAS_TAKEN",
    "{alias} already names batch {batch} here. Scan the goods again or use another alias.",
    alias=Datum("Alias in the request.", name="given_alias"),
    batch=BATCH,
)
BATCH_UNKNOWN: Final = refusal(
    "BATCH_UNKNOWN",
    "No batch {batch} is known here. Check the code or scan the label again.",
    batch=BATCH,
)


def batch_unknown(code: str) -> Refusal:
    """Return the refusal of a code that names no batch here, be it malformed or unknown."""
    return Refusal(BATCH_UNKNOWN, batch=code[:CODE_SHOWN_MAX])


EXPIRY_NOT_LATER: Final = refusal(
    "EXPIRY_NOT_LATER",
    "The new expiry of batch {batch} must be later than {present}, not {wanted}. Choose a later date.",
    batch=BATCH,
    present=Datum("Current last day of use.", DatumKind.DAY, "expires_on"),
    wanted=Datum("Requested last day of use.", DatumKind.DAY, "requested_expires_on"),
)
STOCK_SHORT: Final = refusal(
    "STOCK_SHORT",
    "Only {available} {unit} of batch {batch} in {location}, {wanted} {unit} wanted. Count again or take less.",
    available=Datum("Available quantity.", DatumKind.QUANTITY),
    unit=UNIT,
    batch=BATCH,
    location=LOCATION,
    wanted=Datum("Requested quantity.", DatumKind.QUANTITY, "requested"),
)
