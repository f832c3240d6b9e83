"""Taking a plant into the group at the hub: its keys, its number and code, and its two ledgers, in one transaction."""

from datetime import datetime

from auth.actors import Actor
from auth.machines import enrol_machine
from infra.database import Session
from plants.commands.enrol_plant import Enrolment, enrol_plant
from plants.rules.events import Entry


def enrol(session: Session, order: Enrolment, *, actor: Actor, now: datetime) -> Entry:
    """Enrol a plant's node and open its ledgers; returns PlantEnrolled.

    Raises NotPermitted, or Refusal for keys, a number, a code or an origin that cannot be right or were ever given.
    """
    enrol_machine(
        session,
        actor=actor,
        plant_number=order.number,
        code=order.code,
        origin=order.origin,
        assertion_key=order.assertion_key,
        ledger_vkey=order.ledger_key,
        at=now,
    )
    return enrol_plant(session, order, actor=actor.author, now=now)
