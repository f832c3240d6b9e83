"""Plants: their names and codes."""

from typing import TYPE_CHECKING, Annotated, Final, Self

import strawberry

from auth.permissions import NotPermitted, Permission, may
from plants.rules.identification.codes import HUB
from plants.store.materials.plants import PlantSeen, plants_by_code, plants_by_number, plants_in
from schema.engine.context import Info
from schema.engine.cost_directives import FOR_EACH_ASSUMED
from schema.engine.fields import argument, described, field, object_type
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import query
from schema.engine.scalars import PlantCode
from schema.replication import status

if TYPE_CHECKING:
    from schema.replication.status import Replication


@object_type
class Plant(Node):
    """A plant of the group."""

    code: PlantCode = described("Plant code, unique in the group. It never changes.")
    name: str = described("Name of the plant, in any language.")
    time_zone: str = described("IANA name of the time zone of its calendar days.")
    number: strawberry.Private[int]

    @field("Replication status. Null without the right to read it.")
    async def replication(
        self, info: Info
    ) -> Annotated["Replication", strawberry.lazy("schema.replication.status")] | None:
        seen = await info.load(Permission.REPLICATION_READ, info.replication, self.number)
        return None if seen is None else status.Replication.of(seen, info.context.language)

    @classmethod
    def of(cls, seen: PlantSeen) -> Self:
        return cls(
            id=node_id("plant", seen.number),
            code=PlantCode(seen.code),
            name=seen.name,
            time_zone=seen.time_zone,
            number=seen.number,
        )


async def plant_numbered(info: Info, number: int) -> Plant | None:
    """Return a plant whose batches or replication the caller may see."""
    seen = await info.load(Permission.BATCH_READ, plants_by_number, number)
    if seen is None:
        seen = await info.load(Permission.REPLICATION_READ, plants_by_number, number)
    return None if seen is None else Plant.of(seen)


async def plant_coded(info: Info, code: str) -> Plant | None:
    """Return a plant whose batches or replication the caller may see, by its code."""
    seen = await info.load(Permission.BATCH_READ, plants_by_code, code)
    if seen is None:
        seen = await info.load(Permission.REPLICATION_READ, plants_by_code, code)
    return None if seen is None else Plant.of(seen)


async def owner(info: Info, number: int) -> Plant:
    """Return the plant of a row in the caller's scope."""
    seen = await info.load(Permission.BATCH_READ, plants_by_number, number)
    assert seen is not None
    return Plant.of(seen)


@findable("plant", int)
async def _find(info: Info, numbers: tuple[int, ...]) -> Plant | None:
    return await plant_numbered(info, numbers[0])


PLANTS_MAX: Final = 1_000
"""The limit of plants of a group that lists show."""


async def plants_seen(info: Info) -> list[Plant]:
    """Return the plants whose batches or replication the caller may see, by number."""
    seen = await info.look_up(Permission.BATCH_READ, plants_in)
    watched = await info.look_up(Permission.REPLICATION_READ, plants_in)
    return [Plant.of(one) for one in sorted({*seen, *watched}, key=lambda one: one.number)]


async def plants_listed(info: Info) -> list[Plant]:
    """Return the first PLANTS_MAX of `plants_seen`, and count them as rows of the answer."""
    found = (await plants_seen(info))[:PLANTS_MAX]
    info.context.spend(len(found))
    return found


@query(
    f"Lists the plants that you may see, always in the same order. There are at most {PLANTS_MAX}.",
    permission=(Permission.BATCH_READ, Permission.REPLICATION_READ),
    size=FOR_EACH_ASSUMED,
)
async def plants(info: Info) -> list[Plant]:
    found = await plants_listed(info)
    # A hub without plants has none to show to those who may see all.
    if not found and not any(may(info.context.actor, one, HUB) for one in info.access.permissions):
        raise NotPermitted(info.context.actor, Permission.BATCH_READ, HUB)
    return found


@query(
    "Returns the plant with this code. Null if there is none that you may see.",
    permission=(Permission.BATCH_READ, Permission.REPLICATION_READ),
)
async def plant(info: Info, code: Annotated[PlantCode, argument("Plant code.")]) -> Plant | None:
    return await plant_coded(info, code)
