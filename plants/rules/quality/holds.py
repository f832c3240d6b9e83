"""Holds on goods: their kinds, and an open hold as commands see it."""

from dataclasses import dataclass
from enum import StrEnum


class HoldKind(StrEnum):
    """Reasons for a hold. Several holds can be open at once; lifting one leaves the others."""

    QUALITY = "QUALITY"
    PARAMETER_BREACH = "PARAMETER_BREACH"
    EXPIRY = "EXPIRY"
    RECALL = "RECALL"
    MISSING_INSPECTION = "MISSING_INSPECTION"
    UPSTREAM = "UPSTREAM"


@dataclass(frozen=True, slots=True)
class Hold:
    """One open hold on a plant's goods of a batch; `directed` is the id of the hub's hold or recall, if it is one."""

    id: int
    kind: HoldKind
    reason: str
    directed: str | None = None
