"""Events of process records: runs, splits and merges."""

from typing import Final

from plants.rules.ledger.events import Event
from plants.rules.ledger.payloads import Outcome


class ProcessClosed(Outcome):
    """For each unit, loss is inputs minus outputs minus returns."""

    inputs: dict[str, str]  # by unit
    outputs: dict[str, str]
    returned: dict[str, str]


PROCESS_OPENED: Final = Event("ProcessOpened", Outcome, "A process record was opened.", correctable=True)
PROCESS_FED: Final = Event(
    "ProcessFed", Outcome, "Goods were taken from stock into an open process record.", correctable=True
)
PROCESS_YIELDED: Final = Event(
    "ProcessYielded",
    Outcome,
    "Goods came out of an open process record, or were returned from it unused.",
    correctable=True,
)
PROCESS_CLOSED: Final = Event(
    "ProcessClosed",
    ProcessClosed,
    "A process record was closed, with its inputs, outputs, returns and loss by unit.",
    correctable=True,
)
PRODUCTION_RECORDED: Final = Event(
    "ProductionRecorded",
    Outcome,
    "A whole process record, with its inputs and outputs, was recorded at once.",
    correctable=True,
)
BATCH_SPLIT: Final = Event(
    "BatchSplit", Outcome, "Goods of one batch were divided into new batches of the same material.", correctable=True
)
BATCHES_MERGED: Final = Event(
    "BatchesMerged",
    Outcome,
    "Goods of several batches of one material were combined into one new batch.",
    correctable=True,
)
