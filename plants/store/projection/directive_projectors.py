"""What directives of the hub, and a plant's answers to them, do to the tables."""

from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import DirectedBatch, DirectiveRejected, Outcome
from plants.rules.values.instants import instant_micros
from plants.store.directives import outcomes
from plants.store.quality.holds import DirectedHoldRow, WaitingHoldRow
from plants.store.sql.rows import RowWrites, TableSpec

DIRECTED_HOLDS = TableSpec.of(DirectedHoldRow)
WAITING_HOLDS = TableSpec.of(WaitingHoldRow)
DIRECTIVE_OUTCOMES = TableSpec.of(outcomes.DirectiveOutcomeRow)


def end_waiting(writes: RowWrites, log_id: int, payload: Outcome | DirectiveRejected) -> None:
    """Take away the holds that wait no more, because they were placed or lifted."""
    for code, hold in payload.get("waited", ()):
        writes.drop(WAITING_HOLDS, (log_id, code, hold))


def project_hold_directed(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Put the hold in force in the hub's view."""
    _direct(writes, log_id, entry, (entry.payload["hold"], entry.payload["kind"]), [entry.payload["batch"]])


def project_recall_directed(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Put every hold of the recall in force in the hub's view."""
    _direct(writes, log_id, entry, (entry.payload["recall"], "RECALL"), entry.payload["batches"])


def project_release_directed(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """End the hold or recall in the hub's view."""
    ended_us = instant_micros(entry.envelope["occurred_at"])
    for batch in entry.payload["batches"]:
        row_key = log_id, entry.payload["hold"], batch["code"]
        writes.update(DIRECTED_HOLDS, row_key, ended_idx=entry.index, ended_us=ended_us)


def project_answer(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Keep what the plant answered, and the holds that wait for a batch from now on."""
    payload = entry.payload
    writes.upsert(
        DIRECTIVE_OUTCOMES,
        {
            "plant_id": log_id,
            "directive_idx": payload["directive"],
            "entry_idx": entry.index,
            "applied": int(entry.type == "DirectiveApplied"),
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
    end_waiting(writes, log_id, payload)


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
