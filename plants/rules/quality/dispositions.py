"""ISA-95 dispositions as a set of allowed moves, and when goods may be used."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from plants.rules.values.refusals import Refusal, RefusalCode


class Disposition(StrEnum):
    """How far along the goods of a batch are at a plant (ISA-95 / B2MML DispositionType)."""

    PLANNED = "PLANNED"
    IN_PROCESS = "IN_PROCESS"
    RESTRICTED = "RESTRICTED"
    UNRESTRICTED = "UNRESTRICTED"
    CLOSED = "CLOSED"


D = Disposition
MOVES: frozenset[tuple[Disposition, Disposition]] = frozenset(
    {
        (D.PLANNED, D.IN_PROCESS),
        (D.PLANNED, D.RESTRICTED),
        (D.PLANNED, D.UNRESTRICTED),
        (D.PLANNED, D.CLOSED),
        (D.IN_PROCESS, D.RESTRICTED),
        (D.IN_PROCESS, D.UNRESTRICTED),
        (D.IN_PROCESS, D.CLOSED),
        (D.RESTRICTED, D.UNRESTRICTED),
        (D.RESTRICTED, D.CLOSED),
        (D.UNRESTRICTED, D.RESTRICTED),
        (D.UNRESTRICTED, D.CLOSED),
    }
)


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


def move(batch: str, before: Disposition, after: Disposition) -> Disposition:
    """Return the disposition reached, or raise Refusal when no such move is allowed."""
    if (before, after) not in MOVES:
        raise Refusal(RefusalCode.DISPOSITION_MOVE_INVALID, batch=batch, before=before, after=after)
    return after


def is_expired(expires_on: str | None, on: date) -> bool:
    """Tell whether goods are expired on a plant's local day: they are usable to the end of the expiry day."""
    return expires_on is not None and on.isoformat() > expires_on


def check_usable(
    batch: str, disposition: Disposition, holds: tuple[Hold, ...], expires_on: str | None, on: date
) -> None:
    """Raise the Refusal that names why the goods may not be used on that local day, if they may not."""
    if holds:
        first = holds[0]
        raise Refusal(RefusalCode.BATCH_ON_HOLD, batch=batch, hold=first.id, kind=first.kind, reason=first.reason)
    if is_expired(expires_on, on):
        raise Refusal(RefusalCode.BATCH_EXPIRED, batch=batch, expires_on=expires_on)
    if disposition is not Disposition.UNRESTRICTED:
        raise Refusal(RefusalCode.BATCH_RESTRICTED, batch=batch, disposition=disposition)
