"""Quantities: an exact amount with its unit."""

from collections.abc import Mapping
from typing import Self

from plants.rules.values.quantities import format_micro
from schema.engine.context import Info
from schema.engine.fields import described, field, input_type, object_type
from schema.engine.scalars import ExactDecimal
from schema.engine.unit_names import unit_name

AMOUNT = 'Exact amount as a decimal string, like "12.5".'
UNIT = "Unit: a UN/ECE Rec 20 code such as KGM, or a unit that the plant defined."


@object_type
class Quantity:
    """An exact amount with its unit."""

    amount: ExactDecimal = described(AMOUNT)
    unit: str = described(UNIT)

    @field("Name of a built-in unit, in the caller's language. Null for a unit that a plant defined: see `units`.")
    def unit_name(self, info: Info) -> str | None:
        return unit_name(self.unit, info.context.language)

    @classmethod
    def of(cls, micro: int, unit: str) -> Self:
        """Return a quantity of millionths of a unit."""
        return cls(amount=ExactDecimal(format_micro(micro)), unit=unit)


@input_type
class QuantityInput:
    """An exact amount with its unit."""

    amount: ExactDecimal = described(AMOUNT)
    unit: str = described(UNIT)


def quantities(amounts: Mapping[str, str]) -> list[Quantity]:
    """Return amounts by unit, as entries store them, sorted by unit."""
    return [Quantity(amount=ExactDecimal(amount), unit=unit) for unit, amount in sorted(amounts.items())]
