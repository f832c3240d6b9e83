"""Corrections: each reverses one entry by a new one."""

from typing import Final

import strawberry

from auth.permissions import Permission
from plants.commands.audit import corrections
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.audit.refusals import CORRECTION_IMPOSSIBLE, ENTRY_ALREADY_CORRECTED, ENTRY_BUILT_ON
from plants.rules.inventory.refusals import ALIAS_TAKEN, STOCK_SHORT
from plants.rules.ledger.refusals import ENTRY_PRUNED, ENTRY_UNKNOWN
from plants.rules.production.refusals import PROCESS_CLOSED
from plants.rules.values.refusals import Refusal, within
from plants.store.projection.registry import EVENTS
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.nodes import named
from schema.engine.operations import PLANT_ONLY, mutation

CORRECTABLE: Final = ", ".join(sorted(name for name, event in EVENTS.items() if event.correctable))


@input_type
class CorrectEntryInput(MutationInput):
    """The wrong entry of the plant's ledger, and the kind of error."""

    entry_id: strawberry.ID = described("Id of the entry.")
    correction_reason: CorrectionReason = described("Kind of error.")
    reason: str = described("Reason, in your own words.")


@object_type
class EntryCorrected(Recorded):
    """An entry was corrected. Its effects were reversed, and both entries stay readable."""

    corrected: LedgerEntry = described("The wrong entry.")


@mutation(
    "Correct a wrong entry by a new entry that reverses it. Of several wrong entries, correct the newest "
    f"first. Entries of these types can be corrected: {CORRECTABLE}. "
    'Example: `{ entryId: "ZW50cnkvMS80Mg", correctionReason: DID_NOT_OCCUR, reason: "Scanned twice" }`.',
    roles=PLANT_ONLY,
    permission=Permission.ENTRY_CORRECT,
    command=corrections.correct_entry,
    refusals=(
        ALIAS_TAKEN,
        CORRECTION_IMPOSSIBLE,
        ENTRY_ALREADY_CORRECTED,
        ENTRY_BUILT_ON,
        ENTRY_PRUNED,
        ENTRY_UNKNOWN,
        PROCESS_CLOSED,
        STOCK_SHORT,
    ),
)
async def correct_entry(info: Info, input: Input[CorrectEntryInput]) -> EntryCorrected:
    index = _index(info, input.entry_id)
    order = corrections.Correction(index, input.correction_reason, input.reason)
    entry = await info.write(corrections.correct_entry, order, input)
    wrong = await entry_of(info, (info.services.plant, index))
    return EntryCorrected(entry=RecordedEntry.of(entry), corrected=required(wrong))


def _index(info: Info, id: strawberry.ID) -> int:
    """Return the index in the id of an entry of this plant's ledger, or raise ENTRY_UNKNOWN."""
    log_id, index = named("entryId", "entry", id, ENTRY_UNKNOWN)
    if log_id != info.services.plant:
        with within("entryId"):
            raise Refusal(ENTRY_UNKNOWN, entry=index)
    return int(index)
