"""What the inputs of all mutations have in common: who may repeat it, when it happened, and why."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypeVar

import strawberry

from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder
from schema.engine.fields import argument, described
from schema.engine.quantities import QuantityInput
from schema.engine.scalars import BatchCode, RequestId


@strawberry.input(description="What every mutation is told.")
class MutationInput:
    """What every mutation is told."""

    request_id: RequestId = described(
        "Made by the client: sent again with the same content it answers the same and does nothing again."
    )
    occurred_at: datetime | None = described("When it happened, at most 31 days ago; now unless given.", default=None)
    reason: str | None = described("Why, for those who read the ledger later.", default=None)


T = TypeVar("T")
Input = Annotated[T, argument("What is to be done.")]
"""The one argument of a mutation."""


@strawberry.input(description="An amount of a batch at a location.")
class StockLineInput:
    """An amount of a batch at a location."""

    batch: BatchCode = described("The batch's code.")
    quantity: QuantityInput = described("How much, in any unit that converts to the batch's own.")
    location: str = described("The code of the location.")

    @property
    def line(self) -> StockLine:
        """The line as commands take it."""
        return StockLine(self.batch, self.quantity.amount, self.quantity.unit, self.location)


@strawberry.input(description="Another name that a batch shall be found by.")
class AliasInput:
    """Another name that a batch shall be found by."""

    scheme: str = described("What sort of name it is, such as SUPPLIER_LOT or CUSTOMER_LOT.")
    value: str = described("The name itself.")
    issuer: str = described("Who gave it: a supplier's or customer's code; empty for the plant itself.", default="")

    @property
    def order(self) -> AliasOrder:
        """The alias as commands take it."""
        return AliasOrder(self.scheme, self.value, self.issuer)


@strawberry.input(description="A named property of a batch, such as fat content or colour.")
class AttributeInput:
    """A named property of a batch."""

    name: str = described("What is said.")
    value: str = described("What it is.")


def attributes(given: Iterable[AttributeInput]) -> dict[str, str]:
    """Return attributes as commands take them; of two with one name the later counts."""
    return {one.name: one.value for one in given}
