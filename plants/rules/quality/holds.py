"""Holds on goods: their kinds, and an open hold as commands see it."""

from dataclasses import dataclass

from plants.rules.values.enums import DescribedEnum


class HoldKind(DescribedEnum):
    """Kind of hold. Holds are independent: lifting one leaves the others."""

    QUALITY = "QUALITY", "Default kind, for doubts about the goods; a release request that names no hold lifts these."
    PARAMETER_BREACH = (
        "PARAMETER_BREACH",
        "A process or storage parameter, such as a temperature, left its limits; assess the goods before release.",
    )
    EXPIRY = "EXPIRY", "The shelf life of the goods is in question; expired goods stay unusable after a release."
    RECALL = "RECALL", "The goods may have to be withdrawn; only headquarters decides on the release."
    MISSING_INSPECTION = (
        "MISSING_INSPECTION",
        "A required inspection has no result yet; release the goods once they have passed it.",
    )
    UPSTREAM = "UPSTREAM", "A batch that went into the goods is on hold; assess its effect before release."


@dataclass(frozen=True, slots=True)
class Hold:
    """One open hold on a plant's goods of a batch; `directed` is the id of the hub's hold or recall, if it is one."""

    id: int
    kind: HoldKind
    reason: str
    directed: str | None = None
