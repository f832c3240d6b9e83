"""Invitations of plants into the group by one-time codes, and the approval of the keys that the plants present.

A one-time code holds the plant's code, a secret of 130 random bits, a digest of the hub's key, and check characters.
The plant accepts only the hub with that key. The check characters detect typing mistakes. The hub stores a hash of the
secret.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auth.actors import GROUP, Actor, AuthFailure, NotAuthenticated
from auth.keys import key_id, public_key_from_text
from auth.machines import is_known_assertion_key
from auth.permissions import Permission, require
from auth.store import (
    Invitation,
    all_invitations,
    delete_invitation,
    invited_number,
    largest_number,
    machine_of,
    undecided_invitation,
)
from infra.database import ReadSession, Session
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX, plant_code
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.materials.refusals import not_defined
from plants.rules.values.refusals import RULE_PRINTABLE, RULE_RANGE, TEXT_INVALID, Refusal, message

FINGERPRINT_RULE: Final = message("RULE_FINGERPRINT", "the fingerprint that the plant sent, {fingerprint}")
INVITATION_LIFETIME: Final = timedelta(hours=24)
ATTEMPTS_MAX: Final = 10
"""Wrong codes for one plant after which its invitation is void."""

NAME_CHARACTERS_MOST: Final = 200
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O or U
READ_AS: Final = str.maketrans("ILO", "110")
SECRET_CHARACTERS: Final = 26  # of 5 bits
KEY_CHARACTERS: Final = 20
CHECK_CHARACTERS: Final = 4
GROUP_CHARACTERS: Final = 5
FINGERPRINT_CHARACTERS: Final = 25
CODE: Final = re.compile(rf"([A-Z0-9]{{2,4}})([{ALPHABET}]{{{SECRET_CHARACTERS + KEY_CHARACTERS + CHECK_CHARACTERS}}})")


class CodeMistyped(ValueError):
    """The text is not a valid one-time code."""


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """The parts of a one-time code. A user carries its text from the hub to the plant."""

    plant: str
    secret: str
    hub: str

    def __str__(self) -> str:
        """Return the code in groups of characters."""
        content = self.secret + self.hub
        return f"{self.plant}-{grouped(content + _check(self.plant + content))}"

    def __repr__(self) -> str:
        return f"OneTimeCode({self.plant!r})"

    @classmethod
    def new(cls, plant: str, hub_key: str) -> "OneTimeCode":
        """Return a new code for a plant, from the hub with this key (a vkey)."""
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_CHARACTERS))
        return cls(plant, drawn, hub_key_digest(hub_key))

    @classmethod
    def read(cls, typed: str) -> "OneTimeCode":
        """Parse a typed code, in any case, with or without spaces; raises CodeMistyped."""
        plant, _, rest = "".join(typed.upper().split()).partition("-")
        found = CODE.fullmatch(plant + rest.replace("-", "").translate(READ_AS))
        if found is None or found[1] != plant:
            raise CodeMistyped
        content, check = found[2][:-CHECK_CHARACTERS], found[2][-CHECK_CHARACTERS:]
        if _check(plant + content) != check:
            raise CodeMistyped
        return cls(plant, content[:SECRET_CHARACTERS], content[SECRET_CHARACTERS:])


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation; `fingerprint` is set once the plant has presented its keys."""

    code: str
    number: int
    name: str
    expires_at: datetime
    asked_at: datetime | None
    decided_at: datetime | None
    approved: bool
    fingerprint: str | None
    ledger_key: str | None
    assertion_key: str | None

    @property
    def waits(self) -> bool:
        """True while it awaits approval or rejection."""
        return self.asked_at is not None and self.decided_at is None


def grouped(text: str) -> str:
    """Return text in groups of five characters."""
    return "-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, len(text), GROUP_CHARACTERS))


def hub_key_digest(hub_key: str) -> str:
    """Return the digest of the hub's key in a one-time code: 100 bits of the SHA-256 of its vkey."""
    return _digest("batchloom hub", hub_key)[:KEY_CHARACTERS]


def fingerprint(ledger_key: str, assertion_key: str) -> str:
    """Return the fingerprint of a plant's two public keys, in groups: 125 bits of a SHA-256 over both."""
    return grouped(_digest("batchloom plant", ledger_key, assertion_key)[:FINGERPRINT_CHARACTERS])


def invite(
    session: Session, *, actor: Actor, code: str, number: int | None, name: str, hub_key: str, now: datetime
) -> tuple[OneTimeCode, int]:
    """Invite a plant into the group and return its one-time code, which is not stored, and its number.

    An earlier invitation of the plant is replaced. Raises NotPermitted, or Refusal for an invalid code, number or name
    (TEXT_INVALID, CODE_INVALID) or one of another plant (CODE_TAKEN).
    """
    require(actor, Permission.PLANT_ENROL, GROUP)
    plant_code(code)
    if not 0 < len(name.strip()) <= NAME_CHARACTERS_MOST or not name.isprintable():
        raise Refusal(TEXT_INVALID, field="name", rule=RULE_PRINTABLE(length_max=NAME_CHARACTERS_MOST))
    given = _next_number(session, code) if number is None else number
    if not HUB < given <= PLANT_NUMBER_MAX:
        raise Refusal(TEXT_INVALID, field="plant number", rule=RULE_RANGE(least=HUB + 1, most=PLANT_NUMBER_MAX))
    if machine_of(session, given, code) is not None or invited_number(session, given, code) is not None:
        raise Refusal(CODE_TAKEN, code=f"{code} / {given}", thing="plant")
    made = OneTimeCode.new(code, hub_key)
    delete_invitation(session, code)
    session.add(
        Invitation(
            code=code,
            plant_number=given,
            name=name.strip(),
            secret_hash=_hashed(made.secret),
            invited_by=actor.actor_id,
            invited_at=now,
            expires_at=now + INVITATION_LIFETIME,
        )
    )
    return made, given


def present_keys(session: Session, code: str, secret: str, keys: tuple[str, str], now: datetime) -> Invited | None:
    """Record the keys (ledger key, assertion key) that a plant presents with its code; None for any invalid code.

    A code is used once: the same keys may be presented again, others may not. A wrong secret is counted, so the caller
    commits in both cases. Raises ValueError for invalid keys and for keys that a plant presented before.
    """
    ledger_key, assertion_key = keys
    kid = key_id(public_key_from_text(assertion_key))
    public_key_from_text(ledger_key)
    if ledger_key == assertion_key:
        raise ValueError("the two keys are the same")
    row = session.get(Invitation, code, with_for_update=True)
    # The hash is compared also for an unknown plant, so that the time of the answer does not tell them apart.
    right = hmac.compare_digest(_hashed(secret), _hashed("") if row is None else row.secret_hash)
    if row is None:
        return None
    if not right:
        row.attempts += 1
        return None
    again = (row.ledger_key, row.assertion_key) == keys
    if row.attempts >= ATTEMPTS_MAX or row.decided_at is not None or (row.ledger_key is not None and not again):
        return None
    if not again:
        if row.expires_at <= now:
            return None
        if is_known_assertion_key(session, kid):
            raise ValueError("these keys were presented before")
        row.ledger_key, row.assertion_key = keys
        row.kid, row.asked_at = kid, now
    return _invited(row)


def decide(session: Session, *, actor: Actor, code: str, shown: str, approved: bool, now: datetime) -> Invited:
    """Record the approval or rejection of the plant that presented keys with this fingerprint.

    The caller enrols approved keys in the same transaction. Raises NotPermitted, or Refusal: NOT_DEFINED where no
    invitation awaits approval under this code, TEXT_INVALID where the plant presented other keys.
    """
    require(actor, Permission.PLANT_ENROL, GROUP)
    row = session.get(Invitation, code, with_for_update=True)
    found = None if row is None else _invited(row)
    if row is None or found is None or not found.waits:
        raise not_defined("plant", code)
    if found.fingerprint != shown:
        raise Refusal(TEXT_INVALID, field="fingerprint", rule=FINGERPRINT_RULE(fingerprint=found.fingerprint))
    row.decided_at, row.approved = now, approved
    return found


def find_invited(session: Session, code: str) -> Invited | None:
    """Return the invitation of a plant, or None."""
    row = session.get(Invitation, code)
    return None if row is None else _invited(row)


def invitations(reads: ReadSession) -> list[Invited]:
    """Return every invitation, by plant number."""
    return [_invited(row) for row in all_invitations(reads)]


def waiting_key(reads: ReadSession, kid: str) -> Invited | None:
    """Return the undecided invitation of the plant that presented this assertion key."""
    row = undecided_invitation(reads, kid)
    return None if row is None else _invited(row)


class WrongCodes:
    """Limits the rate of wrong codes in this process, over all callers."""

    def __init__(self, *, limit: int = 20, seconds: float = 60.0) -> None:
        self._limit = limit
        self._seconds = timedelta(seconds=seconds)
        self._failures: list[datetime] = []

    def check(self, now: datetime) -> None:
        """Raise NotAuthenticated(TOO_MANY) while the limit is reached."""
        self._failures = [at for at in self._failures if at > now - self._seconds]
        if len(self._failures) >= self._limit:
            raise NotAuthenticated(AuthFailure.TOO_MANY)

    def count(self, now: datetime) -> None:
        """Count a wrong code."""
        self._failures.append(now)


def _invited(row: Invitation) -> Invited:
    shown = None
    if row.ledger_key is not None and row.assertion_key is not None:
        shown = fingerprint(row.ledger_key, row.assertion_key)
    return Invited(
        code=row.code,
        number=row.plant_number,
        name=row.name,
        expires_at=row.expires_at,
        asked_at=row.asked_at,
        decided_at=row.decided_at,
        approved=bool(row.approved),
        fingerprint=shown,
        ledger_key=row.ledger_key,
        assertion_key=row.assertion_key,
    )


def _next_number(session: Session, code: str) -> int:
    """Return the number of the plant's last invitation, or the next free number."""
    before = session.get(Invitation, code)
    return largest_number(session) + 1 if before is None else before.plant_number


def _hashed(secret: str) -> str:
    return hashlib.sha256(b"batchloom invitation\0" + secret.encode()).hexdigest()


def _check(text: str) -> str:
    return _digest("batchloom code", text)[:CHECK_CHARACTERS]


def _digest(*parts: str) -> str:
    """Return a SHA-256 over parts in Crockford's base 32, which avoids similar characters."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").translate(CROCKFORD)


CROCKFORD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET)
