"""The hub enrols plants: by a one-time code and an operator's approval, or by an identity card.

A plant is enrolled in one transaction: its keys, its number and code, and its two ledgers. The plant generates its keys
and sends only the public ones. The hub's answer is a note signed by the hub's key, and the one-time code names that
key.
"""

from datetime import datetime
from typing import Final

from pydantic import ValidationError

from auth import enrolment
from auth.actors import Actor, NotAuthenticated
from auth.enrolment import Invited, WrongCodes
from auth.keys import public_key_from_text
from auth.machines import active_machine, enrol_machine, readmit_machine, revoke_machine
from infra.database import Session
from infra.settings import directive_origin, plant_origin
from plants.commands.group.enrolment import Enrolment, enrol_plant, record_readmitted, record_revoked
from plants.rules.group.events import PlantReadmitted, PlantRevoked
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.notes import Note, NoteKey, SignatureType
from plants.rules.materials.refusals import not_defined
from plants.store.ledger.entries import Head
from sync_jobs.nodes import HubNode
from sync_jobs.protocol.enrolment import HEADING, EnrolmentRequest
from sync_jobs.protocol.wire import Problem

RETRY_SECONDS: Final = 60


def enrol(session: Session, order: Enrolment, *, actor: Actor, now: datetime) -> Entry:
    """Enrol a plant's node and open its ledgers; returns PlantEnrolled.

    Raises NotPermitted, or Refusal for keys, a number, a code or an origin that are invalid or were used before.
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


def approve(session: Session, code: str, shown: str, *, group: str, actor: Actor, now: datetime) -> Entry:
    """Enrol the plant that waits under a code, after an operator has compared the fingerprint of its keys.

    Raises NotPermitted, or Refusal as `auth.enrolment.decide` and `enrol`; then nothing has changed.
    """
    found = enrolment.decide(session, actor=actor, code=code, shown=shown, approved=True, now=now)
    return enrol(session, order_for(found, group), actor=actor, now=now)


def revoke(session: Session, code: str, reason: str, *, actor: Actor, now: datetime) -> Entry:
    """Reject everything that a plant's keys sign from now on; its ledger so far is kept. Returns PlantRevoked.

    Raises NotPermitted, or Refusal: NOT_DEFINED for a plant that is not active, TEXT_INVALID without a reason; then
    nothing has changed.
    """
    machine = active_machine(session, code)
    if machine is None:
        raise not_defined("plant", code)
    size = Head(session, machine.plant_number).size
    revoke_machine(session, actor=actor, origin=machine.origin, at=now)
    payload: PlantRevoked = {"number": machine.plant_number, "origin": machine.origin, "size": size}
    return record_revoked(session, code, payload, reason, actor=actor.author, now=now)


def readmit(session: Session, order: Enrolment, *, actor: Actor, now: datetime) -> Entry:
    """Readmit a revoked plant with the keys of this order, which an operator has compared; returns PlantReadmitted.

    Its ledger continues from the hub's size; the handshake finds entries that diverged while the keys were compromised.
    Raises NotPermitted, or Refusal, and then nothing has changed: NOT_DEFINED for a plant that is not revoked,
    TEXT_INVALID or CODE_TAKEN for keys that are invalid or were used before.
    """
    try:
        head = Head(session, order.number)
    except LookupError:
        head = None
    if head is None or head.origin != order.origin:
        raise not_defined("revoked plant", order.code)
    size = head.size
    keys = {"ledger_vkey": order.ledger_key, "assertion_key": order.assertion_key}
    readmit_machine(session, actor=actor, origin=order.origin, size=size, **keys)
    payload: PlantReadmitted = {
        "number": order.number,
        "origin": order.origin,
        "ledger_key": order.ledger_key,
        "assertion_key": order.assertion_key,
        "size": size,
    }
    return record_readmitted(session, order.code, payload, actor=actor.author, now=now)


def order_for(found: Invited, group: str) -> Enrolment:
    """Return the order that enrols an invited plant with the keys that it has sent."""
    assert found.ledger_key is not None
    assert found.assertion_key is not None
    origin = plant_origin(group, found.code)
    raw = public_key_from_text(found.ledger_key).public_bytes_raw()
    return Enrolment(
        number=found.number,
        code=found.code,
        name=found.name,
        origin=origin,
        directive_origin=directive_origin(group, found.code),
        ledger_key=str(NoteKey(origin, SignatureType.ED25519, raw)),
        assertion_key=found.assertion_key,
    )


def answer_request(hub: HubNode, wrong: WrongCodes, body: bytes) -> bytes:
    """Answer a plant's request for enrolment with the hub's signed note; an operator must then approve it.

    Raises Problem 422 for an unreadable message or invalid keys, 429 after too many wrong codes, and 403
    INVITATION_REFUSED for any other code: unknown, mistyped, used by other keys, expired or decided.
    """
    now = hub.clock.now()
    try:
        wrong.check(now)
    except NotAuthenticated as error:
        raise Problem(429, "TOO_MANY_ATTEMPTS", retry_seconds=RETRY_SECONDS) from error
    try:
        asking = EnrolmentRequest.model_validate_json(body)
        with hub.store.transaction() as session:
            keys = asking.ledger_key, asking.assertion_key
            found = enrolment.present_keys(session, asking.plant, asking.secret, keys, now)
    except ValidationError as error:
        raise Problem(422, "MESSAGE_INVALID") from error
    except ValueError as error:
        raise Problem(422, "KEYS_INVALID", why=str(error)) from error
    if found is None:
        wrong.count(now)
        raise Problem(403, "INVITATION_REFUSED")
    said = {
        "group": hub.origin.partition("/")[0],
        "number": found.number,
        "code": found.code,
        "name": found.name,
        "hubKey": str(hub.signer.key),
        "ledgerKey": found.ledger_key,
        "assertionKey": found.assertion_key,
    }
    text = f"{HEADING}\n{canonical(said).decode()}\n"
    return bytes(Note(text, (hub.signer.sign(text),)))
