"""Replication status of a plant: type and subscription."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import PlantSeen, plants_in
from plants.store.replication import status as status_rows
from plants.store.replication.status import PlantReplication, ReplicationState
from schema.engine.commits import polls
from schema.engine.context import Info
from schema.engine.fields import argument, described, object_type
from schema.engine.operations import subscription
from schema.engine.scalars import PlantCode, instant
from schema.group import plants

if TYPE_CHECKING:
    from schema.group.plants import Plant

ReplicationStateEnum = strawberry.enum(
    ReplicationState,
    name="ReplicationState",
    description="How a plant's ledger stands with the other side; from HUB_REGRESSED on a person has to look first.",
)


@object_type
class Replication:
    """How far a plant's ledger and its directives have travelled, as this node knows it."""

    state: ReplicationState = described("How the ledger stands with the other side.")
    size: int = described("How many entries of the plant's ledger this node has.")
    root: str = described("The root hash of the tree over those entries, hexadecimal.")
    projected: int = described("How many of them are in the answers.")
    acknowledged: int = described("How many entries the hub holds and has cosigned.")
    checkpoint_size: int | None = described("The size in the newest signed checkpoint.")
    checkpoint_at: datetime | None = described("When the plant signed its newest checkpoint.")
    lag_seconds: int | None = described(
        "The age of the newest checkpoint in seconds: what the plant wrote since may be missing here; null without one."
    )
    contact_at: datetime | None = described("When the two sides last spoke.")
    directives: int = described("How many directives the hub has for the plant.")
    directives_acknowledged: int = described("How many of them the plant has.")
    faults: int = described("How many entries could not be put into the tables.")
    alarm: str | None = described("What a person has to look at, if anything.")
    waiting: int = described("How many entries the hub has not cosigned yet.")
    error: str | None = described("Why the last exchange failed, if it did.")
    attempts: int = described("How many exchanges failed since the last one that went well.")
    next_attempt_at: datetime | None = described("Before when no other one begins by itself; null while nothing fails.")
    fenced: bool = described("Whether the plant writes no more because another copy of it is the one that counts.")
    disputed: int = described("How many entries could not be applied after a repair and wait for a person.")
    archived: int | None = described("How many entries are in the archive, as far as this node knows.")
    entries_per_second: float | None = described(
        "How many entries a second have lately moved to where they are to be; null when all are, or none moved."
    )
    seconds_left: int | None = described("How many seconds the others will take at that pace.")

    @classmethod
    def of(cls, seen: PlantReplication) -> Self:
        """Return the status as the contract answers it."""
        return cls(
            state=seen.state,
            size=seen.size,
            root=seen.root.hex(),
            projected=seen.projected,
            acknowledged=seen.acknowledged,
            checkpoint_size=seen.checkpoint_size,
            checkpoint_at=instant(seen.checkpoint_us),
            lag_seconds=seen.lag_seconds,
            contact_at=instant(seen.contact_us),
            directives=seen.directives,
            directives_acknowledged=seen.directives_acknowledged,
            faults=seen.faults,
            alarm=seen.alarm,
            waiting=seen.waiting,
            error=seen.error,
            attempts=seen.attempts,
            next_attempt_at=instant(seen.next_attempt_us),
            fenced=seen.fenced,
            disputed=seen.disputed,
            archived=seen.archived,
            entries_per_second=seen.entries_per_second,
            seconds_left=seen.seconds_left,
        )


@object_type
class ReplicationStatus:
    """How the replication of one plant stands."""

    plant: Annotated["Plant", strawberry.lazy("schema.group.plants")] = described("The plant.")
    replication: Replication = described("How far its ledger has travelled.")

    @classmethod
    def of(cls, plant: PlantSeen, seen: PlantReplication) -> Self:
        """Return the status as the contract answers it."""
        return cls(plant=plants.Plant.of(plant), replication=Replication.of(seen))


@subscription(
    "How replication stands: of each plant at once, then of each that changes; growing older is no change.",
    permission=Permission.REPLICATION_READ,
)
async def replication_status(
    info: Info, plant: Annotated[PlantCode | None, argument("Of this plant alone.")] = None
) -> AsyncIterator[ReplicationStatus]:
    shown: dict[int, PlantReplication] = {}
    async with aclosing(polls(info.services.commits)) as wakings:
        async for _ in wakings:
            now = info.services.clock.now()
            for one, seen in await info.read(_standing, plant, now):
                lasting = replace(seen, lag_seconds=None, contact_us=None, skew_ms=None)
                if shown.get(one.number) != lasting:
                    shown[one.number] = lasting
                    yield ReplicationStatus.of(one, seen)


def _standing(
    reads: ReadSession, scope: PlantScope, plant: str | None, now: datetime
) -> list[tuple[PlantSeen, PlantReplication]]:
    """Return the plants of the scope, or the one with this code, each with how its replication stands."""
    standing = {one.plant_id: one for one in status_rows.replication_status(reads, scope, now=now)}
    seen = [one for one in plants_in(reads, scope) if plant in (None, one.code)]
    return [(one, standing[one.number]) for one in seen if one.number in standing]
