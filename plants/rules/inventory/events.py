"""Events of batches, their aliases and their stock."""

from typing import Final

from plants.rules.ledger.events import Event
from plants.rules.ledger.payloads import Outcome


class BatchReceived(Outcome):
    """Goods came in from a supplier, or began here (`source`)."""

    supplier_lot: str | None
    order: str | None


BATCH_RECEIVED: Final = Event("BatchReceived", BatchReceived, correctable=True)
BATCH_ALIASED: Final = Event("BatchAliased", Outcome, correctable=True)
BATCH_MOVED: Final = Event("BatchMoved", Outcome, correctable=True)
STOCK_ADJUSTED: Final = Event("StockAdjusted", Outcome, correctable=True)
