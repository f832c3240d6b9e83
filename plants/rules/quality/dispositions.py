"""ISA-95 dispositions, holds, and when goods may be used."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
from plants.rules.values.refusals import Refusal


class Disposition(StrEnum):
    """How far along the goods of a batch are at a plant (ISA-95 / B2MML DispositionType)."""

    PLANNED = "PLANNED"
    IN_PROCESS = "IN_PROCESS"
    RESTRICTED = "RESTRICTED"
    UNRESTRICTED = "UNRESTRICTED"
    CLOSED = "CLOSED"


class HoldKind(StrEnum):
    """Why goods are held. Holds are a set: lifting one leaves the others."""

    QUALITY = "QUALITY"
    PARAMETER_BREACH = "PARAMETER_BREACH"
    EXPIRY = "EXPIRY"
    RECALL = "RECALL"
    MISSING_INSPECTION = "MISSING_INSPECTION"
    UPSTREAM = "UPSTREAM"


@dataclass(frozen=True, slots=True)
class Hold:
    """One open hold on a plant's goods of a batch; `directed` is its id at headquarters, where it comes from there."""

    id: int
    kind: HoldKind
    reason: str
    directed: str | None = None


def is_expired(expires_on: str | None, on: date) -> bool:
    """Tell whether goods are expired on a plant's local day: they are usable to the end of the expiry day."""
    return expires_on is not None and on.isoformat() > expires_on


def check_usable(
    batch: str, disposition: Disposition, holds: tuple[Hold, ...], expires_on: str | None, on: date
) -> None:
    """Raise the Refusal that names why the goods may not be used on that local day, if they may not."""
    if holds:
        first = holds[0]
        raise Refusal(BATCH_ON_HOLD, batch=batch, hold=first.id, kind=first.kind, reason=first.reason)
    if is_expired(expires_on, on):
        raise Refusal(BATCH_EXPIRED, batch=batch, expires_on=expires_on)
    if disposition is not Disposition.UNRESTRICTED:
        raise Refusal(BATCH_RESTRICTED, batch=batch, disposition=disposition)
