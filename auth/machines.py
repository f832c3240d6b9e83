"""Machines: enrolling, revoking, rotating and finding the keys of the plants' nodes at the hub."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from auth.actors import GROUP, Actor
from auth.keys import key_id, public_key_from_text
from auth.permissions import Permission, require
from auth.store import Machine, enrolled_row, enrolled_rows, kid_is_invited, kid_is_known, machine_of, machine_with_key
from infra.database import ReadSession, Row, Session
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX, plant_code
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.ledger.notes import NoteError, NoteKey, SignatureType
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import RULE_RANGE, TEXT_INVALID, Refusal, message

ORIGIN: Final = re.compile(r"[a-z0-9.-]{1,120}/plant/(?P<code>[A-Z0-9]{2,4})/[A-Za-z0-9-]{1,40}", re.ASCII)
ORIGIN_RULE: Final = message("RULE_ORIGIN", "written as <group domain>/plant/<plant code>/<incarnation>")
ASSERTION_KEY_RULE: Final = message("RULE_ASSERTION_KEY", "an Ed25519 public key of 43 base64url characters")
LEDGER_KEY_RULE: Final = message("RULE_LEDGER_KEY", "an Ed25519 verifier key written as {origin}+<key id>+<base64>")
OTHER_KEY_RULE: Final = message("RULE_OTHER_KEY", "another key than the ledger key")


@dataclass(frozen=True, slots=True)
class EnrolledMachine:
    """A plant's node with valid keys."""

    plant_number: int
    code: str
    origin: str
    public_key: Ed25519PublicKey
    ledger_vkey: str
    ledger_vkey_before: str | None = None
    ledger_vkey_size: int = 0
    kid_before: str | None = None

    @property
    def confirms(self) -> bool:
        """True where signing in with this key invalidates the previous one."""
        return self.kid_before is not None and self.kid_before != key_id(self.public_key)

    def ledger_vkeys(self, size: int = 0) -> tuple[str, ...]:
        """Return the vkeys that may have signed the ledger at this size; the previous one up to the rotation."""
        if self.ledger_vkey_before is None or size > self.ledger_vkey_size:
            return (self.ledger_vkey,)
        return self.ledger_vkey, self.ledger_vkey_before


def enrol_machine(
    session: Session,
    *,
    actor: Actor,
    plant_number: int,
    code: str,
    origin: str,
    assertion_key: str,
    ledger_vkey: str,
    at: datetime,
) -> None:
    """Enrol a plant's public keys, after a user compared their fingerprint with the one that the plant shows.

    A plant is enrolled once; a revoked plant is readmitted. Raises NotPermitted, or Refusal: TEXT_INVALID for an
    invalid code, origin or key and for equal keys, CODE_TAKEN for a number, code or key that a machine has or had.
    """
    require(actor, Permission.PLANT_ENROL, GROUP)
    kid = _checked(plant_number, code, origin, assertion_key, ledger_vkey)
    taken = (
        session.get(Machine, origin) is not None
        or machine_of(session, plant_number, code) is not None
        or kid_is_known(session, kid)
        or machine_with_key(session, ledger_vkey) is not None
    )
    if taken:
        raise Refusal(CODE_TAKEN, code=origin, thing="plant")
    session.add(
        Machine(
            origin=origin,
            plant_number=plant_number,
            code=code,
            kid=kid,
            assertion_key=assertion_key,
            ledger_vkey=ledger_vkey,
            enrolled_by=actor.actor_id,
            enrolled_at=at,
        )
    )


def revoke_machine(session: Session, *, actor: Actor, origin: str, at: datetime) -> None:
    """Revoke a plant's keys at once; raises NotPermitted, or Refusal (NOT_DEFINED) without a valid machine."""
    require(actor, Permission.PLANT_ENROL, GROUP)
    machine = _locked(session, origin)
    if machine is None:
        raise Refusal(NOT_DEFINED, thing="plant", code=origin[:120])
    machine.revoked_at = at


def readmit_machine(
    session: Session, *, actor: Actor, origin: str, assertion_key: str, ledger_vkey: str, size: int
) -> None:
    """Readmit a revoked plant with new keys that no plant has presented before.

    The old ledger key stays valid for the first `size` entries. Raises NotPermitted, or Refusal: NOT_DEFINED for a
    plant that is not revoked, TEXT_INVALID and CODE_TAKEN as in `enrol_machine`.
    """
    require(actor, Permission.PLANT_ENROL, GROUP)
    machine = session.get(Machine, origin, with_for_update=True)
    if machine is None or machine.revoked_at is None:
        raise Refusal(NOT_DEFINED, thing="revoked plant", code=origin[:120])
    kid = _checked(machine.plant_number, machine.code, origin, assertion_key, ledger_vkey)
    if machine_with_key(session, ledger_vkey) is not None or is_known_assertion_key(session, kid):
        raise Refusal(CODE_TAKEN, code=origin, thing="key")
    machine.kids_past, machine.kid = (*machine.kids_past, machine.kid), kid
    machine.assertion_key = assertion_key
    machine.assertion_key_before = machine.kid_before = machine.revoked_at = None
    machine.ledger_vkey_before, machine.ledger_vkey_size = machine.ledger_vkey, size
    machine.ledger_vkey = ledger_vkey


def exchange_ledger_key(session: Session, *, origin: str, old: str, new: str, size: int) -> bool:
    """Replace a ledger key; the old one stays valid for the first `size` entries. False where `old` is not valid.

    The caller has verified the signatures of both keys.
    """
    machine = _locked(session, origin)
    if machine is None or machine.ledger_vkey != old:
        return False
    machine.ledger_vkey, machine.ledger_vkey_before, machine.ledger_vkey_size = new, old, size
    return True


def exchange_assertion_key(session: Session, *, origin: str, old: str, new: str) -> bool | None:
    """Replace an assertion key; the old one stays valid until the new one is used. True where it was replaced.

    False where `new` is the valid key already. None where `old` is not the valid key, or `new` is or was a key of any
    plant. The caller has verified the signatures and serialises its calls.
    """
    machine = _locked(session, origin)
    if machine is None:
        return None
    if machine.assertion_key == new:
        return False
    following = key_id(public_key_from_text(new))
    if machine.assertion_key != old or is_known_assertion_key(session, following):
        return None
    machine.kids_past = (*machine.kids_past, machine.kid)
    machine.assertion_key_before, machine.kid_before = old, machine.kid
    machine.assertion_key, machine.kid = new, following
    return True


def confirm_assertion_key(session: Session, machine: EnrolledMachine) -> None:
    """Invalidate the previous assertion key, because the plant has used the new one."""
    row = session.get(Machine, machine.origin, with_for_update=True)
    if row is not None and (row.kid, row.kid_before) == (key_id(machine.public_key), machine.kid_before):
        row.assertion_key_before = row.kid_before = None


def is_known_assertion_key(session: Session | ReadSession, kid: str) -> bool:
    """Return whether an assertion key is or was any plant's, or was presented with a one-time code."""
    return kid_is_known(session, kid) or kid_is_invited(session, kid)


def active_machine(reads: ReadSession | Session, code: str) -> EnrolledMachine | None:
    """Return the machine of a plant, or None where it is unknown or revoked."""
    return next((one for one in enrolled_machines(reads) if one.code == code), None)


def find_machine(reads: ReadSession, kid: str) -> EnrolledMachine | None:
    """Return the machine whose assertion key has this id, or None where it is unknown or revoked."""
    found = enrolled_row(reads, kid)
    return None if found is None else _enrolled(found)


def enrolled_machines(reads: ReadSession | Session) -> list[EnrolledMachine]:
    """Return every machine that is not revoked, by plant number."""
    return [_enrolled(found) for found in enrolled_rows(reads)]


def _enrolled(row: Row) -> EnrolledMachine:
    plant_number, code, origin, assertion_key, ledger_vkey, before, size, kid_before = row
    return EnrolledMachine(
        plant_number=plant_number,
        code=code,
        origin=origin,
        public_key=public_key_from_text(assertion_key),
        ledger_vkey=ledger_vkey,
        ledger_vkey_before=before,
        ledger_vkey_size=size or 0,
        kid_before=kid_before,
    )


def _checked(plant_number: int, code: str, origin: str, assertion_key: str, ledger_vkey: str) -> str:
    """Return the id of the assertion key, or raise the Refusal that names the first invalid part."""
    plant_code(code)
    if not HUB < plant_number <= PLANT_NUMBER_MAX:
        raise Refusal(TEXT_INVALID, field="plant number", rule=RULE_RANGE(least=HUB + 1, most=PLANT_NUMBER_MAX))
    named = ORIGIN.fullmatch(origin)
    if named is None or named["code"] != code:
        raise Refusal(TEXT_INVALID, field="origin", rule=ORIGIN_RULE())
    try:
        asking = public_key_from_text(assertion_key)
    except ValueError as error:
        raise Refusal(TEXT_INVALID, field="assertion key", rule=ASSERTION_KEY_RULE()) from error
    try:
        writing = NoteKey.parse(ledger_vkey)
    except NoteError as error:
        raise Refusal(TEXT_INVALID, field="ledger key", rule=LEDGER_KEY_RULE(origin=origin)) from error
    if writing.name != origin or writing.kind is not SignatureType.ED25519:
        raise Refusal(TEXT_INVALID, field="ledger key", rule=LEDGER_KEY_RULE(origin=origin))
    if writing.public == asking.public_bytes_raw():
        raise Refusal(TEXT_INVALID, field="assertion key", rule=OTHER_KEY_RULE())
    return key_id(asking)


def _locked(session: Session, origin: str) -> Machine | None:
    """Return a machine that was not revoked, locked until the transaction ends."""
    machine = session.get(Machine, origin, with_for_update=True)
    return machine if machine is not None and machine.revoked_at is None else None
