"""ISA-95 dispositions, and the rule of when goods may be used."""

from datetime import date
from enum import StrEnum

from plants.rules.quality.holds import Hold
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED, HEADQUARTERS, QUALITY
from plants.rules.values.refusals import Refusal


class Disposition(StrEnum):
    """Disposition of the goods of a batch at a plant (ISA-95 / B2MML DispositionType)."""

    PLANNED = "PLANNED"
    IN_PROCESS = "IN_PROCESS"
    RESTRICTED = "RESTRICTED"
    UNRESTRICTED = "UNRESTRICTED"
    CLOSED = "CLOSED"


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
