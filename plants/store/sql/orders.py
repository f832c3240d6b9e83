"""Orders of a list: the field to order by, and the direction."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from plants.rules.values.enums import DescribedEnum

Field = TypeVar("Field", bound=DescribedEnum)


class OrderDirection(DescribedEnum):
    """Direction of an order."""

    ASCENDING = "ASCENDING", "From the smallest or earliest value to the largest or latest."
    DESCENDING = "DESCENDING", "From the largest or latest value to the smallest or earliest."


NO_DAY: Final = {OrderDirection.ASCENDING: "9999-12-31", OrderDirection.DESCENDING: ""}
"""The sort key of a row without a day: it comes last in both directions."""
NO_TIME: Final = {OrderDirection.ASCENDING: 2**63 - 1, OrderDirection.DESCENDING: -1}
"""The sort key of a row without a time, which is in microseconds."""


@dataclass(frozen=True, slots=True)
class Order(Generic[Field]):
    """A field to order by, and the direction."""

    field: Field
    direction: OrderDirection = OrderDirection.ASCENDING

    @property
    def descending(self) -> bool:
        """True if the largest value comes first."""
        return self.direction is OrderDirection.DESCENDING
