"""Refusals of batches, aliases and stock."""

from typing import Final

from plants.rules.values.refusals import BATCH, LOCATION, UNIT, Datum, DatumKind, refusal

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
EXPIRY_NOT_LATER: Final = refusal(
    "EXPIRY_NOT_LATER",
    "The new expiry of batch {batch} must be later than {present}, not {wanted}. Choose a later date.",
    batch=BATCH,
    present=Datum("Current last day of use.", DatumKind.DAY, "expires_on"),
    wanted=Datum("Requested last day of use.", DatumKind.DAY, "requested_expires_on"),
)
STOCK_SHORT: Final = refusal(
    "STOCK_SHORT",
    "Only {available} {unit} of batch {batch} at {location}, {wanted} {unit} wanted. Count again or take less.",
    available=Datum("Available quantity.", DatumKind.QUANTITY),
    unit=UNIT,
    batch=BATCH,
    location=LOCATION,
    wanted=Datum("Requested quantity.", DatumKind.QUANTITY, "requested"),
)
