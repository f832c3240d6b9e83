"""The hub writes into its own ledger how far it has cosigned the plants' ledgers."""

from datetime import datetime
from typing import Final

from infra.database import Session
from plants.commands.execution import CommandContext, LedgerWriter
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import Entry
from plants.rules.ledger.notes import Checkpoint, Note
from plants.rules.replication.events import CHECKPOINTS_WITNESSED, CheckpointsWitnessed, WitnessedCheckpoint
from plants.rules.values.actors import SYSTEM
from plants.store.ledger.entries import HUB_LOG
from plants.store.replication.witnesses import unwitnessed

WITNESSED_MAX: Final = 64  # checkpoints in one entry
WITNESSED_BYTES_MAX: Final = 48_000  # of notes in one entry, which quoting makes a little longer


def witness_checkpoints(session: Session, *, now: datetime) -> Entry | None:
    """Append CheckpointsWitnessed with the plants' ledgers that have grown since the last one, as many as fit.

    Returns None, and writes nothing, when none has: so the hub's ledger does not grow while nothing happens. To be
    called until then. Raises LookupError when the hub's own ledger was not opened in this store.
    """
    writer = LedgerWriter(session, SYSTEM, CommandContext(HUB, now), None, HUB_LOG)
    checkpoints: list[WitnessedCheckpoint] = []
    used = 0
    for origin, note in unwitnessed(session, WITNESSED_MAX):
        used += len(note)
        if checkpoints and used > WITNESSED_BYTES_MAX:
            break
        seen = Checkpoint.parse(Note.parse(note).text)
        checkpoints.append({"origin": origin, "size": seen.size, "root": seen.root.hex(), "note": note.decode()})
    if not checkpoints:
        return None
    payload: CheckpointsWitnessed = {"checkpoints": checkpoints}
    return writer.record(CHECKPOINTS_WITNESSED, "checkpoints", payload)
