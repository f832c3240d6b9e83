"""Refusals by holds, dispositions and expiry."""

from typing import Final

from plants.rules.values.refusals import refusal, term

BATCH_EXPIRED: Final = refusal(
    "BATCH_EXPIRED",
    "Batch {batch} expired at the end of {expires_on}. It cannot be used.",
    batch="Batch code.",
    expires_on="Last day of use.",
)
BATCH_ON_HOLD: Final = refusal(
    "BATCH_ON_HOLD",
    "Batch {batch} is on hold ({kind}: {reason}). Ask quality to release it.",
    batch="Batch code.",
    kind="Kind of hold.",
    reason="Reason of the hold.",
    hold="Id of the first open hold.",
)
BATCH_RESTRICTED: Final = refusal(
    "BATCH_RESTRICTED",
    "Batch {batch} is {disposition}, not unrestricted. It cannot be used.",
    batch="Batch code.",
    disposition="Disposition of the goods.",
)
DISPOSITION_MOVE_INVALID: Final = refusal(
    "DISPOSITION_MOVE_INVALID",
    "Batch {batch} cannot go from {before} to {after}. Look at its current disposition.",
    batch="Batch code.",
    before="Value before the change.",
    after="Value after the change.",
)
HOLD_DIRECTED: Final = refusal(
    "HOLD_DIRECTED",
    "Hold {hold} on batch {batch} was placed by headquarters. Only headquarters can lift it: ask there.",
    hold="Id of the hold.",
    batch="Batch code.",
)
HOLD_UNKNOWN: Final = refusal(
    "HOLD_UNKNOWN",
    "Batch {batch} has no open hold {hold} here. Look at its holds again.",
    batch="Batch code.",
    hold="Id or kind of the hold in the request.",
)

TERMS: Final = (
    term("kind", "QUALITY"),
    term("kind", "PARAMETER_BREACH"),
    term("kind", "EXPIRY"),
    term("kind", "RECALL"),
    term("kind", "MISSING_INSPECTION"),
    term("kind", "UPSTREAM"),
    term("hold", "QUALITY"),
    term("disposition", "PLANNED"),
    term("disposition", "IN_PROCESS"),
    term("disposition", "RESTRICTED"),
    term("disposition", "UNRESTRICTED"),
    term("disposition", "CLOSED"),
    term("before", "PLANNED"),
    term("before", "IN_PROCESS"),
    term("before", "RESTRICTED"),
    term("before", "UNRESTRICTED"),
    term("before", "CLOSED"),
    term("after", "PLANNED"),
    term("after", "IN_PROCESS"),
    term("after", "RESTRICTED"),
    term("after", "UNRESTRICTED"),
    term("after", "CLOSED"),
)
"""The words for kinds of holds and dispositions."""
