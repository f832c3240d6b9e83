"""Events of holds."""

from typing import Final

from plants.rules.ledger.events import Event, Subject
from plants.rules.ledger.payloads import Outcome

BATCH_QUARANTINED: Final = Event(
    "BatchQuarantined", Outcome, "A hold was placed on the plant's goods of a batch.", about=Subject.BATCH
)
BATCH_RELEASED: Final = Event(
    "BatchReleased",
    Outcome,
    "Holds that headquarters directed were lifted, because headquarters released them.",
    about=Subject.BATCH,
)
