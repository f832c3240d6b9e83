"""Events of process records: runs, splits and merges."""

from typing import Final

from plants.rules.ledger.events import Event
from plants.rules.ledger.payloads import Outcome


class ProcessClosed(Outcome):
    """A process record was closed with its mass balance; per unit, loss is inputs less outputs less returned."""

    inputs: dict[str, str]  # by unit
    outputs: dict[str, str]
    returned: dict[str, str]


PROCESS_OPENED: Final = Event("ProcessOpened", Outcome, correctable=True)
PROCESS_FED: Final = Event("ProcessFed", Outcome, correctable=True)
PROCESS_YIELDED: Final = Event("ProcessYielded", Outcome, correctable=True)
PROCESS_CLOSED: Final = Event("ProcessClosed", ProcessClosed, correctable=True)
PRODUCTION_RECORDED: Final = Event("ProductionRecorded", Outcome, correctable=True)
BATCH_SPLIT: Final = Event("BatchSplit", Outcome, correctable=True)
BATCHES_MERGED: Final = Event("BatchesMerged", Outcome, correctable=True)
