"""Events of batches, their aliases and their stock."""

from typing import Final

from plants.rules.ledger.events import Event, Subject
from plants.rules.ledger.payloads import Outcome


class BatchReceived(Outcome):
    supplier_lot: str | None
    order: str | None


BATCH_RECEIVED: Final = Event(
    "BatchReceived",
    BatchReceived,
    "Goods came in from a supplier, or began at the plant, and became a new batch.",
    about=Subject.BATCH,
    correctable=True,
)
BATCH_ALIASED: Final = Event(
    "BatchAliased", Outcome, "Aliases of a batch were added or ended.", about=Subject.BATCH, correctable=True
)
BATCH_MOVED: Final = Event(
    "BatchMoved",
    Outcome,
    "Goods of a batch were moved from one location of the plant to another.",
    about=Subject.BATCH,
    correctable=True,
)
STOCK_ADJUSTED: Final = Event(
    "StockAdjusted",
    Outcome,
    "The quantity on hand was set to a counted one, within the tolerance for counts.",
    about=Subject.BATCH,
    correctable=True,
)
