"""Settle a disputed entry: an operator has recorded the right facts, or found that nothing is missing."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_reason, command
from plants.rules.ledger.events import Entry
from plants.rules.ledger.request_forms import stable_name
from plants.rules.replication.events import DISPUTE_SETTLED, DisputeSettled
from plants.rules.values.refusals import within
from plants.store.ledger.entries import entry_at
from plants.store.monitoring.alarms import AlarmKind, end_alarm
from plants.store.replication import disputes


@stable_name("Settlement")
@dataclass(frozen=True, slots=True)
class Settlement:
    """A settled dispute: the index of the EntryDisputed, and the reason."""

    dispute: int
    reason: str


@command("settle_dispute")
def settle_dispute(writer: PlantLedgerWriter, order: Settlement) -> Entry:
    """Take a disputed entry off the worklist, with the reason.

    It changes nothing else: other commands record the right facts. Raises Refusal DISPUTE_UNKNOWN or
    DISPUTE_SETTLED.
    """
    writer.reason = check_reason(order.reason)
    with within("conflictingEntryId"):
        disputes.check_open(writer.session, writer.call.plant, order.dispute)
    disputed = entry_at(writer.session, writer.call.plant, order.dispute)
    assert disputed is not None, "the worklist is made from the ledger"
    payload: DisputeSettled = {"dispute": order.dispute}
    entry = writer.record(DISPUTE_SETTLED, disputed.envelope["key"], payload)
    if not disputes.open_disputes(writer.session, writer.call.plant):
        end_alarm(writer.session, AlarmKind.ENTRY_DISPUTED, writer.plant.origin, writer.call.now)
    return entry
