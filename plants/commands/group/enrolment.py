"""Open the hub's ledger, enrol plants in the group, and record changes of their keys there.

A number and a code are given once and for good. The valid keys may change; the hub's ledger has the reason.
"""

from dataclasses import dataclass
from datetime import datetime

from infra.database import Session
from infra.ids import new_id
from plants.commands.execution import NAME_LENGTH_MAX, REASON_LENGTH_MAX, check_text
from plants.rules.group.events import (
    ASSERTION_KEY_ROTATED,
    HUB_OPENED,
    PLANT_ENROLLED,
    PLANT_LEDGER_KEY_ROTATED,
    PLANT_READMITTED,
    PLANT_REVOKED,
    AssertionKeyRotated,
    HubOpened,
    PlantEnrolled,
    PlantLedgerKeyRotated,
    PlantReadmitted,
    PlantRevoked,
)
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX, plant_code
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import Entry, Event, P, new_envelope
from plants.rules.replication.events import LEDGER_KEY_ROTATED, LedgerKeyRotated
from plants.rules.values.actors import SYSTEM, Author
from plants.rules.values.refusals import RULE_RANGE, Refusal
from plants.store.ledger.entries import HUB_LOG, Head, entry_at, has_entry, open_log
from plants.store.ledger.logs import is_opened
from plants.store.projection import applying

HUB_KEYS = "hub keys"
"""The key of the entries by which the hub's own keys hand over: so they are found in a long ledger."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A plant to enrol: number, code, name, the origins of its ledger and of its directives, and its public keys."""

    number: int
    code: str
    name: str
    origin: str
    directive_origin: str
    ledger_key: str
    assertion_key: str


def open_hub(session: Session, *, group: str, origin: str, now: datetime) -> Entry:
    """Begin the hub's ledger with HubOpened, or return that entry when it has begun already."""
    open_log(session, HUB_LOG, origin)
    head = Head(session, HUB_LOG)
    if head.size:
        first = entry_at(session, HUB_LOG, 0)
        assert first is not None
        return first
    payload: HubOpened = {"group": group, "origin": origin}
    return _record(session, head, HUB_OPENED, group, payload, actor=SYSTEM, now=now)


def enrol_plant(session: Session, order: Enrolment, *, actor: Author, now: datetime) -> Entry:
    """Give a plant its number and code, and open its two ledgers here: its own, and the one of its directives.

    Raises Refusal on a wrong number, code or name, and on a number or code that was ever given; LookupError when the
    hub's own ledger was not opened. The keys are only recorded; `auth.machines` stores them for checks.
    """
    plant_code(order.code)
    check_text("name", order.name, NAME_LENGTH_MAX)
    if not HUB < order.number <= PLANT_NUMBER_MAX:
        rule = RULE_RANGE(least=HUB + 1, most=PLANT_NUMBER_MAX)
        raise Refusal(CODE_INVALID, code=order.number, thing="plant", rule=rule)
    head = Head(session, HUB_LOG)
    if is_opened(session, order.number):
        raise Refusal(CODE_TAKEN, code=order.number, thing="plant")
    if has_entry(session, HUB_LOG, PLANT_ENROLLED.name, order.code):
        raise Refusal(CODE_TAKEN, code=order.code, thing="plant")
    open_log(session, order.number, order.origin)
    open_log(session, -order.number, order.directive_origin)
    payload: PlantEnrolled = {
        "number": order.number,
        "code": order.code,
        "name": order.name,
        "origin": order.origin,
        "ledger_key": order.ledger_key,
        "assertion_key": order.assertion_key,
    }
    return _record(session, head, PLANT_ENROLLED, order.code, payload, actor=actor, now=now)


def record_assertion_key(session: Session, code: str, payload: AssertionKeyRotated, *, now: datetime) -> Entry:
    """Record in the hub's ledger that a plant signs in with another key. The caller has checked the statement."""
    return _record(session, Head(session, HUB_LOG), ASSERTION_KEY_ROTATED, code, payload, actor=SYSTEM, now=now)


def record_ledger_key(session: Session, code: str, payload: PlantLedgerKeyRotated, *, now: datetime) -> Entry:
    """Record in the hub's ledger the new ledger key of a plant and its first size. The caller checks the statement."""
    return _record(session, Head(session, HUB_LOG), PLANT_LEDGER_KEY_ROTATED, code, payload, actor=SYSTEM, now=now)


def record_revoked(
    session: Session, code: str, payload: PlantRevoked, reason: str, *, actor: Author, now: datetime
) -> Entry:
    """Record in the hub's ledger that a plant's keys are revoked, and why; raises Refusal without a reason."""
    reason = check_text("reason", reason, REASON_LENGTH_MAX)
    head = Head(session, HUB_LOG)
    return _record(session, head, PLANT_REVOKED, code, payload, actor=actor, now=now, reason=reason)


def record_readmitted(session: Session, code: str, payload: PlantReadmitted, *, actor: Author, now: datetime) -> Entry:
    """Record in the hub's ledger with which keys a plant that was revoked goes on."""
    return _record(session, Head(session, HUB_LOG), PLANT_READMITTED, code, payload, actor=actor, now=now)


def record_hub_key(session: Session, payload: LedgerKeyRotated, *, now: datetime) -> Entry:
    """Record in the hub's ledger that another key signs it, and all else that the hub signs, from the next entry on."""
    return _record(session, Head(session, HUB_LOG), LEDGER_KEY_ROTATED, HUB_KEYS, payload, actor=SYSTEM, now=now)


def _record(
    session: Session,
    head: Head,
    event: Event[P],
    key: str,
    payload: P,
    *,
    actor: Author,
    now: datetime,
    reason: str | None = None,
) -> Entry:
    envelope = new_envelope(event, payload, entry_id=new_id(), log_id=HUB_LOG, at=now, actor=actor.person, key=key)
    if reason is not None:
        envelope["reason"] = reason
    entry = head.append(envelope, now)
    applying.apply(session, HUB_LOG, (entry,))
    return entry
