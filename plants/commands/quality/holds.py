"""Put a plant's goods of a batch on hold."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_reason, command
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.quality.events import BATCH_QUARANTINED
from plants.rules.quality.holds import HoldKind
from plants.rules.values.refusals import Refusals


@stable_name("Quarantine")
@dataclass(frozen=True, slots=True)
class Quarantine:
    """A batch to hold, with kind and reason."""

    batch: str
    reason: str
    kind: HoldKind = HoldKind.QUALITY


@command("quarantine_batch")
def quarantine_batch(writer: PlantLedgerWriter, order: Quarantine) -> Entry:
    """Add a hold to the goods, whatever else holds them; the disposition stays, and lifting one hold leaves the others.

    The hold's id is the index of the entry. Only an approved release lifts it.
    """
    with Refusals() as refusals:
        goods = refusals.value(writer.batch, order.batch)
        writer.reason = refusals.value(check_reason, order.reason)
    assert goods is not None
    payload: Outcome = {"holds": [{"batch": goods.id, "kind": order.kind, "reason": order.reason}]}
    return writer.record(BATCH_QUARANTINED, goods.code, payload)
