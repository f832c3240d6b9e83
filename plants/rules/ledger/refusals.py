"""Refusals of ledger entries and repeated requests."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import ENTRY, REQUEST, refusal

ENTRY_PRUNED: Final = refusal(
    "ENTRY_PRUNED",
    "The content of entry {entry} is no longer kept here, only at the hub and in the archive. "
    "Ask an administrator to fetch it.",
    entry=ENTRY,
)
ENTRY_TOO_LARGE: Final = refusal(
    "ENTRY_TOO_LARGE",
    "This is {size} bytes and one ledger entry holds {limit}. Send fewer lines at a time.",
    size=Datum("Size in bytes.", DatumKind.INTEGER, "size_bytes"),
    limit=Datum("Largest size in bytes.", DatumKind.INTEGER, "size_bytes_max"),
)
ENTRY_UNKNOWN: Final = refusal(
    "ENTRY_UNKNOWN",
    "There is no ledger entry {entry} here. Look at the history again.",
    entry=ENTRY,
)
REQUEST_PRUNED: Final = refusal(
    "REQUEST_PRUNED",
    "Request {request} was already answered, by entry {entry}. It is not done again. See that entry.",
    request=REQUEST,
    entry=Datum("Index of the entry that answered the request.", DatumKind.INTEGER, "entry_index"),
)
REQUEST_REUSED: Final = refusal(
    "REQUEST_REUSED",
    "Request {request} was already used for something else. Send a new request id.",
    request=REQUEST,
)
