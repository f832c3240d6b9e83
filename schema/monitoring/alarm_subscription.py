"""The subscription to alarms."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Final

from auth.permissions import Permission
from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.monitoring.overview import AlarmSeen, AlarmsFilter, alarms_page
from schema.engine.context import Info
from schema.engine.fields import argument, described, object_type
from schema.engine.operations import subscription
from schema.engine.streams import StateAfter, States, follow_states
from schema.monitoring.alarms import Alarm, AlarmFilter

ALARMS_MAX: Final = 200


@object_type
class AlarmEvent:
    """An alarm was raised, counted again or ended."""

    cursor: str = described("Signed cursor of this event, for `after`.")
    alarm: Alarm = described("Alarm. It has an end if it is over.")


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
    states = _states(replace((filter or AlarmFilter()).criteria, own=info.services.plant))
    async with aclosing(follow_states(info, "alarms", after, states, unsent=_has_ended)) as events:
        async for cursor, seen in events:
            yield AlarmEvent(cursor=cursor, alarm=Alarm.of(seen, info.context.language))


def _states(wanted: AlarmsFilter) -> States[AlarmSeen]:
    def states(reads: ReadSession, scope: PlantScope) -> Mapping[str, tuple[object, AlarmSeen]]:
        found = alarms_page(reads, scope, wanted, None, ALARMS_MAX)
        return {f"{one.kind}:{one.about}": (one, one) for one in found}

    return states


def _has_ended(seen: AlarmSeen) -> bool:
    return seen.over_at is not None
