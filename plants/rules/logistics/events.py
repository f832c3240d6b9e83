"""Events of transfers between plants, and of shipments to customers."""

from typing import Final, TypedDict

from plants.rules.ledger.events import Event, Subject
from plants.rules.ledger.payloads import BatchStatement, Outcome


class TransferLine(TypedDict):
    """One batch of a transfer as the label carries it: the batch and the dispatched amount."""

    batch: BatchStatement
    dispatched: str


class ReceivedLine(TypedDict):
    """One batch of a transfer as received; a batch new to this plant is also in `batches`."""

    batch: int
    unit: str
    dispatched: str
    received: str


class TransferDispatched(Outcome):
    transfer: int
    destination: str
    lines: list[TransferLine]


class TransferReceived(Outcome):
    transfer: int
    source: str
    lines: list[ReceivedLine]


# A dispatch is not correctable: another plant may have received it, which this plant cannot see.
TRANSFER_DISPATCHED: Final = Event(
    "TransferDispatched",
    TransferDispatched,
    "Goods left for another plant; the label of the transfer carries this entry.",
    about=Subject.TRANSFER,
)
TRANSFER_RECEIVED: Final = Event(
    "TransferReceived",
    TransferReceived,
    "Goods of a transfer came in, with the dispatched and the received quantity of each batch.",
    about=Subject.TRANSFER,
    correctable=True,
)
BATCH_SHIPPED: Final = Event(
    "BatchShipped", Outcome, "Goods left stock for a customer.", about=Subject.SHIPMENT, correctable=True
)
