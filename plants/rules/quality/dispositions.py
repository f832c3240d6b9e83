"""ISA-95 dispositions, and the rule of when goods may be used."""

from datetime import date

from plants.rules.quality.holds import Hold
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED, HEADQUARTERS, QUALITY
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.refusals import Refusal


class Disposition(DescribedEnum):
    """Disposition of a plant's goods of a batch (ISA-95 / B2MML DispositionType)."""

    PLANNED = "PLANNED", "The batch is announced but not made yet, so there are no goods to use."
    IN_PROCESS = "IN_PROCESS", "The goods are still being made and may not be used yet."
    RESTRICTED = "RESTRICTED", "The goods exist but may not be fed, split, merged, transferred or shipped."
    UNRESTRICTED = "UNRESTRICTED", "The goods may be used, unless a hold is open or they are expired."
    CLOSED = (
        "CLOSED",
        "The batch is void or finished, for example because its receipt was corrected; it may not be used.",
    )


def is_expired(expires_on: str | None, on: date) -> bool:
    """Tell whether goods are expired on a plant's local day; they are usable to the end of the expiry day."""
    return expires_on is not None and on.isoformat() > expires_on


def check_usable(
    batch: str, disposition: Disposition, holds: tuple[Hold, ...], expires_on: str | None, on: date
) -> None:
    """Raise the Refusal that names the reason when the goods may not be used on that local day."""
    if holds:
        first = holds[0]
        raise Refusal(
            BATCH_ON_HOLD,
            batch=batch,
            hold=first.id,
            kind=first.kind,
            reason=first.reason,
            lifter=QUALITY if first.directed is None else HEADQUARTERS,
        )
    if is_expired(expires_on, on):
        raise Refusal(BATCH_EXPIRED, batch=batch, expires_on=expires_on)
    if disposition is not Disposition.UNRESTRICTED:
        raise Refusal(BATCH_RESTRICTED, batch=batch, disposition=disposition)
