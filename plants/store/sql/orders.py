"""Orders of a list: the field to order by, and the direction."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from plants.rules.values.enums import DescribedEnum

Field = TypeVar("Field", bound=DescribedEnum)


class OrderDirection(DescribedEnum):
    """Direction of an order."""

    ASCENDING = "ASCENDING", "From the smallest or earliest value to the largest or latest."
    DESCENDING = "DESCENDING", "From the largest or latest value to the smallest or earliest."


@dataclass(frozen=True, slots=True)
class Order(Generic[Field]):
    """A field to order by, and the direction."""

    field: Field
    direction: OrderDirection = OrderDirection.ASCENDING

    @property
    def descending(self) -> bool:
        """True if the largest value comes first."""
        return self.direction is OrderDirection.DESCENDING
