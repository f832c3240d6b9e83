"""The subscription to alarms."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated

from auth.permissions import Permission
from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from schema.engine.context import Info
from schema.engine.fields import argument, described, input_type, object_type
from schema.engine.filters import CodeFilter, criterion
from schema.engine.operations import subscription
from schema.engine.streams import StateAfter, States, follow_states
from schema.monitoring.alarms import ALARMS_MAX, Alarm


@object_type
class AlarmEvent:
    """An alarm was raised, counted again or ended."""

    cursor: str = described("Signed cursor of this event, for `after`.")
    alarm: Alarm = described("Alarm. It has an end if it is over.")


@input_type
class AlarmFilter:
    """Filters alarms. A field that is not given does not filter."""

    kind: CodeFilter | None = described("Kind of alarm.", default=None)

    def passes(self, seen: AlarmSeen) -> bool:
        kinds = criterion(self.kind)
        return kinds is None or kinds.admits(seen.kind)


@subscription(
    "Streams the alarms of this node about plants whose replication you may see: first each active one, then each that "
    f"is raised, counted again or ended. The newest {ALARMS_MAX} alarms are compared.",
    permission=Permission.REPLICATION_READ,
)
async def alarms(
    info: Info,
    filter: Annotated[AlarmFilter | None, argument("Filter. Without it, all.")] = None,
    after: StateAfter = None,
) -> AsyncIterator[AlarmEvent]:
    states = _states(filter or AlarmFilter(), info.services.plant)
    async with aclosing(follow_states(info, "alarms", after, states, unsent=_has_ended)) as events:
        async for cursor, seen in events:
            yield AlarmEvent(cursor=cursor, alarm=Alarm.of(seen, info.context.language))


def _states(wanted: AlarmFilter, own: int) -> States[AlarmSeen]:
    def states(reads: ReadSession, scope: PlantScope) -> Mapping[str, tuple[object, AlarmSeen]]:
        found = alarms_seen(reads, scope, own=own, over=True, first=ALARMS_MAX)
        return {f"{one.kind}:{one.about}": (one, one) for one in found if wanted.passes(one)}

    return states


def _has_ended(seen: AlarmSeen) -> bool:
    return seen.over_at is not None
