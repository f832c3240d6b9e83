"""The people of a node: adding and disabling them, giving them roles, and signing them in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlmodel import select

from auth.actors import (
    GROUP,
    Actor,
    ActorKind,
    AuthFailure,
    Grant,
    NotAuthenticated,
    Role,
    device_text,
)
from auth.passwords import HashedPassword, password_matches, renewed_hash
from auth.permissions import NotPermitted, Permission, may, require
from auth.store import Person, RoleGrant
from auth.tokens import AccessClaims
from infra.clock import Clock
from infra.database import ReadSession, Session, Store
from infra.writer import Writer
from plants.rules.values.instants import micros
from plants.rules.values.refusals import Language, Refusal, RefusalCode

FAILURES_BEFORE_LOCK_OUT: Final = 5
LOCK_OUT_SECONDS: Final = 900
PERSON_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}", re.ASCII)
PERSON_ID_RULE: Final = "2-40 x a-z 0-9 . _ -"
PRINTED_NAME_CHARACTERS_MOST: Final = 80
PERSON_ROLES: Final = tuple(role for role in Role if role is not Role.PLANT_NODE)

_MICROS: Final = 1_000_000
_LOCKING: Final = {"sqlite": "", "postgresql": " FOR UPDATE"}
"""What makes a SELECT hold its row until the end; SQLite lets one transaction write at a time anyway."""

_SIGN_IN_STATE: Final = (
    "SELECT password_hash, disabled_us, failed_sign_ins, locked_until_us, password_set_us FROM people"
    " WHERE person_id = :person_id"
)
_PLANT_OF: Final = "SELECT plant_number FROM people WHERE person_id = :person_id"
_DISABLE: Final = "UPDATE people SET disabled_us = :at_us WHERE person_id = :person_id AND disabled_us IS NULL"
_ENABLE: Final = (
    "UPDATE people SET disabled_us = NULL, failed_sign_ins = 0, locked_until_us = NULL"
    " WHERE person_id = :person_id AND disabled_us IS NOT NULL"
)
_SET_PASSWORD: Final = (
    "UPDATE people SET password_hash = :password_hash, password_set_us = :at_us, failed_sign_ins = 0,"  # noqa: S105
    " locked_until_us = NULL WHERE person_id = :person_id"
)
_COUNT: Final = "UPDATE people SET failed_sign_ins = :failed, locked_until_us = :until_us WHERE person_id = :person_id"


def add_person(
    session: Session,
    *,
    actor: Actor,
    person_id: str,
    printed_name: str,
    plant_number: int,
    language: Language,
    at: datetime,
) -> None:
    """Add a person without password or roles, administered at one plant, or by the group when that is 0.

    Raises NotPermitted, or Refusal for an id or a name that cannot be one (TEXT_INVALID) and for an id that
    is taken (CODE_TAKEN), disabled people included: an id is never given to a second person.
    """
    require(actor, Permission.PERSON_ADMINISTER, plant_number)
    if not PERSON_ID.fullmatch(person_id):
        raise Refusal(RefusalCode.TEXT_INVALID, field="person", rule=PERSON_ID_RULE)
    name = printed_name.strip()
    if not 0 < len(name) <= PRINTED_NAME_CHARACTERS_MOST or not name.isprintable():
        raise Refusal(RefusalCode.TEXT_INVALID, field="name", rule=f"1-{PRINTED_NAME_CHARACTERS_MOST}")
    added = session.run(
        "INSERT INTO people (person_id, printed_name, plant_number, language, added_us, failed_sign_ins)"
        " VALUES (:person_id, :printed_name, :plant_number, :language, :added_us, 0) ON CONFLICT DO NOTHING",
        {
            "person_id": person_id,
            "printed_name": name,
            "plant_number": plant_number,
            "language": language,
            "added_us": micros(at),
        },
    )
    if not added:
        raise Refusal(RefusalCode.CODE_TAKEN, code=person_id, thing="person")


def disable_person(session: Session, *, actor: Actor, person_id: str, at: datetime) -> None:
    """Shut a person out at once: no new sign-in, and tokens already given count for nothing.

    Raises NotPermitted, or Refusal for a person who is unknown (NOT_DEFINED) or disabled already
    (NOTHING_CHANGES).
    """
    _require_over(session, actor, person_id)
    if not session.run(_DISABLE, {"person_id": person_id, "at_us": micros(at)}):
        raise Refusal(RefusalCode.NOTHING_CHANGES, why=person_id)


def enable_person(session: Session, *, actor: Actor, person_id: str) -> None:
    """Let a disabled person sign in again, password and roles as before; raises as `disable_person`."""
    _require_over(session, actor, person_id)
    if not session.run(_ENABLE, {"person_id": person_id}):
        raise Refusal(RefusalCode.NOTHING_CHANGES, why=person_id)


def grant_role(session: Session, *, actor: Actor, person_id: str, grant: Grant, at: datetime) -> None:
    """Give a person a role at a plant or in the group.

    The actor must administer both the person and the plant of the grant, and nobody gives a role to
    themselves. Only an administrator of the group makes administrators. Raises NotPermitted, or Refusal for
    a role that is a machine's (TEXT_INVALID), a person who is unknown (NOT_DEFINED) or a grant that exists
    (NOTHING_CHANGES).
    """
    _require_over(session, actor, person_id)
    _require_grantable(actor, grant)
    row = {"person_id": person_id, "plant_number": grant.plant_number, "role": grant.role.value}
    added = session.run(
        "INSERT INTO role_grants (person_id, plant_number, role, granted_by, granted_us)"
        " VALUES (:person_id, :plant_number, :role, :granted_by, :granted_us) ON CONFLICT DO NOTHING",
        row | {"granted_by": actor.actor_id, "granted_us": micros(at)},
    )
    if not added:
        raise Refusal(RefusalCode.NOTHING_CHANGES, why=f"{person_id}: {grant.role}")


def revoke_role(session: Session, *, actor: Actor, person_id: str, grant: Grant) -> None:
    """Take a role away; it counts from the next request on. Raises as `grant_role`."""
    _require_over(session, actor, person_id)
    _require_grantable(actor, grant)
    removed = session.run(
        "DELETE FROM role_grants WHERE person_id = :person_id AND plant_number = :plant_number AND role = :role",
        {"person_id": person_id, "plant_number": grant.plant_number, "role": grant.role.value},
    )
    if not removed:
        raise Refusal(RefusalCode.NOTHING_CHANGES, why=f"{person_id}: {grant.role}")


def set_password(session: Session, *, actor: Actor, person_id: str, password: HashedPassword, at: datetime) -> None:
    """Set another person's password, end their lock-out, and end every sign-in made before this second.

    Raises NotPermitted (also for one's own password: that takes the old one, see `change_password`), or
    Refusal (NOT_DEFINED) for an unknown person.
    """
    _require_over(session, actor, person_id)
    session.run(_SET_PASSWORD, {"person_id": person_id, "password_hash": password, "at_us": micros(at)})


@dataclass(frozen=True, slots=True)
class PasswordAttempt:
    """A password that was tried, before it is known whether the attempt counts."""

    person_id: str
    matched: bool
    tried_hash: str | None = field(default=None, repr=False)
    better_hash: HashedPassword | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who has just given the right password, the second of the epoch, and when that password was set."""

    actor: Actor
    authenticated_s: int
    password_set_us: int


def sign_in(store: Store, writer: Writer, *, person_id: str, password: str, device: str, clock: Clock) -> SignedIn:
    """Return the person when the password is right, or raise NotAuthenticated, the same for every reason.

    The slow hash is computed before the writer is asked, so that a sign-in never holds up the shop floor.
    What counts is decided there, on the row as it then is: of many attempts made at once, those after the
    last allowed failure are refused even with the right password. An attempt that failed is answered before
    its failure is on disk, so that the time of the answer tells nothing about whether the person exists, is
    locked out or is disabled.
    """
    attempt = try_password(store, person_id=person_id, password=password, at=clock.now())

    def record(session: Session) -> SignedIn | AuthFailure:
        return record_attempt(session, attempt, device=device, at=clock.now())

    if not attempt.matched:
        writer.submit(record)
        raise NotAuthenticated(AuthFailure.WRONG_PASSWORD)
    outcome = writer.write(record)
    if isinstance(outcome, AuthFailure):
        raise NotAuthenticated(outcome)
    return outcome


def try_password(store: Store, *, person_id: str, password: str, at: datetime) -> PasswordAttempt:
    """Compare a password with the stored one, at the same price for everybody; nothing is written.

    For a person who is disabled or locked out no password matches. Raises NotAuthenticated when too many
    are waiting.
    """
    wanted = person_id.strip().casefold()
    with store.reading() as reads:
        row = reads.get(Person, wanted) if PERSON_ID.fullmatch(wanted) else None
        shut = row is None or row.disabled_us is not None or (row.locked_until_us or 0) > micros(at)
        stored = None if row is None else row.password_hash
    if not password_matches(stored, password) or shut or stored is None:
        return PasswordAttempt(wanted, matched=False)
    return PasswordAttempt(wanted, matched=True, tried_hash=stored, better_hash=renewed_hash(stored, password))


def record_attempt(session: Session, attempt: PasswordAttempt, *, device: str, at: datetime) -> SignedIn | AuthFailure:
    """Write down how an attempt ended and return the person, or why not.

    A failure is returned and not raised, because raising would undo the count of failures with the
    transaction. After `FAILURES_BEFORE_LOCK_OUT` failures in a row nobody signs in as this person for
    `LOCK_OUT_SECONDS`; attempts made meanwhile do not prolong it.
    """
    row = session.row(_SIGN_IN_STATE + _LOCKING[session.dialect], {"person_id": attempt.person_id})
    if row is None:
        return AuthFailure.UNKNOWN_PERSON
    stored, disabled_us, failed, locked_until_us, password_set_us = row
    now_us = micros(at)
    if disabled_us is not None:
        return AuthFailure.DISABLED
    if locked_until_us is not None and locked_until_us > now_us:
        return AuthFailure.LOCKED_OUT
    if not attempt.matched or stored != attempt.tried_hash:
        locks = failed + 1 >= FAILURES_BEFORE_LOCK_OUT
        until_us = now_us + LOCK_OUT_SECONDS * _MICROS if locks else None
        counted = {"failed": 0 if locks else failed + 1, "until_us": until_us}
        session.run(_COUNT, counted | {"person_id": attempt.person_id})
        return AuthFailure.WRONG_PASSWORD
    if failed or locked_until_us is not None:
        session.run(_COUNT, {"failed": 0, "until_us": None, "person_id": attempt.person_id})
    if attempt.better_hash is not None:
        session.run(
            "UPDATE people SET password_hash = :password_hash WHERE person_id = :person_id",
            {"password_hash": attempt.better_hash, "person_id": attempt.person_id},
        )
    return SignedIn(_actor_in(session, attempt.person_id, device), now_us // _MICROS, password_set_us)


def change_password(
    session: Session, attempt: PasswordAttempt, *, password: HashedPassword, device: str, at: datetime
) -> SignedIn | AuthFailure:
    """Change one's own password after an attempt with the old one; a failed attempt counts as at sign-in."""
    outcome = record_attempt(session, attempt, device=device, at=at)
    if isinstance(outcome, SignedIn):
        changed = {"person_id": attempt.person_id, "password_hash": password, "at_us": micros(at)}
        session.run(_SET_PASSWORD, changed)
        return replace(outcome, password_set_us=micros(at))
    return outcome


def actor_of(reads: ReadSession, claims: AccessClaims, *, device: str, language: Language | None = None) -> Actor:
    """Return the person whom a valid token names, with the roles of this very moment.

    Raises NotAuthenticated for a person who is gone or disabled, or whose password is not the one that this token's
    holder gave: it is told by when it was set, whatever the clock said at the sign-in. A token that does not say it is
    void once a password was set in a later second than the one in which its holder signed in.
    """
    row = reads.get(Person, claims.subject)
    if row is None:
        raise NotAuthenticated(AuthFailure.UNKNOWN_PERSON)
    if row.disabled_us is not None:
        raise NotAuthenticated(AuthFailure.DISABLED)
    if row.password_set_us is None or not _is_of(claims, row.password_set_us):
        raise NotAuthenticated(AuthFailure.SIGNED_OUT)
    grants = reads.exec(select(RoleGrant).where(RoleGrant.person_id == row.person_id)).all()
    chosen = language or ("zh" if row.language == "zh" else "en")
    pairs = ((grant.plant_number, grant.role) for grant in grants)
    return _actor(row.person_id, row.printed_name, pairs, device, chosen)


def _is_of(claims: AccessClaims, password_set_us: int) -> bool:
    """Tell whether a token was given for the password that was set at that microsecond."""
    if claims.password_set_us is not None:
        return claims.password_set_us == password_set_us
    return claims.authenticated_s >= password_set_us // _MICROS


def _require_over(session: Session, actor: Actor, person_id: str) -> None:
    """Raise unless the actor administers this person: where they belong and wherever they have a role.

    Else the administrator of one plant could set the password of someone with more rights and sign in as
    them. Nobody administers themselves. Who does not administer the group is not told whether an unknown
    person exists.
    """
    person = session.row(_PLANT_OF + _LOCKING[session.dialect], {"person_id": person_id})
    if person is None and may(actor, Permission.PERSON_ADMINISTER, GROUP):
        raise Refusal(RefusalCode.NOT_DEFINED, thing="person", code=person_id)
    if person is None or person_id == actor.actor_id:
        raise NotPermitted(actor, Permission.PERSON_ADMINISTER, GROUP)
    require(actor, Permission.PERSON_ADMINISTER, person[0])
    for number, role in _grants_of(session, person_id):
        _require_grantable(actor, Grant(number, Role(role)))


def _require_grantable(actor: Actor, grant: Grant) -> None:
    if grant.role is Role.PLANT_NODE:
        raise Refusal(RefusalCode.TEXT_INVALID, field="role", rule=", ".join(PERSON_ROLES))
    plant_number = GROUP if grant.role is Role.ADMINISTRATOR else grant.plant_number
    require(actor, Permission.PERSON_ADMINISTER, plant_number)


def _grants_of(session: Session, person_id: str) -> list[tuple[int, str]]:
    rows = session.rows(
        "SELECT plant_number, role FROM role_grants WHERE person_id = :person_id", {"person_id": person_id}
    )
    return [(number, role) for number, role in rows]


def _actor_in(session: Session, person_id: str, device: str) -> Actor:
    found = session.rows(
        "SELECT printed_name, language FROM people WHERE person_id = :person_id", {"person_id": person_id}
    )
    name, language = found[0]
    return _actor(person_id, name, _grants_of(session, person_id), device, "zh" if language == "zh" else "en")


def _actor(person_id: str, name: str, grants: Iterable[tuple[int, str]], device: str, language: Language) -> Actor:
    return Actor(
        actor_id=person_id,
        name=name,
        kind=ActorKind.PERSON,
        grants=frozenset(Grant(number, Role(role)) for number, role in grants),
        device=device_text(device),
        language=language,
    )
