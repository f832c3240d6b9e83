"""Known deviations of the product from domain.md, each with the section of the issue that ends it.

A deviation leaves a rule out of the reference model (`settings`), or accepts an answer that the model does not predict
(`answers`: command, prediction, answer). Remove it once it is mended: a test fails when it is no longer seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from simulation.reference_model import Policy, Settings

ACCEPTED: Final = "ACCEPTED"


@dataclass(frozen=True)
class Deviation:
    """A rule of domain.md that the product does not follow yet."""

    name: str
    section: int
    text: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    answers: frozenset[tuple[str, str, str]] = frozenset()


BLOCKED: Final = ("BATCH_ON_HOLD", "BATCH_EXPIRED")

HOLDS_STAY_BEHIND: Final = Deviation(
    "holds-stay-behind",
    4,
    "A hold does not reach what the goods became.",
    settings={"upstream_holds": False},
)

KNOWN: Final = (
    HOLDS_STAY_BEHIND,
    Deviation(
        "times-not-in-order",
        4,
        "Times are compared with nothing: goods may leave before they came, by the clock.",
        settings={"clocks": timedelta(days=10_000)},
    ),
    Deviation(
        "retest-does-not-block",
        4,
        "An overdue retest blocks nothing.",
        settings={"retest_blocks": False},
    ),
    Deviation(
        "dates-not-inherited",
        4,
        "Every run gives its outputs the material's full shelf life, and an addition shortens no date.",
        settings={"dates_inherited": False},
    ),
    Deviation(
        "receipts-not-in-parts",
        5,
        "A receipt ends its transfer, and a surplus comes in without a hold.",
        settings={"receipts_in_parts": False},
    ),
    Deviation(
        "counts-do-not-add-up",
        5,
        "Each count alone is compared with the tolerance.",
        settings={"count_window": timedelta(0)},
    ),
    Deviation(
        "genealogy-corrected-freely",
        2,
        "Corrections of genealogy need no approval.",
        settings={"genealogy_corrections_gated": False},
    ),
    Deviation(
        "factors-not-frozen",
        3,
        "A redefined conversion changes what earlier amounts mean.",
        settings={"factors_frozen": False},
    ),
    Deviation(
        "unit-changed-in-use",
        3,
        "A material's unit can change while there is stock of it.",
        settings={"units_kept_in_use": False},
    ),
    Deviation(
        "blocked-goods-not-split",
        4,
        "Blocked goods cannot be split under their holds.",
        answers=frozenset(
            ("splitBatch", predicted, code) for predicted in (ACCEPTED, "STOCK_SHORT") for code in BLOCKED
        ),
    ),
    Deviation(
        "second-delivery-refused",
        6,
        "A second delivery of a supplier lot is refused for good.",
        answers=frozenset({("receiveBatch", ACCEPTED, "ALIAS_TAKEN")}),
    ),
    Deviation(
        "correction-names-no-entry",
        4,
        "The refusal of a correction says that stock is short, not which entry builds on it.",
        answers=frozenset({("correctEntry", "ENTRY_BUILT_ON", "STOCK_SHORT")}),
    ),
    Deviation(
        "opening-after-closing-is-text",
        4,
        "A run that would close before it opened is refused as a wrong text, also within five minutes.",
        answers=frozenset({("closeProcess", ACCEPTED, "TEXT_INVALID")}),
    ),
    Deviation(
        "no-turning-back",
        5,
        "A sender cannot take its own goods in again by its label.",
        answers=frozenset(
            ("receiveTransfer", predicted, "TRANSFER_MANIFEST_INVALID")
            for predicted in (ACCEPTED, "BATCH_NOT_IN_TRANSFER", "TRANSFER_RECEIVED")
        ),
    ),
)

FIRST_FAULTS: Final = frozenset(
    {
        *((f"save{noun}", "LINES_INVALID", "AMOUNT_NOT_POSITIVE") for noun in ("Material", "Unit")),
        *(("mergeBatches", "MATERIAL_DIFFERS", code) for code in (*BLOCKED, "BATCH_RESTRICTED", "STOCK_SHORT")),
    }
)
"""Commands with several faults, of which the rules do not say which is named: command, prediction, answer."""

POLICIES: Final = {
    "RELEASE": Policy(("PLANT", "HUB"), either=True, life=timedelta(days=30)),
    "RELEASE_RECALL": Policy(("HUB",), life=timedelta(days=30)),
    "EXPIRY_EXTENSION": Policy(("HUB",), life=timedelta(days=30)),
    "STOCK_ADJUSTMENT": Policy(("PLANT", "HUB"), either=True),
}
"""The policies of the simulated group, which are data."""


def settings_of(known: Iterable[Deviation]) -> Settings:
    """Return the settings of a model that leaves out the rules of these deviations."""
    left_out = {name: value for one in known for name, value in one.settings.items()}
    return Settings(policies=POLICIES, holds_across_plants=False, **left_out)


def excused_by(known: Iterable[Deviation], command: str, prediction: str, codes: Iterable[str]) -> Deviation | None:
    """Return the deviation that accepts one of the codes as the answer to a command, if any does."""
    codes = tuple(codes)
    for one in known:
        if any((command, prediction, code) in one.answers for code in codes):
            return one
    return None
