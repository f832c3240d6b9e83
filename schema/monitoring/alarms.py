"""Alarms of this node."""

from datetime import datetime
from typing import Annotated, Self

from auth.permissions import Permission
from infra.messages import Language, translate
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from schema.engine.context import Info
from schema.engine.fields import argument, described, object_type
from schema.engine.operations import query
from schema.engine.scalars import AlarmKind

ALARMS_MAX = 200


@object_type
class Alarm:
    """An alarm: a condition that an operator must know of or act on."""

    kind: AlarmKind = described("Kind of alarm.")
    about: str = described(
        "Subject within the kind, such as a ledger origin, an entry or a transfer. A word is in the caller's language."
    )
    text: str = described("Description and remedy, in the caller's language.")
    first_at: datetime = described("Start.")
    last_at: datetime = described("Time of the last occurrence.")
    times: int = described("Number of occurrences since the start.")
    over_at: datetime | None = described("End. Null while the alarm is active.")

    @classmethod
    def of(cls, seen: AlarmSeen, language: Language) -> Self:
        return cls(
            kind=AlarmKind(seen.kind),
            about=translate(seen.about, language, context="about"),
            text=seen.said.word(language),
            first_at=seen.first_at,
            last_at=seen.last_at,
            times=seen.times,
            over_at=seen.over_at,
        )


@query(
    "Lists the alarms of this node about plants whose replication you may see, newest first.",
    permission=Permission.REPLICATION_READ,
)
async def alarms(
    info: Info,
    *,
    over: Annotated[bool, argument("True to include ended alarms.")] = False,
    first: Annotated[int, argument(f"Largest number of alarms. The limit is {ALARMS_MAX}.")] = 100,
) -> list[Alarm]:
    wanted, own = max(0, min(first, ALARMS_MAX)), info.services.plant
    seen = await info.read(alarms_seen, own=own, over=over, first=wanted)
    info.context.spend(len(seen))
    return [Alarm.of(one, info.context.language) for one in seen]
