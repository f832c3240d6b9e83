"""Replication status of plants."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Self

import strawberry

from auth.permissions import Permission
from infra.database import ReadSession
from infra.messages import Language, StoredMessage
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import PlantSeen, plants_in
from plants.store.replication import status as status_rows
from plants.store.replication.status import PlantReplication, ReplicationState
from schema.engine.commits import polls
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, object_type
from schema.engine.operations import subscription
from schema.engine.scalars import PlantCode, Sha256
from schema.group import plants

if TYPE_CHECKING:
    from schema.group.plants import Plant

enum_type(ReplicationState)


ALARMS_MAX: Final = 20


@object_type
class ReplicationAlarm:
    """A condition of replication that needs an operator."""

    code: str | None = described("Code of the message. Null for one of an older program.")
    message: str = described("Description and remedy, in the caller's language.")

    @classmethod
    def of(cls, said: StoredMessage, language: Language) -> Self:
        return cls(code=said.code, message=said.word(language))


@object_type
class Replication:
    """Replication status of a plant's ledger and directives, as this node knows it."""

    state: ReplicationState = described("State of replication.")
    size: int = described("Number of entries of the plant's ledger at this node.")
    root: Sha256 = described("Root hash of the Merkle tree over those entries.")
    projected: int = described("Number of those entries that are applied to the tables.")
    acknowledged: int = described("Number of entries that the hub holds and has cosigned.")
    checkpoint_size: int | None = described("Size in the newest signed checkpoint.")
    checkpoint_at: datetime | None = described("Time at which the plant signed its newest checkpoint.")
    lag_seconds: int | None = described(
        "Age of the newest checkpoint in seconds. Later entries of the plant may be missing here. "
        "Null without a checkpoint."
    )
    contact_at: datetime | None = described("Time of the last contact between the two sides.")
    directives: int = described("Number of directives that the hub has for the plant.")
    directives_acknowledged: int = described("Number of those directives that the plant has received.")
    faults: int = described("Number of entries that could not be applied.")
    alarms: list[ReplicationAlarm] = described(f"Conditions that need an operator. There are at most {ALARMS_MAX}.")
    waiting: int = described("Number of entries that the hub has not cosigned yet.")
    error: str | None = described("Error of the last exchange. Null if it succeeded.")
    attempts: int = described("Number of failed exchanges since the last success.")
    next_attempt_at: datetime | None = described("Time of the next automatic exchange. Null if the last one succeeded.")
    fenced: bool = described("True if the plant has stopped writing, because another copy of it is the active one.")
    conflicting: int = described("Number of conflicting entries after repairs that need an operator.")
    archived: int | None = described("Number of archived entries, as far as this node knows. Null if unknown.")
    entries_per_second: float | None = described(
        "Entries per second that were moved recently. Null if none remain or none moved."
    )
    seconds_left: int | None = described(
        "Seconds until the remaining entries are moved at that rate. Null without a rate."
    )

    @classmethod
    def of(cls, seen: PlantReplication, language: Language) -> Self:
        alarms = [ReplicationAlarm.of(one, language) for one in seen.alarms[:ALARMS_MAX]]
        return cls(
            state=seen.state,
            size=seen.size,
            root=Sha256(seen.root.hex()),
            projected=seen.projected,
            acknowledged=seen.acknowledged,
            checkpoint_size=seen.checkpoint_size,
            checkpoint_at=seen.checkpoint_at,
            lag_seconds=seen.lag_seconds,
            contact_at=seen.contact_at,
            directives=seen.directives,
            directives_acknowledged=seen.directives_acknowledged,
            faults=seen.faults,
            alarms=alarms,
            waiting=seen.waiting,
            error=seen.error,
            attempts=seen.attempts,
            next_attempt_at=seen.next_attempt_at,
            fenced=seen.fenced,
            conflicting=seen.disputed,
            archived=seen.archived,
            entries_per_second=seen.entries_per_second,
            seconds_left=seen.seconds_left,
        )


@object_type
class ReplicationStatus:
    """Replication status of one plant."""

    plant: Annotated["Plant", strawberry.lazy("schema.group.plants")] = described("Plant.")
    replication: Replication = described("Replication status.")

    @classmethod
    def of(cls, plant: PlantSeen, seen: PlantReplication, language: Language) -> Self:
        return cls(plant=plants.Plant.of(plant), replication=Replication.of(seen, language))


@subscription(
    "Streams the replication status: first of every plant, then each change. A growing age is not a change.",
    permission=Permission.REPLICATION_READ,
)
async def replication_status(
    info: Info, plant: Annotated[PlantCode | None, argument("Plant of the definition.")] = None
) -> AsyncIterator[ReplicationStatus]:
    shown: dict[int, PlantReplication] = {}
    async with aclosing(polls(info.services.commits)) as polling:
        async for _ in polling:
            now = info.services.clock.now()
            for one, seen in await info.read(_standing, plant, now):
                lasting = replace(seen, lag_seconds=None, contact_at=None, skew_ms=None)
                if shown.get(one.number) != lasting:
                    shown[one.number] = lasting
                    yield ReplicationStatus.of(one, seen, info.context.language)


def _standing(
    reads: ReadSession, scope: PlantScope, plant: str | None, now: datetime
) -> list[tuple[PlantSeen, PlantReplication]]:
    """Return the plants of the scope, or the one with this code, with their replication status."""
    standing = {one.plant_id: one for one in status_rows.replication_status(reads, scope, now=now)}
    seen = [one for one in plants_in(reads, scope) if plant in (None, one.code)]
    return [(one, standing[one.number]) for one in seen if one.number in standing]
