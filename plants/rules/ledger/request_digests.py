"""The digest that an entry keeps of its request, so that one request id cannot ask for two things.

A digest is written as "2:" and 128 bits of SHA-256 over the canonical form, hexadecimal. One without a mark is of the
first form (decision 0016). Readers compare digests and look at nothing else in them.
"""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from inspect import signature
from typing import Any, Final, Generic, TypeVar, get_type_hints

from plants.rules.ledger.first_request_forms import NoFirstForm, first_form
from plants.rules.ledger.request_forms import canonical_form, check_declared

Order = TypeVar("Order")
CANONICAL_MARK: Final = "2:"
DIGEST_LENGTH: Final = 32  # hexadecimal digits, of either form


class RequestDigests(Generic[Order]):
    """The digests of one command's orders.

    `name` is the command's stable name; renaming the function that performs it changes no digest. Raises TypeError
    where the type of `perform`'s second parameter has no canonical form.
    """

    def __init__(self, name: str, perform: Callable[[Any, Order], object]) -> None:
        self.name = name
        _, order = signature(perform).parameters
        check_declared(get_type_hints(perform)[order])

    def digest(self, order: Order, occurred_at: datetime | None = None, reason: str | None = None) -> str:
        """Return the digest of a request of this command, as entries keep it from now on.

        Time and reason are those that the client gave. They are left out where it gave neither.
        """
        given = (occurred_at, reason) if occurred_at is not None or reason is not None else ()
        content = canonical_form((self.name, order, *given))
        return CANONICAL_MARK + sha256(content).hexdigest()[:DIGEST_LENGTH]

    def accepts(
        self, recorded: str | None, order: Order, occurred_at: datetime | None = None, reason: str | None = None
    ) -> bool:
        """Tell whether a recorded digest is of this very request, in whichever form it was recorded.

        The first form does not cover time and reason.
        """
        if recorded is None or recorded.startswith(CANONICAL_MARK):
            return recorded == self.digest(order, occurred_at, reason)
        try:
            content = f"{self.name} {first_form(order)}"
        except NoFirstForm:
            return False
        return recorded == sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]
