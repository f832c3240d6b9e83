"""Refusals that ledgers hold: of directives, and of changes that were approved."""

from auth.permissions import Permission
from plants.store.audit.history import refusal_data_at
from plants.store.directives.outcomes import DirectiveOutcomeRow
from schema.engine.context import Info
from schema.engine.refusals import RefusalAnswer, kept_refusal


async def kept_refusal_at(info: Info, code: str | None, plant: int, index: int | None) -> RefusalAnswer | None:
    """Return the refusal with this code that an entry of a plant holds, or None without a code."""
    if code is None or index is None:
        return None
    data = await info.load(Permission.BATCH_READ, refusal_data_at, (plant, index))
    return kept_refusal(code, data or {}, info.context.language)


async def kept_refusal_of(info: Info, outcome: DirectiveOutcomeRow | None) -> RefusalAnswer | None:
    """Return the refusal in a plant's answer to a directive, or None where the plant applied it or has not answered."""
    return (
        None if outcome is None else await kept_refusal_at(info, outcome.refusal, outcome.plant_id, outcome.entry_idx)
    )
