"""Alarms in the contract: what is amiss at this node, for those who run it."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.rules.values.instants import from_micros
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.group.plants import instant

ALARMS_MAX = 200


@strawberry.type(name="Alarm", description="Something amiss that a person has to know of or do something about.")
class NodeAlarm:
    """Something amiss that a person has to know of or do something about."""

    kind: str = described("What kind of thing is amiss; a kind is never renamed, and new ones come.")
    about: str = described("What it is about, within its kind: a ledger's origin, an entry, a transfer.")
    text: str = described("What is amiss and what to do, in English and Chinese.")
    first_at: datetime = described("When it began.")
    last_at: datetime = described("When it was last seen.")
    times: int = described("How often it was seen since it began.")
    over_at: datetime | None = described("When it ended; null while it lasts.")

    @classmethod
    def of(cls, seen: AlarmSeen) -> Self:
        """Return an alarm as the contract answers it."""
        return cls(
            kind=seen.kind,
            about=seen.about,
            text=seen.text,
            first_at=from_micros(seen.first_us),
            last_at=from_micros(seen.last_us),
            times=seen.times,
            over_at=instant(seen.over_us),
        )


@field("What is amiss at this node, as far as it is about plants whose replication you may see; the newest first.")
async def alarms(
    info: Info,
    *,
    over: Annotated[bool, argument("Also those that have ended.")] = False,
    first: Annotated[int, argument(f"How many at most, up to {ALARMS_MAX}.")] = 100,
) -> list[NodeAlarm]:
    wanted, own = max(0, min(first, ALARMS_MAX)), info.context.serving.plant
    seen = await info.context.read(Permission.REPLICATION_READ, alarms_seen, own=own, over=over, first=wanted)
    info.context.spend(len(seen))
    return [NodeAlarm.of(one) for one in seen]
