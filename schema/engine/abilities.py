"""Abilities: answers to "may I do this now?", each with the refusal of the mutation."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from auth.permissions import Permission, require
from infra.database import ReadSession
from infra.messages import Language
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.ledger.logs import fenced_logs
from schema.engine.context import Info
from schema.engine.fields import described, object_type
from schema.engine.refusals import RefusalAnswer, refused

Check = Callable[[], Awaitable[None]]
"""Raises the refusal that the command would raise now."""


@object_type
class Ability:
    """Permission and state together allow an action now, or block it. The mutation checks again."""

    allowed: bool = described("True if nothing forbids it now.")
    blocked_by: RefusalAnswer | None = described("The refusal that the mutation would answer now. Null if allowed.")

    @classmethod
    def of(cls, refusal: Refusal | None, language: Language) -> Self:
        """Return the ability that this refusal blocks, or one that nothing blocks."""
        return cls(allowed=refusal is None, blocked_by=None if refusal is None else refused(refusal, language))


async def ability(
    info: Info, permission: Permission, plant: int, check: Check, *, log_id: int | None = None
) -> Ability:
    """Return whether the viewer may run a command at a plant now.

    The order of the checks is that of a command: the permission, the fence of the ledger that it appends to (the
    plant's own unless `log_id` is given), then `check`. Later checks do not run after a refusal, so that an answer
    reveals nothing to others.
    """
    try:
        require(info.context.actor, permission, plant)
        await _check_fence(info, plant if log_id is None else log_id)
        await check()
    except Refusal as refusal:
        return Ability.of(refusal, info.context.language)
    return Ability.of(None, info.context.language)


async def _check_fence(info: Info, log_id: int) -> None:
    origin = await info.load(Permission.BATCH_READ, _fenced, log_id)
    if origin is not None:
        raise Refusal(PLANT_FENCED, plant=origin.split("/")[-2])


def _fenced(reads: ReadSession, _scope: PlantScope, log_ids: Sequence[int]) -> dict[int, str]:
    """Return the origins of fenced ledgers by log id. The caller has a permission to write there."""
    return fenced_logs(reads, log_ids)


async def nothing_blocks() -> None:
    """Block nothing: the check of an action that only needs the permission."""
