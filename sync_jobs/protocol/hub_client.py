"""The requests of a plant to its hub, for any transport: HTTPS or a simulated network."""

from collections.abc import Sequence
from typing import Protocol

from sync_jobs.protocol.wire import Hello, Parcel, Receipt, Welcome


class HubUnreachable(Exception):
    """The hub did not answer, or something else answered; the text gives the reason."""


class HubTimedOut(HubUnreachable):
    """The hub exceeded a time limit; it may have carried out the request."""


class HubClient(Protocol):
    """The hub as one plant reaches it. Every call raises Problem as the hub answered, or HubUnreachable."""

    def hello(self, greeting: Hello) -> Welcome:
        """Send a Hello and return the hub's answer."""
        ...

    def send(self, origin: str, start: int, session: str, parcel: Parcel) -> Receipt:
        """Send entries from a position on: of the plant's ledger, or directives that the hub has lost."""
        ...

    def entries(self, origin: str, low: int, high: int) -> Parcel:
        """Return entries of one of the ledgers that the plant may read."""
        ...

    def rotate(self, origin: str, statement: bytes) -> None:
        """Send the statement of a key rotation, signed by both keys."""
        ...

    def roots(self, origin: str, sizes: Sequence[int]) -> tuple[bytes, ...]:
        """Return the roots of a ledger at the hub at up to ROOTS_MAX sizes, none beyond its end, in rising order."""
        ...

    def consistency(self, origin: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof between two sizes of a ledger at the hub."""
        ...
