"""Plants in the contract: what they are called, and how far their ledgers have travelled."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.values.instants import from_micros
from plants.store.materials.plants import PlantSeen, plants_by_number, plants_in
from plants.store.replication.status import PlantReplication, ReplicationState
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.engine.nodes import Node, findable, node_id
from schema.engine.scalars import PlantCode

ReplicationStateEnum = strawberry.enum(
    ReplicationState,
    name="ReplicationState",
    description="How a plant's ledger stands with the other side; from HUB_REGRESSED on a person has to look first.",
)


@strawberry.type(description="How far a plant's ledger and its directives have travelled, as this node knows it.")
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


@strawberry.type(description="A plant of the group.")
class Plant(Node):
    """A plant of the group."""

    code: PlantCode = described("Its code, unique in the group and for good.")
    name: str = described("Its name.")
    time_zone: str = described("The IANA name of its time zone, which its calendar days go by.")
    number: strawberry.Private[int]

    @field("How far its ledger has travelled; null without the right to see replication.")
    async def replication(self, info: Info) -> Replication | None:
        seen = await info.context.load(Permission.REPLICATION_READ, info.context.replication, self.number)
        return None if seen is None else Replication.of(seen)

    @classmethod
    def of(cls, seen: PlantSeen) -> Self:
        """Return a plant as the contract answers it."""
        return cls(
            id=node_id("plant", seen.number),
            code=PlantCode(seen.code),
            name=seen.name,
            time_zone=seen.time_zone,
            number=seen.number,
        )


def instant(us: int | None) -> datetime | None:
    """Return microseconds since the epoch as an instant."""
    return None if us is None else from_micros(us)


async def plant_numbered(info: Info, number: int) -> Plant | None:
    """Return a plant whose batches or whose replication the caller may see."""
    seen = await info.context.load(Permission.BATCH_READ, plants_by_number, number)
    if seen is None:
        seen = await info.context.load(Permission.REPLICATION_READ, plants_by_number, number)
    return None if seen is None else Plant.of(seen)


async def owner(info: Info, number: int) -> Plant:
    """Return the plant that stated a row in the caller's scope."""
    seen = await info.context.load(Permission.BATCH_READ, plants_by_number, number)
    assert seen is not None
    return Plant.of(seen)


@findable("plant")
async def _find(info: Info, numbers: tuple[int, ...]) -> Plant | None:
    return await plant_numbered(info, numbers[0])


async def plants_seen(info: Info) -> list[Plant]:
    """Return the plants whose batches or whose replication the caller may see, by number."""
    seen = await info.context.read(Permission.BATCH_READ, plants_in)
    watched = await info.context.read(Permission.REPLICATION_READ, plants_in)
    return [Plant.of(one) for one in sorted({*seen, *watched}, key=lambda one: one.number)]


@field("The plants that you may see, by number.")
async def plants(info: Info) -> list[Plant]:
    return await plants_seen(info)


@field("The plant with this code, or null when there is none that you may see.")
async def plant(info: Info, code: Annotated[PlantCode, argument("The plant's code.")]) -> Plant | None:
    return next((one for one in await plants_seen(info) if one.code == code), None)
