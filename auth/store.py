"""Tables and queries of people, machines and invitations. They belong to one node and are never replicated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, or_, union_all
from sqlalchemy import select as select_columns  # SQLModel's own is typed for four columns at most
from sqlmodel import Field, SQLModel, col, select

from auth.actors import Grant, Role
from infra import roles
from infra.columns import EnumText, FlagInteger, instant, words
from infra.database import ReadSession, Row, Session
from infra.roles import Keeping, table_options


def _text(*, unique: bool = False) -> Any:
    return Field(sa_type=Text, unique=unique)


def _optional_text(*, unique: bool = False) -> Any:
    return Field(default=None, sa_type=Text, unique=unique)


class Person(SQLModel, table=True):
    """An employee who can sign in at this node.

    `person_id` is the employee number in the whole group and is never given to a second person. `plant_number` is
    the plant that administers the person; 0 is the group. `failed_sign_ins` counts since the last success or lock-out.
    """

    __tablename__ = "people"
    __table_args__ = table_options(Keeping.LOCAL)

    person_id: str = Field(sa_type=Text, primary_key=True)
    printed_name: str = _text()
    plant_number: int = Field(sa_type=Integer)
    language: str = _text()
    password_hash: str | None = Field(default=None, sa_type=Text, repr=False)
    password_set_at: datetime | None = instant("password_set_us", optional=True)
    added_at: datetime = instant("added_us")
    disabled_at: datetime | None = instant("disabled_us", optional=True)
    failed_sign_ins: int = Field(default=0, sa_type=Integer)
    locked_until: datetime | None = instant("locked_until_us", optional=True)


class RoleGrant(SQLModel, table=True):
    """A role at one plant, or in the whole group when the plant number is 0."""

    __tablename__ = "role_grants"
    __table_args__ = table_options(Keeping.LOCAL)

    person_id: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer, primary_key=True)
    role: Role = Field(sa_type=EnumText(Role), primary_key=True)
    granted_by: str = _text()
    granted_at: datetime = instant("granted_us")


class Machine(SQLModel, table=True):
    """A plant's node as enrolled at the hub: the keys of one incarnation and how long they are valid.

    `assertion_key` authenticates requests, `ledger_vkey` verifies the ledger. They are never the same key.
    """

    __tablename__ = "machines"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({roles.Role.HUB}))

    origin: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer)
    code: str = _text()
    kid: str = _text(unique=True)
    assertion_key: str = _text()
    assertion_key_before: str | None = _optional_text()  # valid until the new key was used
    kid_before: str | None = _optional_text()
    kids_past: tuple[str, ...] = words()  # of all replaced keys
    ledger_vkey: str = _text()
    ledger_vkey_before: str | None = _optional_text()  # valid for the first `ledger_vkey_size` entries
    ledger_vkey_size: int | None = Field(default=None, sa_type=BigInteger)
    enrolled_by: str = _text()
    enrolled_at: datetime = instant("enrolled_us")
    revoked_at: datetime | None = instant("revoked_us", optional=True)


class Invitation(SQLModel, table=True):
    """An invitation of a plant into the group by a one-time code, and the keys that the plant presented; one per code.

    `secret_hash` is the hash of the one-time secret, which is not stored. `ledger_key` (raw, as `public_key_text`
    writes it) and `assertion_key` are set when the plant asks, `decided_at` when a user approves or rejects it.
    """

    __tablename__ = "invitations"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({roles.Role.HUB}))

    code: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer)
    name: str = _text()
    secret_hash: str = Field(sa_type=Text, repr=False)
    invited_by: str = _text()
    invited_at: datetime = instant("invited_us")
    expires_at: datetime = instant("expires_us")
    attempts: int = Field(default=0, sa_type=Integer)
    ledger_key: str | None = _optional_text()
    assertion_key: str | None = _optional_text()
    kid: str | None = _optional_text(unique=True)
    asked_at: datetime | None = instant("asked_us", optional=True)
    decided_at: datetime | None = instant("decided_us", optional=True)
    approved: bool | None = Field(default=None, sa_type=FlagInteger)


def machine_columns(assertion_key: Any) -> Any:
    """Return the query of `EnrolledMachine`, with the column of the key that authenticates."""
    one = Machine
    vkeys = one.ledger_vkey, one.ledger_vkey_before, one.ledger_vkey_size
    columns: tuple[Any, ...] = one.plant_number, one.code, one.origin, assertion_key, *vkeys, one.kid_before
    return select_columns(*columns)


# Every request of a plant runs these. They read columns, because a mapped row costs several times as much.
NOT_REVOKED: Final = col(Machine.revoked_at).is_(None)
WITH_KID: Final = Machine.kid == bindparam("kid")
WITH_KID_BEFORE: Final = Machine.kid_before == bindparam("kid")
ENROLLED_MACHINES: Final = machine_columns(Machine.assertion_key).where(NOT_REVOKED).order_by(Machine.plant_number)
MACHINE_BY_KID: Final = machine_columns(Machine.assertion_key).where(NOT_REVOKED, WITH_KID)
MACHINE_BY_KID_BEFORE: Final = machine_columns(Machine.assertion_key_before).where(NOT_REVOKED, WITH_KID_BEFORE)


def grants_of(session: Session | ReadSession, person_id: str) -> frozenset[Grant]:
    """Return the person's roles."""
    found = session.exec(select(RoleGrant).where(RoleGrant.person_id == person_id))
    return frozenset(Grant(grant.plant_number, grant.role) for grant in found)


def printed_names(reads: ReadSession, person_ids: Iterable[str]) -> dict[str, str]:
    """Return the printed names of the people that this node knows, by employee number."""
    found = select(Person.person_id, Person.printed_name).where(col(Person.person_id).in_(set(person_ids)))
    return dict(reads.exec(found).all())


def roles_by_person(reads: ReadSession) -> dict[str, int]:
    """Return the number of roles of each person who may sign in, by employee number."""
    roles_held = func.count(col(RoleGrant.role))
    held = select(Person.person_id, roles_held).outerjoin(RoleGrant, col(RoleGrant.person_id) == Person.person_id)
    enabled = held.where(col(Person.disabled_at).is_(None))
    return dict(reads.exec(enabled.group_by(Person.person_id).order_by(Person.person_id)).all())


def enrolled_rows(session: Session | ReadSession) -> list[Row]:
    """Return the columns of every machine that was not revoked, by plant number."""
    return session.rows(ENROLLED_MACHINES)


def enrolled_row(session: Session | ReadSession, kid: str) -> Row | None:
    """Return the columns of the machine whose current or previous assertion key has this id."""
    given = {"kid": kid}
    found = session.rows(MACHINE_BY_KID, given) or session.rows(MACHINE_BY_KID_BEFORE, given)
    return found[0] if found else None


def machine_of(session: Session, plant_number: int, code: str) -> Machine | None:
    """Return a machine with this plant number or this code, revoked ones included."""
    one = Machine
    return session.exec(select(one).where(or_(col(one.plant_number) == plant_number, col(one.code) == code))).first()


def number_of_plant(reads: ReadSession, code: str) -> int | None:
    """Return the number of an enrolled or revoked plant by its code, or None where this node knows none."""
    found = select(Machine.plant_number).where(Machine.code == code).order_by(col(Machine.revoked_at).is_not(None))
    return reads.exec(found).first()


def machine_with_key(session: Session, ledger_vkey: str) -> Machine | None:
    """Return the machine that has or had this ledger key."""
    one = Machine
    either = or_(col(one.ledger_vkey) == ledger_vkey, col(one.ledger_vkey_before) == ledger_vkey)
    return session.exec(select(one).where(either)).first()


def kid_is_known(session: Session | ReadSession, kid: str) -> bool:
    """Return whether an assertion key is or was a machine's."""
    return any(kid in (one, *past) for one, past in session.exec(select(Machine.kid, Machine.kids_past)))


def kid_is_invited(session: Session | ReadSession, kid: str) -> bool:
    """Return whether a plant presented this assertion key with its one-time code."""
    return session.exec(select(Invitation.code).where(Invitation.kid == kid)).first() is not None


def all_invitations(reads: ReadSession) -> list[Invitation]:
    """Return every invitation, by plant number."""
    one = Invitation
    return list(reads.exec(select(one).order_by(col(one.plant_number), col(one.code))))


def undecided_invitation(reads: ReadSession, kid: str) -> Invitation | None:
    """Return the undecided invitation of the plant that presented this assertion key."""
    one = Invitation
    return reads.exec(select(one).where(one.kid == kid, col(one.decided_at).is_(None))).first()


def invited_number(session: Session, plant_number: int, code: str) -> Invitation | None:
    """Return the invitation, not rejected, of another plant with this number."""
    one = Invitation
    valid = or_(col(one.approved).is_(None), col(one.approved) == True)  # noqa: E712 -- SQL.
    return session.exec(select(one).where(one.plant_number == plant_number, one.code != code, valid)).first()


def largest_number(session: Session) -> int:
    """Return the largest plant number of all machines and invitations, or 0."""
    numbers = union_all(
        select(func.max(Machine.plant_number).label("number")), select(func.max(Invitation.plant_number))
    ).subquery()
    return session.exec(select(func.max(numbers.c.number))).one() or 0


def delete_invitation(session: Session, code: str) -> None:
    """Delete the invitation of a plant, if there is one."""
    session.exec(delete(Invitation).where(col(Invitation.code) == code))
