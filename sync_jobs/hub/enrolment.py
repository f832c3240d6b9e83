"""Taking a plant into the group: by a one-time code and a person's approval, or by the card that a person brings.

At the hub a plant is enrolled in one transaction: its keys, its number and code, and its two ledgers. The plant makes
its keys itself and shows only the public ones; the hub's answer is a note that the hub's own key signed, and that key
is the one that the one-time code names.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auth import enrolment
from auth.actors import Actor, NotAuthenticated
from auth.enrolment import Invited, OneTimeCode, WrongCodes
from auth.keys import public_key_from_text
from auth.machines import counting_machine, enrol_machine, readmit_machine, revoke_machine
from auth.notes import open_note
from infra.database import Session
from infra.settings import directive_origin, may_carry_secrets, plant_origin
from plants.commands.group.enrolment import Enrolment, enrol_plant, record_readmitted, record_revoked
from plants.rules.group.events import PlantReadmitted, PlantRevoked
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.notes import Note, NoteError, NoteKey, SignatureType
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.store.ledger.entries import Head
from sync_jobs.nodes import HubNode
from sync_jobs.plant.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

PATH: Final = "/sync/v1/enrol"
BODY_BYTES_MAX: Final = 4096
SECONDS_MAX: Final = 20.0
RETRY_SECONDS: Final = 60
HEADING: Final = "batchloom.enrolment/v1"


class Asking(BaseModel):
    """What a plant sends: the plant's code and the secret part of the one-time code, and its two public keys."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plant: str = Field(max_length=4)
    secret: str = Field(max_length=60)
    ledger_key: str = Field(max_length=43)
    assertion_key: str = Field(max_length=43)


@dataclass(frozen=True, slots=True)
class Welcomed:
    """What the hub answered to a plant's asking, its signature checked: who the plant is, and who the hub is."""

    group: str
    number: int
    code: str
    name: str
    hub_key: str


class HubIsAnother(Exception):
    """Whoever answered is not the hub that made the one-time code."""


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


def approve(session: Session, code: str, shown: str, *, group: str, actor: Actor, now: datetime) -> Entry:
    """Take in the plant that waits under a code, after a person has compared the fingerprint of its keys.

    Raises NotPermitted, or Refusal as `auth.enrolment.decide` and `enrol`; then nothing has changed.
    """
    found = enrolment.decide(session, actor=actor, code=code, shown=shown, approved=True, now=now)
    return enrol(session, order_for(found, group), actor=actor, now=now)


def revoke(session: Session, code: str, reason: str, *, actor: Actor, now: datetime) -> Entry:
    """Believe nothing that a plant's keys sign from now on; its ledger so far stays. Returns PlantRevoked.

    Raises NotPermitted, or Refusal: NOT_DEFINED for a plant that does not count, TEXT_INVALID without a reason; then
    nothing has changed.
    """
    machine = counting_machine(session, code)
    if machine is None:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="plant", code=code)
    size = Head(session, machine.plant_number).size
    revoke_machine(session, actor=actor, origin=machine.origin, at=now)
    payload: PlantRevoked = {"number": machine.plant_number, "origin": machine.origin, "size": size}
    return record_revoked(session, code, payload, reason, actor=actor.author, now=now)


def readmit(session: Session, order: Enrolment, *, actor: Actor, now: datetime) -> Entry:
    """Let a revoked plant go on with the keys of this order, as a person has compared them; returns PlantReadmitted.

    Its ledger goes on where the hub has it; what parted from that while the keys were in other hands is for the
    handshake to find. Raises NotPermitted, or Refusal for a plant that is not revoked (NOT_DEFINED) and for keys that
    cannot be right or that anybody has shown before (TEXT_INVALID, CODE_TAKEN); then nothing has changed.
    """
    try:
        head = Head(session, order.number)
    except LookupError:
        head = None
    if head is None or head.origin != order.origin:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="revoked plant", code=order.code)
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
    """Return what enrols an invited plant that has shown its keys."""
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


def answer(hub: HubNode, wrong: WrongCodes, body: bytes) -> bytes:
    """Answer a plant that asks to be taken in: the hub's signed note, after which a person has to approve.

    Raises Problem 422 for a message that cannot be read or keys that are none, 429 after too many wrong codes, and 403
    INVITATION_REFUSED whatever is wrong with the code: unknown, mistyped, used by other keys, run out or decided.
    """
    now = hub.clock.now()
    try:
        wrong.check(now)
    except NotAuthenticated as error:
        raise Problem(429, "TOO_MANY_ATTEMPTS", retry_seconds=RETRY_SECONDS) from error
    try:
        asking = Asking.model_validate_json(body)
        with hub.store.transaction() as session:
            keys = asking.ledger_key, asking.assertion_key
            found = enrolment.take_up(session, asking.plant, asking.secret, keys, now)
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


def ask_to_join(hub_url: str, code: OneTimeCode, keys: tuple[str, str]) -> Welcomed:
    """Show a plant's public keys (ledger's, assertions') to the hub with a one-time code, and return who it is now.

    Raises ValueError for an address that would send the code in the open, Problem as the hub answered, HubUnreachable,
    and HubIsAnother where the answer is not from the hub that made the code, or about other keys.
    """
    if not may_carry_secrets(hub_url):
        raise ValueError("a hub on another machine is reached by https:// only")
    asking = Asking(plant=code.plant, secret=code.secret, ledger_key=keys[0], assertion_key=keys[1])
    headers = {"Content-Type": "application/json"}
    try:
        with httpx2.Client(base_url=hub_url, timeout=SECONDS_MAX, follow_redirects=False) as client:
            got = client.post(PATH, content=asking.model_dump_json(), headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise HubUnreachable(f"{type(error).__name__}: {error}"[:200]) from error
    if got.status_code != httpx2.codes.OK:
        raise _problem(got)
    return _opened(got.content[: 4 * BODY_BYTES_MAX], code, keys)


def _opened(content: bytes, code: OneTimeCode, keys: tuple[str, str]) -> Welcomed:
    try:
        said = _said(Note.parse(content).text)
        hub_key = str(said["hubKey"])
        if enrolment.hub_mark(hub_key) != code.hub:
            raise HubIsAnother
        # The text is read a second time, now that its signature is known to hold.
        said = _said(open_note(content, (hub_key,))[0])
        if (said["ledgerKey"], said["assertionKey"], said["code"]) != (*keys, code.plant):
            raise HubIsAnother
        return Welcomed(str(said["group"]), int(said["number"]), code.plant, str(said["name"]), hub_key)
    except (NoteError, ValueError, KeyError, TypeError) as error:
        raise HubIsAnother from error


def _said(text: str) -> dict[str, Any]:
    heading, content, end = text.split("\n")
    if heading != HEADING or end:
        raise ValueError("another kind of note")
    return dict(json.loads(content))


def _problem(got: httpx2.Response) -> Exception:
    try:
        return Problem(got.status_code, str(got.json()["code"])[:60])
    except (ValueError, KeyError, TypeError):
        return HubUnreachable(f"{got.status_code}: something other than the hub answered")
