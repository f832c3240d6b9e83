"""Test people: adding them, signing them in, and reading their rows."""

from datetime import datetime

import pytest
from sqlmodel import col, select

from auth.actors import Actor, ActorKind, Grant, NotAuthenticated
from auth.passwords import HashedPassword
from auth.people import (
    SignedIn,
    add_person,
    grant_role,
    set_password,
    sign_in,
)
from auth.store import Person, RoleGrant
from auth.tokens import AccessClaims
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.writer import Writer

NOW_S = 1_773_475_200


def add(
    writer: Writer,
    actor: Actor,
    clock: FixedClock,
    person_id: str,
    plant_number: int,
    *grants: Grant,
    password: HashedPassword | None = None,
) -> str:
    def work(session: Session) -> None:
        add_person(
            session,
            actor=actor,
            person_id=person_id,
            printed_name=person_id.title(),
            plant_number=plant_number,
            language="zh",
            at=clock.now(),
        )
        for grant in grants:
            grant_role(session, actor=actor, person_id=person_id, grant=grant, at=clock.now())
        if password is not None:
            set_password(session, actor=actor, person_id=person_id, password=password, at=clock.now())

    writer.write(work)
    return person_id


def everything(store: Store) -> list[object]:
    """All rows of both tables, to show that nothing changed."""
    with store.reading() as reads:
        persons = reads.exec(select(Person).order_by(col(Person.person_id))).all()
        grants = reads.exec(select(RoleGrant).order_by(col(RoleGrant.person_id), col(RoleGrant.role))).all()
        return [row.model_dump() for row in (*persons, *grants)]


def person_actor(person_id: str, *grants: Grant) -> Actor:
    return Actor(actor_id=person_id, name=person_id, kind=ActorKind.PERSON, grants=frozenset(grants))


def enter(store: Store, writer: Writer, clock: FixedClock, person_id: str, password: str) -> SignedIn:
    return sign_in(store, writer, person_id=person_id, password=password, device="TC52", clock=clock)


def refuse(store: Store, writer: Writer, clock: FixedClock, person_id: str, password: str) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as refused:
        enter(store, writer, clock, person_id, password)
    writer.write(lambda session: session.row("SELECT 1"))  # The failure is written before this is.
    return refused.value


def state_of(store: Store, person_id: str) -> tuple[int, datetime | None]:
    with store.reading() as reads:
        row = reads.get_one(Person, person_id)
        return row.failed_sign_ins, row.locked_until


def claims_of(signed_in: SignedIn) -> AccessClaims:
    at = signed_in.authenticated_s
    return AccessClaims(signed_in.actor.actor_id, "t", at, at + 600, at, signed_in.password_set_us)
