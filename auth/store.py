"""The tables of people and machines: of one node alone, never replicated, never rebuilt from a ledger."""

from typing import Any

from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import Field, SQLModel

from infra.roles import Keeping, Role, table_options


def _text(*, unique: bool = False) -> Any:
    return Field(sa_type=Text, unique=unique)


def _instant() -> Any:
    return Field(default=None, sa_type=BigInteger)


class Person(SQLModel, table=True):
    """A person who can sign in at this node.

    `person_id` is the employee number in the whole group, never given to a second person; `plant_number` is
    where the person is administered (0: by the group). `failed_sign_ins` counts since the last success or
    lock-out.
    """

    __tablename__ = "people"
    __table_args__ = table_options(Keeping.LOCAL)

    person_id: str = Field(sa_type=Text, primary_key=True)
    printed_name: str = _text()
    plant_number: int = Field(sa_type=Integer)
    language: str = _text()
    password_hash: str | None = Field(default=None, sa_type=Text, repr=False)
    password_set_us: int | None = _instant()
    added_us: int = Field(sa_type=BigInteger)
    disabled_us: int | None = _instant()
    failed_sign_ins: int = Field(default=0, sa_type=Integer)
    locked_until_us: int | None = _instant()


class RoleGrant(SQLModel, table=True):
    """One role that a person has at one plant, or in the group when the plant number is 0."""

    __tablename__ = "role_grants"
    __table_args__ = table_options(Keeping.LOCAL)

    person_id: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer, primary_key=True)
    role: str = Field(sa_type=Text, primary_key=True)
    granted_by: str = _text()
    granted_us: int = Field(sa_type=BigInteger)


class Machine(SQLModel, table=True):
    """A plant's node as the hub knows it: the keys of one incarnation, and from when to when they count.

    `assertion_key` proves who asks, `ledger_vkey` proves what was written; they are never the same key.
    """

    __tablename__ = "machines"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    origin: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer)
    code: str = _text()
    kid: str = _text(unique=True)
    assertion_key: str = _text()
    assertion_key_before: str | None = Field(default=None, sa_type=Text)  # counts until the new one was used
    kid_before: str | None = Field(default=None, sa_type=Text)
    kids_past: str | None = Field(default=None, sa_type=Text)  # of every key given up, separated by spaces
    ledger_vkey: str = _text()
    ledger_vkey_before: str | None = Field(default=None, sa_type=Text)  # still counts up to ledger_vkey_size entries
    ledger_vkey_size: int | None = Field(default=None, sa_type=BigInteger)
    enrolled_by: str = _text()
    enrolled_us: int = Field(sa_type=BigInteger)
    revoked_us: int | None = _instant()


class Invitation(SQLModel, table=True):
    """A plant that was asked into the group by a one-time code, and what it showed of itself; one for each code.

    Of the one-time code only a hash is kept. `ledger_key` (raw, as `public_key_text` writes it) and `assertion_key`
    are there once the plant has asked, `decided_us` once a person has approved or rejected what it showed.
    """

    __tablename__ = "invitations"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    code: str = Field(sa_type=Text, primary_key=True)
    plant_number: int = Field(sa_type=Integer)
    name: str = _text()
    secret_hash: str = _text()
    invited_by: str = _text()
    invited_us: int = Field(sa_type=BigInteger)
    expires_us: int = Field(sa_type=BigInteger)
    attempts: int = Field(default=0, sa_type=Integer)
    ledger_key: str | None = Field(default=None, sa_type=Text)
    assertion_key: str | None = Field(default=None, sa_type=Text)
    kid: str | None = Field(default=None, sa_type=Text, unique=True)
    asked_us: int | None = _instant()
    decided_us: int | None = _instant()
    approved: int | None = Field(default=None, sa_type=Integer)
