"""Events of holds."""

from typing import Final

from plants.rules.ledger.events import Event
from plants.rules.ledger.payloads import Outcome

BATCH_QUARANTINED: Final = Event("BatchQuarantined", Outcome)
BATCH_RELEASED: Final = Event("BatchReleased", Outcome)
