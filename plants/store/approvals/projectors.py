"""Projectors of change requests and decisions."""

from typing import Final

from plants.rules.approvals.events import CHANGE_APPLIED, CHANGE_DECIDED, CHANGE_REFUSED, CHANGE_REQUESTED
from plants.rules.ledger.events import Entry, canonical
from plants.rules.values.instants import instant_micros
from plants.store.approvals.change_requests import ChangeDecisionRow, ChangeRequestRow
from plants.store.sql.rows import Projectors, RowWrites, TableSpec

CHANGES = TableSpec.of(ChangeRequestRow)
DECISIONS = TableSpec.of(ChangeDecisionRow)


def project_request(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the change request."""
    payload = entry.payload
    values = {
        "plant_id": log_id,
        "change_id": entry.index,
        "kind": payload["kind"],
        "batch_id": payload["batch"],
        "version": payload["version"],
        "differences": canonical(payload["differences"]).decode(),
        "detail": canonical(payload["detail"]).decode(),
        "levels": ",".join(sorted(payload["levels"])),
        "reason": entry.envelope.get("reason", ""),
        "proposal": entry.leaf.hex(),
        "requested_by": entry.envelope["actor"],
        "requested_us": instant_micros(entry.envelope["recorded_at"]),
        "expires_us": instant_micros(payload["expires_at"]),
        "state": "REQUESTED",
    }
    writes.upsert(CHANGES, dict.fromkeys(CHANGES.columns) | values)


def project_decision(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the decision; in the plant's own ledger it moves the request on."""
    payload = entry.payload
    decided_us = instant_micros(entry.envelope["occurred_at"])
    decision = {
        "log_id": log_id,
        "idx": entry.index,
        "plant_id": payload["plant"],
        "change_id": payload["change"],
        "verdict": payload["verdict"],
        "level": payload["level"],
        "decided_by": entry.envelope["actor"],
        "printed_name": payload["printed_name"],
        "comment": payload["comment"],
        "decided_us": decided_us,
    }
    writes.upsert(DECISIONS, decision)
    if log_id == payload["plant"]:
        # The hub's directive only announces a decision: the plant still has to check it.
        writes.update(
            CHANGES,
            (log_id, payload["change"]),
            state=payload["verdict"],
            decided_by=entry.envelope["actor"],
            decided_us=decided_us,
            decided_level=payload["level"],
            comment=payload["comment"],
        )


def project_applied(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Close the request as applied."""
    writes.update(CHANGES, (log_id, entry.payload["change"]), state="APPLIED", closed_idx=entry.index)


def project_refused(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Close the request as refused."""
    payload = entry.payload
    key = (log_id, payload["change"])
    writes.update(CHANGES, key, state="REFUSED", closed_idx=entry.index, refusal=payload["refusal"])


PROJECTORS: Final[Projectors] = {
    CHANGE_REQUESTED: project_request,
    CHANGE_DECIDED: project_decision,
    CHANGE_APPLIED: project_applied,
    CHANGE_REFUSED: project_refused,
}
