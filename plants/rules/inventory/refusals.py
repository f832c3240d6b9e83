"""Refusals of batches, aliases and stock."""

from typing import Final

from plants.rules.values.refusals import refusal

ALIAS_TAKEN: Final = refusal(
    "ALIAS_TAKEN",
    "{alias} already names batch {batch} here. Scan the goods again or use another alias.",
    alias="Alias in the request.",
    batch="Batch code.",
)
BATCH_UNKNOWN: Final = refusal(
    "BATCH_UNKNOWN",
    "No batch {batch} is known here. Check the code or scan the label again.",
    batch="Batch code.",
)
EXPIRY_NOT_LATER: Final = refusal(
    "EXPIRY_NOT_LATER",
    "The new expiry of batch {batch} must be later than {present}, not {wanted}. Choose a later date.",
    batch="Batch code.",
    present="Current last day of use.",
    wanted="Requested last day of use.",
)
STOCK_SHORT: Final = refusal(
    "STOCK_SHORT",
    "Only {available} {unit} of batch {batch} at {location}, {wanted} {unit} wanted. Count again or take less.",
    available="Available quantity.",
    unit="Unit.",
    batch="Batch code.",
    location="Location code.",
    wanted="Requested quantity.",
)
