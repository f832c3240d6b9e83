"""Subscriptions in the contract: entries as they are recorded, and how replication stands."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from auth.permissions import NotPermitted, Permission
from infra.database import ReadSession
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import LedgerKind
from plants.rules.values.scope import PlantScope
from plants.store.audit.history import entries_from, log_named
from plants.store.ledger.entries import LedgerEntry as EntryRow
from plants.store.materials.plants import PlantSeen, plants_in
from plants.store.replication import status
from plants.store.replication.status import PlantReplication
from schema.audit.history import LedgerEntry, LedgerOf, PlantOf
from schema.engine.context import Commits, Info
from schema.engine.fields import argument, described, subscription
from schema.engine.scalars import PlantCode
from schema.group.plants import Plant, Replication

PERIOD_SECONDS: Final = 1.0
"""How long after a commit of another process it is seen at the latest; one of this process is seen at once."""

ENTRIES_AT_ONCE: Final = 100


@strawberry.type(description="How the replication of one plant stands.")
class ReplicationStatus:
    """How the replication of one plant stands."""

    plant: Plant = described("The plant.")
    replication: Replication = described("How far its ledger has travelled.")

    @classmethod
    def of(cls, plant: PlantSeen, seen: PlantReplication) -> Self:
        """Return the status as the contract answers it."""
        return cls(plant=Plant.of(plant), replication=Replication.of(seen))


async def _looks(commits: Commits) -> AsyncGenerator[None]:
    """Yield when it is time to look: now, after each commit, and after PERIOD_SECONDS in any case.

    The wait for the next commit begins before the look, so that none falls in between.
    """
    while True:
        coming = asyncio.create_task(commits.next(PERIOD_SECONDS))
        try:
            await asyncio.sleep(0)
            yield
            await coming
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming


@subscription("The entries of a ledger from an index on: those that are there, then each as it is recorded or arrives.")
async def ledger_entries(
    info: Info,
    plant: PlantOf = None,
    from_index: Annotated[int, argument("The index of the first one wanted.")] = 0,
    ledger: LedgerOf = LedgerKind.PLANT,
) -> AsyncIterator[LedgerEntry]:
    own, following = info.context.serving.plant, max(0, from_index)
    log_id = await info.context.read(Permission.LEDGER_READ, log_named, plant, ledger, own)
    async with aclosing(_looks(info.context.serving.commits)) as looks:
        async for _ in looks:
            while found := await _entries(info, log_id, following):
                following += len(found)
                for row in found:
                    yield LedgerEntry.of(row)


async def _entries(info: Info, log_id: int | None, index: int) -> Sequence[EntryRow]:
    """Return the next entries of a ledger; raises NotPermitted when the caller may not, or no longer, see it."""
    context = info.context
    if log_id is not None:
        found = await context.read(Permission.LEDGER_READ, entries_from, log_id, index, ENTRIES_AT_ONCE)
        if found is not None:
            return found
    raise NotPermitted(context.actor, Permission.LEDGER_READ, log_id or HUB)


@subscription("How replication stands: of each plant at once, then of each that changes; growing older is no change.")
async def replication_status(
    info: Info, plant: Annotated[PlantCode | None, argument("Of this plant alone.")] = None
) -> AsyncIterator[ReplicationStatus]:
    shown: dict[int, PlantReplication] = {}
    async with aclosing(_looks(info.context.serving.commits)) as looks:
        async for _ in looks:
            now = info.context.serving.clock.now()
            for one, seen in await info.context.read(Permission.REPLICATION_READ, _standing, plant, now):
                lasting = replace(seen, lag_seconds=None, contact_us=None, skew_ms=None)
                if shown.get(one.number) != lasting:
                    shown[one.number] = lasting
                    yield ReplicationStatus.of(one, seen)


def _standing(
    reads: ReadSession, scope: PlantScope, plant: str | None, now: datetime
) -> list[tuple[PlantSeen, PlantReplication]]:
    """Return the plants of the scope, or the one with this code, each with how its replication stands."""
    standing = {one.plant_id: one for one in status.replication_status(reads, scope, now=now)}
    seen = [one for one in plants_in(reads, scope) if plant in (None, one.code)]
    return [(one, standing[one.number]) for one in seen if one.number in standing]
