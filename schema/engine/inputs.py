"""What the inputs of all mutations have in common: who may repeat it, when it happened, and why."""

from datetime import datetime
from typing import Annotated, TypeVar

import strawberry

from schema.engine.fields import argument, described
from schema.engine.scalars import RequestId


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
