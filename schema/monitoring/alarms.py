"""Alarms of this node."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from auth.permissions import Permission
from infra.messages import Language, translate
from plants.rules.ledger.events import Subject
from plants.store.monitoring import alarms as kinds
from plants.store.monitoring.overview import (
    NEWEST_FIRST,
    AlarmOrderField,
    AlarmSeen,
    AlarmsFilter,
    alarm_key,
    alarms_count,
    alarms_page,
)
from plants.store.sql.filters import CodeCriterion
from plants.store.sql.orders import Order
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import FINDERS, Node, findable
from schema.engine.operations import query
from schema.engine.orders import Ordering
from schema.engine.scalars import AlarmKind
from schema.group.plants import Plant, plant_numbered

enum_type(AlarmOrderField)
SUBJECTS: Final[Mapping[str, Subject]] = {kinds.AlarmKind.TRANSFER_UNMATCHED.value: Subject.TRANSFER}
"""The things that alarms are about by their number, by the kind of alarm."""
SUBJECT_NUMBER: Final = re.compile(r"[1-9]\d{0,15}", re.ASCII)


@object_type
class Alarm(Node):
    """An alarm: a condition that an operator must know of or act on."""

    kind: AlarmKind = described("Kind of alarm, such as ARCHIVE_FAILING.")
    about: str = described(
        "Subject within the kind, such as a ledger origin, an entry or a transfer. A word is in the caller's language."
    )
    message: str = described("Description and remedy, in the caller's language.")
    active: bool = described("True until the condition ends.")
    first_at: datetime = described("Time of the first occurrence.")
    last_at: datetime = described("Time of the last occurrence.")
    times: int = described("Number of occurrences since the start.")
    ended_at: datetime | None = described("Time of the end. Null while the alarm is active.")
    number: strawberry.Private[int | None]
    subject_text: strawberry.Private[str]

    @field("The thing that it is about, such as a transfer. Null if it is about none, or if you may not see it.")
    async def subject(self, info: Info) -> Node | None:
        kind = SUBJECTS.get(self.kind)
        parts = None if kind is None or not SUBJECT_NUMBER.fullmatch(self.subject_text) else (int(self.subject_text),)
        found: Node | None = None if kind is None or parts is None else await FINDERS[kind.value][1](info, parts)
        return found

    @field("Plant of the ledger that it is about. Null if it is about none.")
    async def plant(self, info: Info) -> Plant | None:
        return None if self.number is None else await plant_numbered(info, self.number)

    @classmethod
    def of(cls, seen: AlarmSeen, language: Language) -> Self:
        return cls(
            id=node_id("alarm", str(seen.kind), seen.about),
            kind=AlarmKind(seen.kind),
            about=translate(seen.about, language, context="about"),
            message=seen.said.word(language),
            active=seen.over_at is None,
            first_at=seen.first_at,
            last_at=seen.last_at,
            times=seen.times,
            ended_at=seen.over_at,
            number=seen.plant,
            subject_text=seen.about,
        )


@findable("alarm", str, str)
async def _find(info: Info, parts: tuple[str, str]) -> Alarm | None:
    kind, about = (CodeCriterion(eq=part) for part in parts)
    filters = AlarmsFilter(own=info.services.plant, kind=kind, about=about)
    found = await info.look_up(Permission.REPLICATION_READ, alarms_page, filters, None, 1)
    return next((Alarm.of(one, info.context.language) for one in found), None)


@input_type
class AlarmFilter:
    """Filters alarms. A field that is not given does not filter."""

    active: bool | None = described("True for active alarms, false for ended ones. Without it, both.", default=None)
    kind: CodeFilter | None = described("Kind of alarm, such as ARCHIVE_FAILING.", default=None)
    plant_code: CodeFilter | None = described("Code of the plant of the ledger that it is about.", default=None)
    first_at: DateTimeRange | None = described("Time of the first occurrence.", default=None)
    last_at: DateTimeRange | None = described("Time of the last occurrence.", default=None)

    @property
    def criteria(self) -> AlarmsFilter:
        return AlarmsFilter(
            active=self.active,
            kind=criterion(self.kind),
            plant=criterion(self.plant_code),
            first_at=criterion(self.first_at),
            last_at=criterion(self.last_at),
        )


@input_type
class AlarmOrder(Ordering):
    """Order of alarms."""

    field: AlarmOrderField = described("Field to order by.")


@query(
    "Lists the alarms of this node about plants whose replication you may see.",
    permission=Permission.REPLICATION_READ,
)
async def alarms(
    info: Info,
    *,
    filter: Annotated[AlarmFilter | None, argument("Filter. Without it, all, ended ones too.")] = None,
    order_by: Annotated[AlarmOrder | None, argument("Order. Without it, the newest first.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Alarm]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    filters = replace((filter or AlarmFilter()).criteria, own=info.services.plant, order=order)
    return await info.connection(
        alarms_page, alarms_count, filters, (first, after),
        key=alarm_key, make=lambda one: Alarm.of(one, info.context.language),
    )  # fmt: skip
