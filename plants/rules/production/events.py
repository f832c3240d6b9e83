"""Events of process records: runs, splits and merges."""

from typing import Final

from plants.rules.ledger.events import Event, Subject
from plants.rules.ledger.payloads import Outcome


class ProcessClosed(Outcome):
    """For each unit, loss is inputs minus outputs minus returns."""

    inputs: dict[str, str]  # by unit
    outputs: dict[str, str]
    returned: dict[str, str]


PROCESS_OPENED: Final = Event(
    "ProcessOpened", Outcome, "A process record was opened.", about=Subject.PROCESS_RECORD, correctable=True
)
PROCESS_FED: Final = Event(
    "ProcessFed",
    Outcome,
    "Goods were taken from stock into an open process record.",
    about=Subject.PROCESS_RECORD,
    correctable=True,
)
PROCESS_YIELDED: Final = Event(
    "ProcessYielded",
    Outcome,
    "Goods came out of an open process record, or were returned from it unused.",
    about=Subject.PROCESS_RECORD,
    correctable=True,
)
PROCESS_CLOSED: Final = Event(
    "ProcessClosed",
    ProcessClosed,
    "A process record was closed, with its inputs, outputs, returns and loss by unit.",
    about=Subject.PROCESS_RECORD,
    correctable=True,
)
PRODUCTION_RECORDED: Final = Event(
    "ProductionRecorded",
    Outcome,
    "A whole process record, with its inputs and outputs, was recorded at once.",
    about=Subject.PROCESS_RECORD,
    correctable=True,
)
BATCH_SPLIT: Final = Event(
    "BatchSplit",
    Outcome,
    "Goods of one batch were divided into new batches of the same material.",
    about=Subject.BATCH,
    correctable=True,
)
BATCHES_MERGED: Final = Event(
    "BatchesMerged",
    Outcome,
    "Goods of several batches of one material were combined into one new batch.",
    about=Subject.BATCH,
    correctable=True,
)
