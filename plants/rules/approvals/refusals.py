"""Refusals of change requests."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import BATCH, LOCATION, UNIT, refusal, term

CHANGE: Final = Datum("Number of the change request.", DatumKind.INTEGER, "change_request_number")

CHANGE_ALREADY_DECIDED: Final = refusal(
    "CHANGE_ALREADY_DECIDED",
    "Change request {change} was already {state}. Nothing was changed again.",
    change=CHANGE,
    state=Datum("State of the change request.", DatumKind.CHANGE_STATE, "change_state"),
)
CHANGE_EXPIRED: Final = refusal(
    "CHANGE_EXPIRED",
    "Change request {change} expired at {expires_at}. Make a new request.",
    change=CHANGE,
    expires_at=Datum("Time at which the request expired.", DatumKind.INSTANT, "expired_at"),
)
CHANGE_LEVEL_WRONG: Final = refusal(
    "CHANGE_LEVEL_WRONG",
    "Change request {change} cannot be decided here. It is decided at: {levels}.",
    change=CHANGE,
    levels=Datum("Levels at which it may be decided. There are at most two.", DatumKind.CHANGE_LEVELS),
)
CHANGE_OWN_REQUEST: Final = refusal(
    "CHANGE_OWN_REQUEST",
    "You made change request {change} yourself. Another person must decide it.",
    change=CHANGE,
)
CHANGE_REQUIRED: Final = refusal(
    "CHANGE_REQUIRED",
    "A difference of {difference} {unit} on batch {batch} at {location} is above {percent} % of what is on hand. "
    "Ask for a change request.",
    difference=Datum("Difference from the quantity on hand.", DatumKind.QUANTITY),
    unit=UNIT,
    batch=BATCH,
    location=LOCATION,
    percent=Datum("Tolerance in percent.", DatumKind.DECIMAL, "tolerance_percent"),
)
CHANGE_STALE: Final = refusal(
    "CHANGE_STALE",
    "Batch {batch} changed after the request (version {proposed}, now {current}). Make a new request.",
    batch=BATCH,
    proposed=Datum("Version of the batch at the time of the request.", DatumKind.INTEGER, "proposed_version"),
    current=Datum("Current version of the batch.", DatumKind.INTEGER, "current_version"),
)
CHANGE_UNKNOWN: Final = refusal(
    "CHANGE_UNKNOWN",
    "There is no change request {change} here. Look at the list of requests again.",
    change=CHANGE,
)
PROPOSAL_DIFFERS: Final = refusal(
    "PROPOSAL_DIFFERS",
    "Change request {change} is not what you were shown. Read it again before deciding.",
    change=CHANGE,
)

TERMS: Final = (
    term("state", "REQUESTED"),
    term("state", "APPROVED"),
    term("state", "REJECTED"),
    term("state", "APPLIED"),
    term("state", "REFUSED"),
    term("levels", "PLANT"),
    term("levels", "HUB"),
    term("levels", "HUB, PLANT"),
)
"""The words for states and levels of change requests."""
