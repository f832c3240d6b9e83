"""Open a plant's ledger: its first entry says which plant this is."""

import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from infra.database import Session
from infra.ids import new_id
from plants.commands.execution import NAME_LENGTH_MAX, check_text
from plants.rules.identification.codes import PLANT_NUMBER_MAX, plant_code
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import Entry, new_envelope
from plants.rules.materials.events import PLANT_OPENED, PlantOpened
from plants.rules.values.actors import SYSTEM
from plants.rules.values.refusals import RULE_RANGE, TEXT_INVALID, Refusal, message
from plants.store.ledger.entries import Head, open_log
from plants.store.projection import applying

RULE_TIME_ZONE: Final = message("RULE_TIME_ZONE", "the name of an IANA time zone such as Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class NewPlant:
    """The plant of a store. The hub gives code and number, unique in the group and for good."""

    number: int
    code: str
    name: str
    time_zone: str
    origin: str


def open_plant(session: Session, order: NewPlant, *, now: datetime) -> Entry:
    """Begin the plant's ledger with PlantOpened; raises Refusal on a wrong code, number or time zone."""
    plant_code(order.code)
    check_text("name", order.name, NAME_LENGTH_MAX)
    if not 1 <= order.number <= PLANT_NUMBER_MAX:
        raise Refusal(CODE_INVALID, code=order.number, thing="plant", rule=RULE_RANGE(least=1, most=PLANT_NUMBER_MAX))
    if order.time_zone not in zoneinfo.available_timezones():
        raise Refusal(TEXT_INVALID, field="time zone", rule=RULE_TIME_ZONE())
    open_log(session, order.number, order.origin)
    head = Head(session, order.number)
    if head.size:
        raise Refusal(CODE_TAKEN, code=order.code, thing="plant")
    payload: PlantOpened = {
        "number": order.number,
        "code": order.code,
        "name": order.name,
        "time_zone": order.time_zone,
        "origin": order.origin,
    }
    envelope = new_envelope(
        PLANT_OPENED, payload, entry_id=new_id(), log_id=order.number, at=now, actor=SYSTEM.person, key=order.code
    )
    entry = head.append(envelope, now)
    applying.apply(session, order.number, (entry,))
    return entry
