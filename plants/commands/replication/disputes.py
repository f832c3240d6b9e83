"""Settle a disputed entry: a person has recorded what is right, or found that nothing has to be."""

from dataclasses import dataclass

from plants.commands.execution import REASON_LENGTH_MAX, Recording, check_text, command
from plants.rules.ledger.events import Entry
from plants.rules.ledger.request_forms import stable_name
from plants.rules.replication.repairs import DisputeSettled
from plants.store.ledger.entries import entry_at
from plants.store.monitoring.alarms import AlarmKind, end_alarm
from plants.store.replication import disputes


@stable_name("Settlement")
@dataclass(frozen=True, slots=True)
class Settlement:
    """Which disputed entry is dealt with (the index of the entry that disputes it), and how."""

    dispute: int
    reason: str


@command("settle_dispute")
def settle_dispute(recording: Recording, order: Settlement) -> Entry:
    """Take a disputed entry off the worklist with the reason that says what was done.

    It changes nothing else: what is right is recorded by commands of its own. Raises Refusal DISPUTE_UNKNOWN or
    DISPUTE_SETTLED.
    """
    recording.reason = check_text("reason", order.reason, REASON_LENGTH_MAX)
    disputes.check_open(recording.session, recording.call.plant, order.dispute)
    disputed = entry_at(recording.session, recording.call.plant, order.dispute)
    assert disputed is not None, "the worklist is made from the ledger"
    payload: DisputeSettled = {"dispute": order.dispute}
    entry = recording.record("DisputeSettled", disputed.envelope["key"], payload)
    if not disputes.open_disputes(recording.session, recording.call.plant):
        end_alarm(recording.session, AlarmKind.ENTRY_DISPUTED, recording.plant.origin, recording.call.now)
    return entry
