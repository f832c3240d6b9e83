"""Differences: the fields that a change request would change, each with a type of its own where its form is known."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Final

import strawberry

from plants.rules.quality.holds import HoldKind
from schema.engine.fields import described, form_type, interface_type
from schema.engine.quantities import Quantity
from schema.engine.scalars import Code, ExactDecimal

LIFTED: Final = re.compile(r"(?P<kind>[A-Z_]+): (?P<reason>.*)", re.DOTALL)
AMOUNT: Final = re.compile(r"(?P<amount>-?[0-9]+(?:\.[0-9]+)?) (?P<unit>\S+)", re.ASCII)

Difference = Mapping[str, str]
"""A difference as an entry holds it: field, before and after."""


@interface_type(name="FieldChange")
class FieldChange:
    """One changed field, with its value before and after as the ledger holds them."""

    field: str = described("Name of the field, such as expires_on or stock:A1.")
    before: str | None = described("Value before, as text. Null if there was none.")
    after: str | None = described("Value after, as text. Null if it is removed.")


@form_type
class HoldLift(FieldChange):
    """A hold is lifted."""

    hold_index: int = described("Index of the entry that placed the hold.")
    kind: Annotated["HoldKind", strawberry.lazy("schema.quality.holds")] = described("Kind of the hold.")
    reason: str = described("Reason of the hold.")


@form_type
class ExpiryChange(FieldChange):
    """The expiry date of a plant's goods of a batch changes."""

    expires_on_before: date = described("Last day of use before.")
    expires_on_after: date = described("Last day of use after.")


@form_type
class StockChange(FieldChange):
    """The quantity on hand at a location changes."""

    location_code: Code = described("Code of the location.")
    quantity_before: Quantity = described("Quantity before.")
    quantity_after: Quantity = described("Quantity after.")


@form_type
class OtherChange(FieldChange):
    """A change of a field that this program does not know. It has texts alone."""


def difference(one: Difference) -> FieldChange:
    """Return the typed form of a difference, or OtherChange for a text in an unknown form."""
    name, _, rest = one["field"].partition(":")
    try:
        return READERS[name](rest, one) if name in READERS else OtherChange(**one)
    except ValueError:
        return OtherChange(**one)


def _lift(hold: str, one: Difference) -> FieldChange:
    found = LIFTED.fullmatch(one["before"])
    if found is None:
        raise ValueError(one["before"])
    return HoldLift(**one, hold_index=int(hold), kind=HoldKind(found["kind"]), reason=found["reason"])


def _expiry(_rest: str, one: Difference) -> FieldChange:
    before, after = (date.fromisoformat(one[name]) for name in ("before", "after"))
    return ExpiryChange(**one, expires_on_before=before, expires_on_after=after)


def _stock(location: str, one: Difference) -> FieldChange:
    before, after = (_quantity(one[name]) for name in ("before", "after"))
    return StockChange(**one, location_code=location, quantity_before=before, quantity_after=after)


def _quantity(text: str) -> Quantity:
    found = AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return Quantity(amount=ExactDecimal(found["amount"]), unit=found["unit"])


READERS: Final[Mapping[str, Callable[[str, Difference], FieldChange]]] = {
    "hold": _lift,
    "expires_on": _expiry,
    "stock": _stock,
}
"""The reader of each kind of field, by the part of its name before the colon."""
