"""Projectors of corrections."""

from typing import Final

from plants.rules.audit.events import ENTRY_CORRECTED
from plants.rules.ledger.events import Entry
from plants.store.genealogy.edges import EDGES
from plants.store.ledger.corrected_entries import CorrectionRow
from plants.store.logistics.projectors import TRANSFER_LINES
from plants.store.sql.rows import Projectors, RowWrites, TableSpec

CORRECTIONS = TableSpec.of(CorrectionRow)


def project_correction(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the correction; delete the edges and transfer lines that it retracts."""
    payload = entry.payload
    for entry_idx, line in payload["retracted"]:
        writes.drop(EDGES, (log_id, entry_idx, line))
    for transfer_id, line in payload.get("unreceived", ()):
        writes.drop(TRANSFER_LINES, (transfer_id, log_id, line))
    writes.upsert(
        CORRECTIONS,
        {
            "plant_id": log_id,
            "entry_idx": payload["entry"],
            "corrected_by": entry.index,
            "wrong": payload["wrong"],
            "reason": entry.envelope.get("reason", ""),
        },
    )


PROJECTORS: Final[Projectors] = {ENTRY_CORRECTED: project_correction}
