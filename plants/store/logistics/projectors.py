"""Projectors of transfers."""

from typing import Final

from plants.rules.ledger.events import Entry
from plants.rules.logistics.events import TRANSFER_DISPATCHED, TRANSFER_RECEIVED
from plants.rules.values.quantities import parse_micro
from plants.store.logistics.transfers import TransferLineRow
from plants.store.sql.rows import Projectors, RowWrites, TableSpec

TRANSFER_LINES = TableSpec.of(TransferLineRow)


def project_dispatch(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the lines as dispatched."""
    for number, line in enumerate(entry.payload["lines"]):
        _state_line(writes, log_id, entry, number, batch_id=line["batch"]["id"], unit=line["batch"]["unit"])


def project_receipt(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the lines as received."""
    for number, line in enumerate(entry.payload["lines"]):
        received = parse_micro(line["received"])
        _state_line(writes, log_id, entry, number, batch_id=line["batch"], unit=line["unit"], received=received)


def _state_line(
    writes: RowWrites, log_id: int, entry: Entry, number: int, *, batch_id: int, unit: str, received: int | None = None
) -> None:
    writes.upsert(
        TRANSFER_LINES,
        {
            "transfer_id": entry.payload["transfer"],
            "plant_id": log_id,
            "line": number,
            "batch_id": batch_id,
            "unit": unit,
            "dispatched": parse_micro(entry.payload["lines"][number]["dispatched"]),
            "received": received,
        },
    )


PROJECTORS: Final[Projectors] = {TRANSFER_DISPATCHED: project_dispatch, TRANSFER_RECEIVED: project_receipt}
