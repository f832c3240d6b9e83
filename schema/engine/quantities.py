"""Quantities in the contract: an exact amount and its unit, always together."""

from collections.abc import Mapping
from typing import Self

import strawberry

from plants.rules.values.quantities import format_micro
from schema.engine.fields import described
from schema.engine.scalars import ExactDecimal

AMOUNT = 'The exact amount as a decimal string, like "12.5".'
UNIT = "The unit: a UN/ECE Rec 20 code such as KGM, or one that the plant defined."


@strawberry.type(description="An exact amount of something, with its unit.")
class Quantity:
    """An exact amount of something, with its unit."""

    amount: ExactDecimal = described(AMOUNT)
    unit: str = described(UNIT)

    @classmethod
    def of(cls, micro: int, unit: str) -> Self:
        """Return millionths of a unit as a quantity."""
        return cls(amount=ExactDecimal(format_micro(micro)), unit=unit)


@strawberry.input(description="An exact amount of something, with its unit.")
class QuantityInput:
    """An exact amount of something, with its unit."""

    amount: ExactDecimal = described(AMOUNT)
    unit: str = described(UNIT)


def quantities(amounts: Mapping[str, str]) -> list[Quantity]:
    """Return amounts by unit, as entries write them, in the order of the units."""
    return [Quantity(amount=ExactDecimal(amount), unit=unit) for unit, amount in sorted(amounts.items())]
