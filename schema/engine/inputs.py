"""Fields that every mutation input has: request id, time and reason."""

from datetime import datetime
from typing import Annotated, Protocol, TypeVar

from schema.engine.fields import argument, described, input_type
from schema.engine.scalars import RequestId


class RequestInput(Protocol):
    """An input with a request id. Each mutation input has one."""

    @property
    def request_id(self) -> RequestId: ...


@input_type
class MutationInput:
    """Fields of every mutation input."""

    request_id: RequestId = described(
        "Request id, made by the client. Repeating it with the same content returns the first answer "
        "and changes nothing."
    )
    occurred_at: datetime | None = described(
        "Time of the event, at most 31 days ago. The default is now.", default=None
    )
    reason: str | None = described("Reason, for readers of the ledger.", default=None)


T = TypeVar("T")
Input = Annotated[T, argument("Input of the mutation.")]
"""The one argument of a mutation."""
