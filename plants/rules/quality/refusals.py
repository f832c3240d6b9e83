"""Refusals by holds, dispositions and expiry."""

from typing import Final

from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import BATCH, refusal, term

HEADQUARTERS: Final = term("lifter", "headquarters")
QUALITY: Final = term("lifter", "quality")

BATCH_EXPIRED: Final = refusal(
    "BATCH_EXPIRED",
    "Batch {batch} expired at the end of {expires_on}. It cannot be used.",
    batch=BATCH,
    expires_on=Datum("Last day of use.", DatumKind.DAY),
)
BATCH_ON_HOLD: Final = refusal(
    "BATCH_ON_HOLD",
    "Batch {batch} is on hold ({kind}: {reason}). Ask {lifter} to release it.",
    batch=BATCH,
    kind=Datum("Kind of hold.", DatumKind.HOLD_KIND, "hold_kind"),
    reason=Datum("Reason of the hold.", name="hold_reason"),
    lifter=Datum("Who can lift the hold.", DatumKind.WORD, default=QUALITY),
    hold=Datum(
        "Index of the entry by which the plant placed the first open hold, as `placedIndex` of the hold. "
        "Null while only headquarters knows the hold.",
        DatumKind.INTEGER,
        "hold_index",
    ),
)
BATCH_RESTRICTED: Final = refusal(
    "BATCH_RESTRICTED",
    "Batch {batch} is {disposition}, not unrestricted. It cannot be used.",
    batch=BATCH,
    disposition=Datum("Disposition of the goods.", DatumKind.DISPOSITION),
)
DISPOSITION_MOVE_INVALID: Final = refusal(
    "DISPOSITION_MOVE_INVALID",
    "Batch {batch} cannot go from {before} to {after}. Look at its current disposition.",
    batch=BATCH,
    before=Datum("Value before the change.", DatumKind.DISPOSITION, "disposition_before"),
    after=Datum("Value after the change.", DatumKind.DISPOSITION, "disposition_after"),
)
HOLD_DIRECTED: Final = refusal(
    "HOLD_DIRECTED",
    "Hold {hold} on batch {batch} was placed by headquarters. Only headquarters can lift it: ask there.",
    hold=Datum(
        "Index of the entry by which the plant placed the hold, as `placedIndex` of the hold.",
        DatumKind.INTEGER,
        "hold_index",
    ),
    batch=BATCH,
)
HOLD_UNKNOWN: Final = refusal(
    "HOLD_UNKNOWN",
    "Batch {batch} has no open hold {hold} here. Look at its holds again.",
    batch=BATCH,
    hold=Datum("Id or kind of the hold in the request.", DatumKind.WORD),
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
