"""People of a node: adding, disabling, role grants, passwords and sign-in."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError

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
from auth.store import Person, RoleGrant, grants_of
from auth.tokens import AccessClaims
from infra.clock import Clock
from infra.database import ReadSession, Session, Store
from infra.messages import SOURCE, Language, find_language
from infra.writer import Writer
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.actors import AuthorKind, author_kind
from plants.rules.values.instants import micros
from plants.rules.values.refusals import NOTHING_CHANGES, RULE_PRINTABLE, TEXT_INVALID, Refusal, message

FAILURES_BEFORE_LOCK_OUT: Final = 5
LOCK_OUT_SECONDS: Final = 900
PERSON_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}", re.ASCII)
PERSON_ID_RULE: Final = message("RULE_PERSON_ID", "2 to 40 of a-z, 0-9, dot, underscore and hyphen")
PERSON_ID_FREE: Final = message("RULE_PERSON_ID_FREE", "a name other than “{person}”: ledgers record a program by it")
ROLE_RULE: Final = message("RULE_ROLE", "one of {roles}")
PERSON_DISABLED: Final = message("PERSON_DISABLED", "{person} is disabled already")
PERSON_ENABLED: Final = message("PERSON_ENABLED", "{person} is not disabled")
ROLE_GRANTED: Final = message("ROLE_GRANTED", "{person} has the role {role} there already")
ROLE_NOT_GRANTED: Final = message("ROLE_NOT_GRANTED", "{person} does not have the role {role} there")
PRINTED_NAME_CHARACTERS_MOST: Final = 80
PERSON_ROLES: Final = tuple(role for role in Role if role is not Role.PLANT_NODE)

_MICROS: Final = 1_000_000


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
    """Add an employee without password or roles, administered by one plant, or by the group when its number is 0.

    Raises NotPermitted, or Refusal: TEXT_INVALID for an invalid id or name or an id that ledgers use for programs,
    CODE_TAKEN for an id in use, also by a disabled person.
    """
    require(actor, Permission.PERSON_ADMINISTER, plant_number)
    if not PERSON_ID.fullmatch(person_id):
        raise Refusal(TEXT_INVALID, field="person", rule=PERSON_ID_RULE())
    if author_kind(person_id) is not AuthorKind.PERSON:
        raise Refusal(TEXT_INVALID, field="person", rule=PERSON_ID_FREE(person=person_id))
    name = printed_name.strip()
    if not 0 < len(name) <= PRINTED_NAME_CHARACTERS_MOST or not name.isprintable():
        raise Refusal(TEXT_INVALID, field="name", rule=RULE_PRINTABLE(length_max=PRINTED_NAME_CHARACTERS_MOST))
    if session.get(Person, person_id) is not None:
        raise Refusal(CODE_TAKEN, code=person_id, thing="person")
    person = Person(person_id=person_id, printed_name=name, plant_number=plant_number, language=language, added_at=at)
    try:
        with session.savepoint():
            session.add(person)
    except IntegrityError:  # added by another transaction in the meantime
        raise Refusal(CODE_TAKEN, code=person_id, thing="person") from None


def disable_person(session: Session, *, actor: Actor, person_id: str, at: datetime) -> None:
    """Disable the person at once: sign-in fails, and issued tokens are invalid.

    Raises NotPermitted, or Refusal: NOT_DEFINED for an unknown person, NOTHING_CHANGES for a disabled one.
    """
    person = _administered(session, actor, person_id)
    if person.disabled_at is not None:
        raise Refusal(NOTHING_CHANGES, why=PERSON_DISABLED(person=person_id))
    person.disabled_at = at


def enable_person(session: Session, *, actor: Actor, person_id: str) -> None:
    """Enable a disabled person, with the same password and roles; raises as `disable_person`."""
    person = _administered(session, actor, person_id)
    if person.disabled_at is None:
        raise Refusal(NOTHING_CHANGES, why=PERSON_ENABLED(person=person_id))
    person.disabled_at = person.locked_until = None
    person.failed_sign_ins = 0


def grant_role(session: Session, *, actor: Actor, person_id: str, grant: Grant, at: datetime) -> None:
    """Grant a role at a plant or in the group.

    The actor must administer both the person and the plant of the grant, and cannot grant roles to themselves. Only
    an administrator of the group grants the role of administrator. Raises NotPermitted, or Refusal: TEXT_INVALID for
    a machine's role, NOT_DEFINED for an unknown person, NOTHING_CHANGES for an existing grant.
    """
    _administered(session, actor, person_id)
    _require_grantable(actor, grant)
    number, role = grant.plant_number, grant.role
    if session.get(RoleGrant, (person_id, number, role)) is not None:
        raise Refusal(NOTHING_CHANGES, why=ROLE_GRANTED(person=person_id, role=role))
    by = actor.actor_id
    session.add(RoleGrant(person_id=person_id, plant_number=number, role=role, granted_by=by, granted_at=at))


def revoke_role(session: Session, *, actor: Actor, person_id: str, grant: Grant) -> None:
    """Revoke a role, with effect from the next request. Raises as `grant_role`."""
    _administered(session, actor, person_id)
    _require_grantable(actor, grant)
    granted = session.get(RoleGrant, (person_id, grant.plant_number, grant.role))
    if granted is None:
        raise Refusal(NOTHING_CHANGES, why=ROLE_NOT_GRANTED(person=person_id, role=grant.role))
    session.delete(granted)


def set_password(session: Session, *, actor: Actor, person_id: str, password: HashedPassword, at: datetime) -> None:
    """Set another person's password, end the lock-out, and invalidate every sign-in made before this second.

    Raises NotPermitted, also for the actor's own password (see `change_password`), or Refusal (NOT_DEFINED) for an
    unknown person.
    """
    _renew_password(_administered(session, actor, person_id), password, at)


@dataclass(frozen=True, slots=True)
class PasswordAttempt:
    """The result of verifying a password, before it is recorded."""

    person_id: str
    matched: bool
    tried_hash: str | None = field(default=None, repr=False)
    better_hash: HashedPassword | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The result of a sign-in: the actor, its second since the epoch, and the microsecond of the last password."""

    actor: Actor
    authenticated_s: int
    password_set_us: int


def sign_in(store: Store, writer: Writer, *, person_id: str, password: str, device: str, clock: Clock) -> SignedIn:
    """Return the person when the password is right; raises NotAuthenticated, the same for every reason.

    The slow hash is computed outside the writer, so that a sign-in does not delay other writes. The writer decides
    on the current row: of concurrent attempts, those after the last allowed failure are refused, even with the right
    password. A failed attempt is answered before it is stored, so that the response time does not reveal whether the
    person exists, is locked out or is disabled.
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
    """Verify a password without writing anything, at the same cost in every case.

    No password matches while the person is disabled or locked out. Raises NotAuthenticated when too many
    verifications are waiting.
    """
    wanted = person_id.strip().casefold()
    with store.reading() as reads:
        row = reads.get(Person, wanted) if PERSON_ID.fullmatch(wanted) else None
        shut = row is None or row.disabled_at is not None or _is_locked_out(row, at)
        stored = None if row is None else row.password_hash
    if not password_matches(stored, password) or shut or stored is None:
        return PasswordAttempt(wanted, matched=False)
    return PasswordAttempt(wanted, matched=True, tried_hash=stored, better_hash=renewed_hash(stored, password))


def record_attempt(session: Session, attempt: PasswordAttempt, *, device: str, at: datetime) -> SignedIn | AuthFailure:
    """Record the result of an attempt and return the person, or the failure.

    A failure is returned instead of raised, because an exception would roll back the count of failures. After
    `FAILURES_BEFORE_LOCK_OUT` consecutive failures the person is locked out for `LOCK_OUT_SECONDS`. Attempts during
    the lock-out do not prolong it.
    """
    person = session.get(Person, attempt.person_id, with_for_update=True)
    if person is None:
        return AuthFailure.UNKNOWN_PERSON
    if person.disabled_at is not None:
        return AuthFailure.DISABLED
    if _is_locked_out(person, at):
        return AuthFailure.LOCKED_OUT
    if not attempt.matched or person.password_hash != attempt.tried_hash or person.password_set_at is None:
        locks = person.failed_sign_ins + 1 >= FAILURES_BEFORE_LOCK_OUT
        person.failed_sign_ins = 0 if locks else person.failed_sign_ins + 1
        person.locked_until = at + timedelta(seconds=LOCK_OUT_SECONDS) if locks else None
        return AuthFailure.WRONG_PASSWORD
    person.failed_sign_ins, person.locked_until = 0, None
    if attempt.better_hash is not None:
        person.password_hash = attempt.better_hash
    actor = _actor(person, grants_of(session, person.person_id), device)
    return SignedIn(actor, micros(at) // _MICROS, micros(person.password_set_at))


def change_password(
    session: Session, attempt: PasswordAttempt, *, password: HashedPassword, device: str, at: datetime
) -> SignedIn | AuthFailure:
    """Change the person's password after an attempt with the old one; a failure counts as at sign-in."""
    outcome = record_attempt(session, attempt, device=device, at=at)
    if isinstance(outcome, SignedIn):
        _renew_password(session.get_one(Person, attempt.person_id), password, at)
        return replace(outcome, password_set_us=micros(at))
    return outcome


def actor_of(reads: ReadSession, claims: AccessClaims, *, device: str, language: Language | None = None) -> Actor:
    """Return the person of a valid token, with the current roles.

    Raises NotAuthenticated where the person is unknown or disabled, or has another password since the sign-in.
    The token names its password by the microsecond at which it was set. An older token without that claim is invalid
    once a password was set in a later second than that of the sign-in.
    """
    row, password_set_us = _enabled(reads, claims.subject)
    if claims.password_set_us is None:
        _check_since(password_set_us, claims.authenticated_s)
    elif claims.password_set_us != password_set_us:
        raise NotAuthenticated(AuthFailure.SIGNED_OUT)
    return _actor(row, grants_of(reads, row.person_id), device, language)


def actor_since(reads: ReadSession, person_id: str, since_s: int) -> Actor:
    """Return the user whom this node named at that second, with the current roles.

    Raises NotAuthenticated where the person is unknown or disabled, or has set a password in a later second.
    """
    row, password_set_us = _enabled(reads, person_id)
    _check_since(password_set_us, since_s)
    return _actor(row, grants_of(reads, row.person_id), "", None)


def _enabled(reads: ReadSession, person_id: str) -> tuple[Person, int]:
    """Return the user, if enabled, and the microsecond at which the password was set."""
    row = reads.get(Person, person_id)
    if row is None:
        raise NotAuthenticated(AuthFailure.UNKNOWN_PERSON)
    if row.disabled_at is not None:
        raise NotAuthenticated(AuthFailure.DISABLED)
    if row.password_set_at is None:
        raise NotAuthenticated(AuthFailure.SIGNED_OUT)
    return row, micros(row.password_set_at)


def _check_since(password_set_us: int, since_s: int) -> None:
    if since_s < password_set_us // _MICROS:
        raise NotAuthenticated(AuthFailure.SIGNED_OUT)


def _administered(session: Session, actor: Actor, person_id: str) -> Person:
    """Return the person, locked, after checking that the actor administers the person's plant and every role.

    Otherwise the administrator of one plant could set the password of someone with more rights and sign in as them.
    Nobody administers themselves. Only an administrator of the group learns whether an unknown person exists.
    """
    person = session.get(Person, person_id, with_for_update=True)
    if person is None and may(actor, Permission.PERSON_ADMINISTER, GROUP):
        raise Refusal(NOT_DEFINED, thing="person", code=person_id)
    if person is None or person_id == actor.actor_id:
        raise NotPermitted(actor, Permission.PERSON_ADMINISTER, GROUP)
    require(actor, Permission.PERSON_ADMINISTER, person.plant_number)
    for grant in grants_of(session, person_id):
        _require_grantable(actor, grant)
    return person


def _require_grantable(actor: Actor, grant: Grant) -> None:
    if grant.role is Role.PLANT_NODE:
        raise Refusal(TEXT_INVALID, field="role", rule=ROLE_RULE(roles=", ".join(PERSON_ROLES)))
    plant_number = GROUP if grant.role is Role.ADMINISTRATOR else grant.plant_number
    require(actor, Permission.PERSON_ADMINISTER, plant_number)


def _is_locked_out(person: Person, at: datetime) -> bool:
    return person.locked_until is not None and person.locked_until > at


def _renew_password(person: Person, password: HashedPassword, at: datetime) -> None:
    person.password_hash, person.password_set_at = password, at
    person.failed_sign_ins, person.locked_until = 0, None


def _actor(person: Person, grants: frozenset[Grant], device: str, language: Language | None = None) -> Actor:
    return Actor(
        actor_id=person.person_id,
        name=person.printed_name,
        kind=ActorKind.PERSON,
        grants=grants,
        device=device_text(device),
        language=language or find_language(person.language) or SOURCE,
    )
