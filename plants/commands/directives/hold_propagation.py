"""Send holds and recalls of headquarters after goods that have come to plants since, or are on their way there."""

from datetime import datetime
from typing import Any

from infra.database import Session
from plants.commands.execution import CommandContext, LedgerWriter, author_of
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import DirectedBatch
from plants.store.directives.directives import batch_named, plants_with
from plants.store.ledger.entries import HUB_LOG, Head, entry_at
from plants.store.projection.registry import EVENTS
from plants.store.quality.holds import all_in_force


def follow_goods(session: Session, *, now: datetime) -> list[Entry]:
    """Direct holds and recalls that are in force everywhere to plants that got goods of the batches since.

    Runs in the caller's transaction, with the actor of the first directive; returns the new directives. Each plant gets
    one. A hold or recall that was directed to named plants stays with these.
    """
    Head(session, HUB_LOG)  # takes the lock of the hub's own ledger, so that two processes do not direct a plant twice.
    sent = []
    for directives in all_in_force(session).values():
        first = entry_at(session, *directives[0])
        if first is None or not first.payload.get("everywhere"):
            continue
        said, batches = _content(session, first.payload)
        directed = {-log_id for log_id, _ in directives}
        for plant in sorted(plants_with(session, batches) - directed):
            writer = LedgerWriter(session, author_of(first), CommandContext(HUB, now), None, -plant)
            sent.append(writer.record(EVENTS[first.type], first.envelope["key"], said))
    return sent


def _content(session: Session, payload: dict[str, Any]) -> tuple[dict[str, Any], list[DirectedBatch]]:
    """Return the content of a hold or recall, with the ids of batches that the hub has learned since."""
    if "batch" in payload:
        batch = batch_named(session, payload["batch"]["code"])
        return {**payload, "batch": batch}, [batch]
    batches = [batch_named(session, one["code"]) for one in payload["batches"]]
    return {**payload, "batches": batches}, batches
