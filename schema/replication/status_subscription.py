"""The subscription to the replication status of plants."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Self

from auth.permissions import Permission
from infra.database import ReadSession
from infra.messages import Language
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import PlantSeen, plants_in
from plants.store.replication import status as status_rows
from plants.store.replication.status import PlantReplication, ReplicationState
from schema.engine.context import Info
from schema.engine.fields import argument, described, input_type, object_type
from schema.engine.filters import CodeFilter, Filter, criterion
from schema.engine.operations import subscription
from schema.engine.streams import StateAfter, follow_states
from schema.group.plants import Plant
from schema.replication.status import Replication

PlantStatus = tuple[PlantSeen, PlantReplication]


@object_type
class ReplicationStatus:
    """Replication status of one plant."""

    plant: Plant = described("Plant that the status is of.")
    replication: Replication = described("Replication status.")

    @classmethod
    def of(cls, status: PlantStatus, language: Language) -> Self:
        plant, seen = status
        return cls(plant=Plant.of(plant), replication=Replication.of(seen, language))


@object_type
class ReplicationEvent:
    """The replication status of a plant has changed."""

    cursor: str = described("Signed cursor of this event, for `after`.")
    status: ReplicationStatus = described("Status of the plant.")


@input_type
class ReplicationStatusFilter:
    """Filters the replication status of plants. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant.", default=None)
    state: Filter[ReplicationState] | None = described("State of replication.", default=None)

    def passes(self, status: PlantStatus) -> bool:
        plant, seen = status
        codes, states = criterion(self.plant_code), criterion(self.state)
        return (codes is None or codes.admits(plant.code)) and (states is None or states.admits(seen.state))


@subscription(
    "Streams the replication status: first of every plant, then each change. A growing age is not a change.",
    permission=Permission.REPLICATION_READ,
)
async def replication_status(
    info: Info,
    filter: Annotated[ReplicationStatusFilter | None, argument("Filter. Without it, all.")] = None,
    after: StateAfter = None,
) -> AsyncIterator[ReplicationEvent]:
    wanted, clock = filter or ReplicationStatusFilter(), info.services.clock

    def states(reads: ReadSession, scope: PlantScope) -> Mapping[str, tuple[object, PlantStatus]]:
        found = {one.plant_id: one for one in status_rows.replication_status(reads, scope, now=clock.now())}
        shown = [(one, found[one.number]) for one in plants_in(reads, scope) if one.number in found]
        return {one[0].code: (_lasting(one[1]), one) for one in shown if wanted.passes(one)}

    async with aclosing(follow_states(info, "replicationStatus", after, states)) as events:
        async for cursor, status in events:
            yield ReplicationEvent(cursor=cursor, status=ReplicationStatus.of(status, info.context.language))


def _lasting(seen: PlantReplication) -> PlantReplication:
    """Return a status without the figures that change by themselves."""
    return replace(seen, lag_seconds=None, contact_at=None, skew_ms=None)
