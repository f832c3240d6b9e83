"""Corrections in the contract: taking back one entry by recording its opposite."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.audit import corrections
from plants.rules.audit.corrections import Wrong
from plants.rules.audit.refusals import CORRECTION_IMPOSSIBLE, ENTRY_ALREADY_CORRECTED, ENTRY_BUILT_ON
from plants.rules.inventory.refusals import ALIAS_TAKEN, STOCK_SHORT
from plants.rules.ledger.refusals import ENTRY_PRUNED, ENTRY_UNKNOWN
from plants.rules.production.refusals import PROCESS_CLOSED
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input, MutationInput
from schema.engine.refusals import mutation

WrongEnum = strawberry.enum(
    Wrong, name="Wrong", description="Why an entry is corrected (EPCIS error declaration, Core Business Vocabulary)."
)


@strawberry.input(description="Which entry of the plant's ledger is wrong, and in what way.")
class CorrectEntryInput(MutationInput):
    """Which entry of the plant's ledger is wrong, and in what way."""

    entry: int = described("Its index.")
    wrong: Wrong = described("In what way it is wrong.")
    reason: str = described("Why, in your own words.")


@strawberry.type(description="An entry was corrected: what it did was reversed, and both stay readable.")
class EntryCorrected:
    """An entry was corrected."""

    entry: RecordedEntry = described(ENTRY)
    corrected: LedgerEntry = described("The entry that was wrong.")


@mutation(
    EntryCorrected,
    ALIAS_TAKEN,
    CORRECTION_IMPOSSIBLE,
    ENTRY_ALREADY_CORRECTED,
    ENTRY_BUILT_ON,
    ENTRY_PRUNED,
    ENTRY_UNKNOWN,
    PROCESS_CLOSED,
    STOCK_SHORT,
    description="Correct a wrong entry: a new one reverses what it did. Correct from the last entry to the first.",
)
async def correct_entry(info: Info, input: Input[CorrectEntryInput]) -> Any:
    order = corrections.Correction(input.entry, input.wrong, input.reason)
    entry = await info.context.write(Permission.ENTRY_CORRECT, corrections.correct_entry, order, input)
    wrong = await entry_of(info, (info.context.serving.plant, input.entry))
    return EntryCorrected(entry=RecordedEntry.of(entry), corrected=sure(wrong))
