"""Events of corrections."""

from typing import Final, NotRequired

from plants.rules.ledger.events import Event, Subject
from plants.rules.ledger.payloads import Outcome


class EntryCorrected(Outcome):
    entry: int
    wrong: str  # a CorrectionReason
    retracted: list[list[int]]  # [entry, line] of each edge
    unreceived: NotRequired[list[list[int]]]  # [transfer, line] of each line of a transfer that was not received


ENTRY_CORRECTED: Final = Event(
    "EntryCorrected", EntryCorrected, "An earlier entry was wrong; this one reverses its effects.", about=Subject.ENTRY
)
