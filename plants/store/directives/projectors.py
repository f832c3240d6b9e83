"""Projectors of directives and of the plants' answers."""

from typing import Final

from plants.rules.directives.events import (
    DIRECTIVE_APPLIED,
    DIRECTIVE_REJECTED,
    HOLD_DIRECTED,
    MASTER_CHANGE_DIRECTED,
    MASTER_DIRECTED,
    RECALL_DIRECTED,
    RELEASE_DIRECTED,
)
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import DirectedBatch
from plants.rules.values.instants import instant_micros
from plants.store.directives.outcomes import DirectiveOutcomeRow
from plants.store.quality.projectors import DIRECTED_HOLDS, WAITING_HOLDS, end_waiting
from plants.store.sql.rows import Projectors, RowWrites, TableSpec, no_rows

DIRECTIVE_OUTCOMES = TableSpec.of(DirectiveOutcomeRow)


def project_hold(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Put the hold in force in the hub's view."""
    _direct(writes, log_id, entry, (entry.payload["hold"], entry.payload["kind"]), [entry.payload["batch"]])


def project_recall(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Put every hold of the recall in force in the hub's view."""
    _direct(writes, log_id, entry, (entry.payload["recall"], "RECALL"), entry.payload["batches"])


def project_release(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """End the hold or recall in the hub's view."""
    ended_us = instant_micros(entry.envelope["occurred_at"])
    for batch in entry.payload["batches"]:
        row_key = log_id, entry.payload["hold"], batch["code"]
        writes.update(DIRECTED_HOLDS, row_key, ended_idx=entry.index, ended_us=ended_us)


def project_answer(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the plant's answer and the holds that wait for a batch."""
    payload = entry.payload
    writes.upsert(
        DIRECTIVE_OUTCOMES,
        {
            "plant_id": log_id,
            "directive_idx": payload["directive"],
            "entry_idx": entry.index,
            "applied": int(entry.type == DIRECTIVE_APPLIED.name),
            "met_version": payload["met_version"],
            "refusal": payload.get("refusal"),
        },
    )
    for waiting in payload.get("waiting", ()):
        writes.upsert(
            WAITING_HOLDS,
            {
                "plant_id": log_id,
                "batch_code": waiting["batch"]["code"],
                "hold": waiting["hold"],
                "batch_id": waiting["batch"]["id"],
                "kind": waiting["kind"],
                "reason": waiting["reason"],
                "directive_idx": payload["directive"],
            },
        )
    end_waiting(writes, log_id, entry, payload.get("waited", ()))


def _direct(writes: RowWrites, log_id: int, entry: Entry, named: tuple[str, str], batches: list[DirectedBatch]) -> None:
    hold, kind = named
    for batch in batches:
        writes.upsert(
            DIRECTED_HOLDS,
            {
                "log_id": log_id,
                "hold": hold,
                "batch_code": batch["code"],
                "plant_id": -log_id,
                "batch_id": batch["id"],
                "kind": kind,
                "reason": entry.payload["reason"],
                "directed_by": entry.envelope["actor"],
                "directed_us": instant_micros(entry.envelope["occurred_at"]),
                "directive_idx": entry.index,
                "ended_idx": None,
                "ended_us": None,
            },
        )


PROJECTORS: Final[Projectors] = {
    MASTER_DIRECTED: no_rows,
    MASTER_CHANGE_DIRECTED: no_rows,
    HOLD_DIRECTED: project_hold,
    RECALL_DIRECTED: project_recall,
    RELEASE_DIRECTED: project_release,
    DIRECTIVE_APPLIED: project_answer,
    DIRECTIVE_REJECTED: project_answer,
}
