"""Refusals of change requests."""

from typing import Final

from plants.rules.values.refusals import refusal, term

CHANGE_ALREADY_DECIDED: Final = refusal(
    "CHANGE_ALREADY_DECIDED",
    "Change request {change} was already {state}. Nothing was changed again.",
    change="Number of the change request.",
    state="State of the change request.",
)
CHANGE_EXPIRED: Final = refusal(
    "CHANGE_EXPIRED",
    "Change request {change} expired at {expires_at}. Make a new request.",
    change="Number of the change request.",
    expires_at="Time at which the request expired.",
)
CHANGE_LEVEL_WRONG: Final = refusal(
    "CHANGE_LEVEL_WRONG",
    "Change request {change} cannot be decided here. It is decided at: {levels}.",
    change="Number of the change request.",
    levels="Levels at which it may be decided.",
)
CHANGE_OWN_REQUEST: Final = refusal(
    "CHANGE_OWN_REQUEST",
    "You made change request {change} yourself. Another person must decide it.",
    change="Number of the change request.",
)
CHANGE_REQUIRED: Final = refusal(
    "CHANGE_REQUIRED",
    "A difference of {difference} {unit} on batch {batch} at {location} is above {percent} % of what is on hand. "
    "Ask for a change request.",
    difference="Difference from the quantity on hand.",
    unit="Unit.",
    batch="Batch code.",
    location="Location code.",
    percent="Tolerance in percent.",
)
CHANGE_STALE: Final = refusal(
    "CHANGE_STALE",
    "Batch {batch} changed after the request (version {proposed}, now {current}). Make a new request.",
    batch="Batch code.",
    proposed="Version of the batch at the time of the request.",
    current="Current version of the batch.",
)
CHANGE_UNKNOWN: Final = refusal(
    "CHANGE_UNKNOWN",
    "There is no change request {change} here. Look at the list of requests again.",
    change="Number of the change request.",
)
PROPOSAL_DIFFERS: Final = refusal(
    "PROPOSAL_DIFFERS",
    "Change request {change} is not what you were shown. Read it again before deciding.",
    change="Number of the change request.",
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
