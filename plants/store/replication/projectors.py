"""Projectors of replication: witnessed checkpoints, skipped and disputed entries."""

from typing import Final

from plants.rules.ledger.events import Entry, canonical
from plants.rules.replication.events import (
    BODIES_PRUNED,
    CHECKPOINTS_WITNESSED,
    DISPUTE_SETTLED,
    ENTRY_DISPUTED,
    ENTRY_RETRIED,
    ENTRY_SKIPPED,
    HUB_REGRESSED,
    LEDGER_KEY_ROTATED,
)
from plants.rules.values.instants import instant_micros
from plants.store.replication.disputes import DisputeRow
from plants.store.replication.parked_entries import SkippedEntryRow
from plants.store.replication.witnesses import WitnessedRow
from plants.store.sql.rows import Projectors, RowWrites, TableSpec, no_rows

DISPUTES = TableSpec.of(DisputeRow)
SKIPPED = TableSpec.of(SkippedEntryRow)
WITNESSED = TableSpec.of(WitnessedRow)


def project_witnessed(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert one row per witnessed ledger."""
    for seen in entry.payload["checkpoints"]:
        values = {"origin": seen["origin"], "size": seen["size"], "root": seen["root"]}
        writes.upsert(WITNESSED, {**values, "plant_id": log_id, "entry_idx": entry.index})


def project_skipped(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the skipped entry."""
    payload = entry.payload
    writes.upsert(
        SKIPPED,
        {
            "plant_id": log_id,
            "of_plant": payload["plant"],
            "idx": payload["index"],
            "entry_idx": entry.index,
            "leaf": payload["leaf"],
            "type": payload["type"],
            "error": payload["error"],
            "reason": entry.envelope.get("reason", ""),
            "skipped_by": entry.envelope["actor"],
            "printed_name": payload["printed_name"],
            "skipped_us": instant_micros(entry.envelope["occurred_at"]),
        },
    )


def project_disputed(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Add the disputed entry to the worklist."""
    payload, envelope = entry.payload, entry.envelope
    settled = payload["settled"]
    values = {
        "plant_id": log_id,
        "entry_idx": entry.index,
        "event_id": envelope["id"],
        "type": payload["entry"]["type"],
        "key": envelope["key"],
        "actor": envelope["actor"],
        "occurred_us": instant_micros(envelope["occurred_at"]),
        "collisions": canonical(payload["collisions"]).decode(),
        "state": "OPEN" if settled is None else "SETTLED",
        "settlement": settled,
    }
    writes.upsert(DISPUTES, dict.fromkeys(DISPUTES.columns) | values)


def project_settled(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Mark the disputed entry as settled."""
    envelope = entry.envelope
    writes.update(
        DISPUTES,
        (log_id, entry.payload["dispute"]),
        state="SETTLED",
        settlement=envelope.get("reason", ""),
        settled_by=envelope["actor"],
        settled_us=instant_micros(envelope["recorded_at"]),
        settled_idx=entry.index,
    )


PROJECTORS: Final[Projectors] = {
    ENTRY_SKIPPED: project_skipped,
    ENTRY_RETRIED: no_rows,
    CHECKPOINTS_WITNESSED: project_witnessed,
    HUB_REGRESSED: no_rows,
    ENTRY_DISPUTED: project_disputed,
    DISPUTE_SETTLED: project_settled,
    BODIES_PRUNED: no_rows,
    LEDGER_KEY_ROTATED: no_rows,
}
