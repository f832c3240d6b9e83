"""Asking a plant into the group by a one-time code: the code, what the hub keeps of it, and who waits for approval.

The code says which plant it is for, holds 130 bits of chance, and names the hub's key, so that the plant takes no other
hub for the one that invited it; its last characters give a typing mistake away. The hub keeps a hash of it.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import col, select

from auth.actors import GROUP, Actor, AuthFailure, NotAuthenticated
from auth.keys import key_id, public_key_from_text
from auth.machines import was_ever_shown
from auth.permissions import Permission, require
from auth.store import Invitation
from infra.database import ReadSession, Row, Session
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX, plant_code
from plants.rules.values.instants import micros
from plants.rules.values.refusals import Refusal, RefusalCode

LASTS: Final = timedelta(hours=24)
ATTEMPTS_MAX: Final = 10
"""Wrong codes for one plant after which its invitation counts no more."""

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
    """The text is no one-time code: something was left out or mistyped."""


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """The parts of a one-time code; its text is what a person carries from the hub to the plant."""

    plant: str
    secret: str
    hub: str

    def __str__(self) -> str:
        """Return the code in groups that can be read out."""
        said = self.secret + self.hub
        return f"{self.plant}-{grouped(said + _check(self.plant + said))}"

    def __repr__(self) -> str:
        return f"OneTimeCode({self.plant!r})"

    @classmethod
    def new(cls, plant: str, hub_key: str) -> "OneTimeCode":
        """Return a new code for a plant, from the hub that has this key (its vkey)."""
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_CHARACTERS))
        return cls(plant, drawn, hub_mark(hub_key))

    @classmethod
    def read(cls, typed: str) -> "OneTimeCode":
        """Read what a person typed, in any case, with or without spaces; raises CodeMistyped."""
        plant, _, rest = "".join(typed.upper().split()).partition("-")
        found = CODE.fullmatch(plant + rest.replace("-", "").translate(READ_AS))
        if found is None or found[1] != plant:
            raise CodeMistyped
        said, check = found[2][:-CHECK_CHARACTERS], found[2][-CHECK_CHARACTERS:]
        if _check(plant + said) != check:
            raise CodeMistyped
        return cls(plant, said[:SECRET_CHARACTERS], said[SECRET_CHARACTERS:])


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as it stands; `fingerprint` is there once the plant has shown its keys."""

    code: str
    number: int
    name: str
    expires_us: int
    asked_us: int | None
    decided_us: int | None
    approved: bool
    fingerprint: str | None
    ledger_key: str | None
    assertion_key: str | None

    @property
    def waits(self) -> bool:
        """Whether a person has to approve or reject it."""
        return self.asked_us is not None and self.decided_us is None


def grouped(text: str) -> str:
    """Return text in groups of five, to be compared or read out."""
    return "-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, len(text), GROUP_CHARACTERS))


def hub_mark(hub_key: str) -> str:
    """Return what a one-time code says of the hub's key: 100 bits of the SHA-256 of its vkey."""
    return _digest("batchloom hub", hub_key)[:KEY_CHARACTERS]


def fingerprint(ledger_key: str, assertion_key: str) -> str:
    """Return what people compare of a plant's two public keys: 125 bits of a SHA-256 over both, in groups."""
    return grouped(_digest("batchloom plant", ledger_key, assertion_key)[:FINGERPRINT_CHARACTERS])


def invite(
    session: Session, *, actor: Actor, code: str, number: int | None, name: str, hub_key: str, now: datetime
) -> tuple[OneTimeCode, int]:
    """Ask a plant into the group and return its one-time code, which is kept nowhere, and its number.

    An invitation that was not taken up yet is replaced. Raises NotPermitted, or Refusal for a code, number or name that
    cannot be right (TEXT_INVALID, CODE_INVALID) or that another plant has (CODE_TAKEN).
    """
    require(actor, Permission.MACHINE_ENROL, GROUP)
    plant_code(code)
    if not 0 < len(name.strip()) <= NAME_CHARACTERS_MOST or not name.isprintable():
        raise Refusal(RefusalCode.TEXT_INVALID, field="name", rule=f"1-{NAME_CHARACTERS_MOST}")
    given = _next_number(session, code) if number is None else number
    if not HUB < given <= PLANT_NUMBER_MAX:
        raise Refusal(RefusalCode.TEXT_INVALID, field="plant number", rule=f"1-{PLANT_NUMBER_MAX}")
    taken = session.row(
        "SELECT code FROM machines WHERE code = :code OR plant_number = :number"
        " UNION SELECT code FROM invitations WHERE plant_number = :number AND code <> :code"
        " AND (approved IS NULL OR approved = 1)",
        {"code": code, "number": given},
    )
    if taken is not None:
        raise Refusal(RefusalCode.CODE_TAKEN, code=f"{code} / {given}", thing="plant")
    made = OneTimeCode.new(code, hub_key)
    session.run("DELETE FROM invitations WHERE code = :code", {"code": code})
    session.run(
        "INSERT INTO invitations"
        " (code, plant_number, name, secret_hash, invited_by, invited_us, expires_us, attempts)"
        " VALUES (:code, :number, :name, :secret_hash, :invited_by, :invited_us, :expires_us, 0)",
        {
            "code": code,
            "number": given,
            "name": name.strip(),
            "secret_hash": _hashed(made.secret),
            "invited_by": actor.actor_id,
            "invited_us": micros(now),
            "expires_us": micros(now + LASTS),
        },
    )
    return made, given


def take_up(session: Session, code: str, secret: str, keys: tuple[str, str], now: datetime) -> Invited | None:
    """Note the keys (ledger's, assertions') that a plant showed with its code; None whatever is wrong with the code.

    The same keys may come again, others may not: a code is used once. A wrong secret is counted, so what is returned
    must be committed either way. Raises ValueError for keys that are none, or that some plant showed before.
    """
    ledger_key, assertion_key = keys
    kid = key_id(public_key_from_text(assertion_key))
    public_key_from_text(ledger_key)
    if ledger_key == assertion_key:
        raise ValueError("the two keys are the same")
    row = session.row(
        "SELECT secret_hash, expires_us, attempts, ledger_key, assertion_key, decided_us FROM invitations"
        " WHERE code = :code",
        {"code": code},
    )
    # The work is the same where there is no such plant.
    right = hmac.compare_digest(_hashed(secret), str(row[0]) if row else _hashed(""))
    if row is None:
        return None
    _, expires_us, attempts, kept_ledger, kept_assertion, decided_us = row
    if not right:
        session.run("UPDATE invitations SET attempts = attempts + 1 WHERE code = :code", {"code": code})
        return None
    again = (kept_ledger, kept_assertion) == keys
    if attempts >= ATTEMPTS_MAX or decided_us is not None or (kept_ledger is not None and not again):
        return None
    if not again:
        if expires_us <= micros(now):
            return None
        _note_keys(session, code, kid, keys, now)
    return find_invited(session, code)


def decide(session: Session, *, actor: Actor, code: str, shown: str, approved: bool, now: datetime) -> Invited:
    """Write down that a person approved or rejected the plant that showed keys of this fingerprint.

    The keys count from then on only where the caller enrols them in the same transaction. Raises NotPermitted, or
    Refusal: NOT_DEFINED where nothing waits under this code, TEXT_INVALID where these are not the keys that it showed.
    """
    require(actor, Permission.MACHINE_ENROL, GROUP)
    found = find_invited(session, code)
    if found is None or not found.waits:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="plant", code=code)
    if found.fingerprint != shown:
        raise Refusal(RefusalCode.TEXT_INVALID, field="fingerprint", rule=str(found.fingerprint))
    session.run(
        "UPDATE invitations SET decided_us = :now_us, approved = :approved WHERE code = :code",
        {"code": code, "now_us": micros(now), "approved": int(approved)},
    )
    return found


def find_invited(session: Session, code: str) -> Invited | None:
    """Return the invitation of a plant, if there is one."""
    row = session.row(
        "SELECT code, plant_number, name, expires_us, asked_us, decided_us, approved, ledger_key, assertion_key"
        " FROM invitations WHERE code = :code",
        {"code": code},
    )
    return None if row is None else _invited(row)


def invitations(reads: ReadSession) -> list[Invited]:
    """Return every invitation, by plant number."""
    one = Invitation
    found = reads.exec(select(one).order_by(col(one.plant_number), col(one.code)))
    return [
        _invited((each.code, each.plant_number, each.name, each.expires_us, each.asked_us, each.decided_us,
                  each.approved, each.ledger_key, each.assertion_key))
        for each in found
    ]  # fmt: skip


def waiting_key(reads: ReadSession, kid: str) -> Invited | None:
    """Return the plant that waits for approval with this assertion key."""
    one = Invitation
    found = reads.exec(select(one).where(one.kid == kid, col(one.decided_us).is_(None))).first()
    return None if found is None else next(each for each in invitations(reads) if each.code == found.code)


class WrongCodes:
    """Counts wrong codes in this process, from everywhere; above the limit nobody is heard for the rest of the time."""

    def __init__(self, *, limit: int = 20, seconds: float = 60.0) -> None:
        self._limit = limit
        self._seconds = timedelta(seconds=seconds)
        self._failures: list[datetime] = []

    def check(self, now: datetime) -> None:
        """Raise NotAuthenticated(TOO_MANY) while there were too many."""
        self._failures = [at for at in self._failures if at > now - self._seconds]
        if len(self._failures) >= self._limit:
            raise NotAuthenticated(AuthFailure.TOO_MANY)

    def count(self, now: datetime) -> None:
        """Note a wrong one."""
        self._failures.append(now)


def _note_keys(session: Session, code: str, kid: str, keys: tuple[str, str], now: datetime) -> None:
    if was_ever_shown(session, kid):
        raise ValueError("these keys were shown before")
    session.run(
        "UPDATE invitations SET ledger_key = :ledger_key, assertion_key = :assertion_key, kid = :kid,"
        " asked_us = :now_us WHERE code = :code",
        {"code": code, "kid": kid, "ledger_key": keys[0], "assertion_key": keys[1], "now_us": micros(now)},
    )


def _invited(row: Row) -> Invited:
    code, number, name, expires_us, asked_us, decided_us, approved, ledger_key, assertion_key = row
    shown = None if ledger_key is None else fingerprint(ledger_key, assertion_key)
    return Invited(
        code, number, name, expires_us, asked_us, decided_us, approved == 1, shown, ledger_key, assertion_key
    )


def _next_number(session: Session, code: str) -> int:
    """Return the number that the plant was invited with before, else the next that no plant has."""
    before = session.row("SELECT plant_number FROM invitations WHERE code = :code", {"code": code})
    if before is not None:
        return int(before[0])
    row = session.row(
        "SELECT max(number) FROM (SELECT max(plant_number) AS number FROM machines"
        " UNION ALL SELECT max(plant_number) FROM invitations) AS given"
    )
    return 1 + ((row[0] or 0) if row else 0)


def _hashed(secret: str) -> str:
    return hashlib.sha256(b"batchloom invitation\0" + secret.encode()).hexdigest()


def _check(text: str) -> str:
    return _digest("batchloom code", text)[:CHECK_CHARACTERS]


def _digest(*parts: str) -> str:
    """Return a SHA-256 over parts in base 32, whose letters and digits nobody takes for one another."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").translate(CROCKFORD)


CROCKFORD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET)
