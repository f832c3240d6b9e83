"""People: the permissions to add, disable, reset and promote, and every refusal."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from auth.actors import GROUP, Actor, Grant, Role
from auth.passwords import HashedPassword
from auth.people import (
    PERSON_ID,
    add_person,
    disable_person,
    enable_person,
    grant_role,
    revoke_role,
    set_password,
)
from auth.permissions import NotPermitted
from auth.store import Person, RoleGrant
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.messages import word
from infra.writer import Writer
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.actors import SYSTEM
from plants.rules.values.refusals import NOTHING_CHANGES, TEXT_INVALID, Refusal, RefusalCode
from tests.auth.conftest import PASSWORD
from tests.auth.staff import NOW_S, add, enter, everything, person_actor


@pytest.mark.parametrize(
    "person_id, name, code, field",
    [
        ("", "Li", TEXT_INVALID, "person"),
        ("Li.Wei", "Li", TEXT_INVALID, "person"),
        ("li wei", "Li", TEXT_INVALID, "person"),
        ("李伟", "Li", TEXT_INVALID, "person"),
        ("x" * 41, "Li", TEXT_INVALID, "person"),
        ("system:cli", "Li", TEXT_INVALID, "person"),
        ("system", "Li", TEXT_INVALID, "person"),
        ("wang", "  ", TEXT_INVALID, "name"),
        ("wang", "Li\nWei", TEXT_INVALID, "name"),
        ("wang", "x" * 81, TEXT_INVALID, "name"),
    ],
)
def test_given_an_id_or_name_that_cannot_be_one_then_nobody_is_added(
    *,
    store: Store,
    writer: Writer,
    clock: FixedClock,
    administrator: Actor,
    person_id: str,
    name: str,
    code: RefusalCode,
    field: str,
) -> None:
    with pytest.raises(Refusal) as refused:
        writer.write(
            lambda s: add_person(
                s,
                actor=administrator,
                person_id=person_id,
                printed_name=name,
                plant_number=1,
                language="en",
                at=clock.now(),
            )
        )
    assert (refused.value.code, refused.value.data["field"]) == (code, field)
    assert everything(store) == []


def test_given_the_id_of_a_program_then_the_refusal_says_why_in_both_languages(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    assert PERSON_ID.fullmatch(SYSTEM.person)
    with pytest.raises(Refusal) as refused:
        add(writer, administrator, clock, SYSTEM.person, 1)
    assert word(refused.value, "en") == "The person must be a name other than “system”: ledgers record a program by it."
    assert word(refused.value, "zh") == "工号必须为：“system”以外的名称，账本以它记录程序。"
    assert everything(store) == []


def test_given_an_id_that_was_ever_used_then_no_second_person_gets_it(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    writer.write(lambda s: disable_person(s, actor=administrator, person_id=li, at=clock.now()))
    before = everything(store)
    with pytest.raises(Refusal) as refused:
        add(writer, administrator, clock, li, 1)
    assert refused.value.code is CODE_TAKEN
    assert everything(store) == before


Attack = Callable[[Session, Actor, FixedClock, HashedPassword], None]


def granting(person_id: str, plant_number: int, role: Role) -> Attack:
    grant = Grant(plant_number, role)
    return lambda s, actor, clock, _: grant_role(s, actor=actor, person_id=person_id, grant=grant, at=clock.now())


def revoking(person_id: str, plant_number: int, role: Role) -> Attack:
    grant = Grant(plant_number, role)
    return lambda s, actor, _, __: revoke_role(s, actor=actor, person_id=person_id, grant=grant)


def resetting(person_id: str) -> Attack:
    return lambda s, actor, clock, new: set_password(s, actor=actor, person_id=person_id, password=new, at=clock.now())


def disabling(person_id: str) -> Attack:
    return lambda s, actor, clock, _: disable_person(s, actor=actor, person_id=person_id, at=clock.now())


def enabling(person_id: str) -> Attack:
    return lambda s, actor, _, __: enable_person(s, actor=actor, person_id=person_id)


def adding(plant_number: int) -> Attack:
    return lambda s, actor, clock, _: add_person(
        s,
        actor=actor,
        person_id="new.one",
        printed_name="N",
        plant_number=plant_number,
        language="en",
        at=clock.now(),
    )


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(granting("op1", 1, Role.ADMINISTRATOR), id="makes an administrator of the plant"),
        pytest.param(granting("op1", GROUP, Role.ADMINISTRATOR), id="makes an administrator of the group"),
        pytest.param(granting("op1", GROUP, Role.AUDITOR), id="grants in the group"),
        pytest.param(granting("op1", 2, Role.OPERATOR), id="grants at another plant"),
        pytest.param(granting("admin1", 1, Role.QUALITY), id="grants to themselves"),
        pytest.param(granting("op2", 1, Role.OPERATOR), id="grants to a person of another plant"),
        pytest.param(granting("nobody", 1, Role.OPERATOR), id="grants to nobody"),
        pytest.param(revoking("op1", 2, Role.OPERATOR), id="revokes at another plant what is not granted"),
        pytest.param(revoking("op1", GROUP, Role.AUDITOR), id="revokes in the group what is not granted"),
        pytest.param(revoking("op2", 2, Role.OPERATOR), id="revokes a role of a user of another plant"),
        pytest.param(revoking("hq1", GROUP, Role.HEADQUARTERS), id="revokes a role in the group"),
        pytest.param(resetting("boss"), id="sets the password of an administrator of the group"),
        pytest.param(resetting("hq1"), id="sets the password of their own person with a role in the group"),
        pytest.param(resetting("op2"), id="sets the password of a person of another plant"),
        pytest.param(resetting("new2"), id="sets the password of a new person of another plant"),
        pytest.param(resetting("admin1"), id="sets their own password without the old one"),
        pytest.param(resetting("admin1b"), id="sets the password of a fellow administrator"),
        pytest.param(resetting("nobody"), id="sets the password of nobody"),
        pytest.param(disabling("boss"), id="disables an administrator of the group"),
        pytest.param(disabling("op2"), id="disables a person of another plant"),
        pytest.param(disabling("admin1"), id="disables themselves"),
        pytest.param(enabling("op2"), id="enables a user of another plant"),
        pytest.param(adding(2), id="adds a person at another plant"),
        pytest.param(adding(GROUP), id="adds a person of the group"),
    ],
)
def test_given_the_administrator_of_one_plant_then_nothing_beyond_it_is_allowed(
    *,
    store: Store,
    writer: Writer,
    clock: FixedClock,
    administrator: Actor,
    hashed: HashedPassword,
    attack: Attack,
) -> None:
    add(writer, administrator, clock, "boss", GROUP, Grant(GROUP, Role.ADMINISTRATOR))
    add(writer, administrator, clock, "admin1", 1, Grant(1, Role.ADMINISTRATOR))
    add(writer, administrator, clock, "admin1b", 1, Grant(1, Role.ADMINISTRATOR))
    add(writer, administrator, clock, "hq1", 1, Grant(GROUP, Role.HEADQUARTERS))
    add(writer, administrator, clock, "op1", 1, Grant(1, Role.OPERATOR))
    add(writer, administrator, clock, "op2", 2, Grant(2, Role.OPERATOR))
    add(writer, administrator, clock, "new2", 2)
    before = everything(store)
    actor = person_actor("admin1", Grant(1, Role.ADMINISTRATOR))
    with pytest.raises(NotPermitted):
        writer.write(lambda s: attack(s, actor, clock, hashed))
    assert everything(store) == before


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(granting("boss", GROUP, Role.QUALITY), id="grants to themselves"),
        pytest.param(resetting("boss"), id="sets their own password without the old one"),
        pytest.param(disabling("boss"), id="disables themselves"),
    ],
)
def test_given_an_administrator_of_the_group_then_they_do_not_administer_themselves(
    *,
    store: Store,
    writer: Writer,
    clock: FixedClock,
    administrator: Actor,
    hashed: HashedPassword,
    attack: Attack,
) -> None:
    add(writer, administrator, clock, "boss", GROUP, Grant(GROUP, Role.ADMINISTRATOR))
    before = everything(store)
    boss = person_actor("boss", Grant(GROUP, Role.ADMINISTRATOR))
    with pytest.raises(NotPermitted):
        writer.write(lambda s: attack(s, boss, clock, hashed))
    assert everything(store) == before


def test_given_the_administrator_of_one_plant_then_its_own_people_are_theirs(
    store: Store, writer: Writer, clock: FixedClock, hashed: HashedPassword
) -> None:
    actor = person_actor("admin1", Grant(1, Role.ADMINISTRATOR))
    add(writer, actor, clock, "op1", 1, Grant(1, Role.OPERATOR), Grant(1, Role.QUALITY), password=hashed)
    writer.write(lambda s: revoke_role(s, actor=actor, person_id="op1", grant=Grant(1, Role.OPERATOR)))
    assert enter(store, writer, clock, "op1", PASSWORD).actor.grants == {Grant(1, Role.QUALITY)}
    with store.reading() as reads:
        assert reads.exec(select(RoleGrant.granted_by)).all() == ["admin1"]


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.ADMINISTRATOR, Role.PLANT_NODE}])
def test_given_any_other_role_even_in_the_group_then_nobody_is_administered(
    *, store: Store, writer: Writer, clock: FixedClock, hashed: HashedPassword, li: str, role: Role
) -> None:
    before = everything(store)
    actor = person_actor("x", Grant(GROUP, role))
    for attack in (granting(li, 1, Role.MANAGER), resetting(li), disabling(li), adding(1)):
        with pytest.raises(NotPermitted):
            writer.write(lambda s, attack=attack: attack(s, actor, clock, hashed))  # type: ignore[misc]
    assert everything(store) == before


def test_given_the_role_of_a_plants_node_then_no_person_gets_it(
    *, store: Store, writer: Writer, clock: FixedClock, administrator: Actor, hashed: HashedPassword, li: str
) -> None:
    before = everything(store)
    with pytest.raises(Refusal) as refused:
        writer.write(lambda s: granting(li, 1, Role.PLANT_NODE)(s, administrator, clock, hashed))
    assert refused.value.code is TEXT_INVALID
    assert everything(store) == before


def test_given_what_is_so_already_then_doing_it_again_is_refused_by_name(
    *, store: Store, writer: Writer, clock: FixedClock, administrator: Actor, hashed: HashedPassword, li: str
) -> None:
    absent = Grant(2, Role.QUALITY)
    again: list[Callable[[Session], None]] = [
        lambda s: granting(li, 1, Role.OPERATOR)(s, administrator, clock, hashed),
        lambda s: revoke_role(s, actor=administrator, person_id=li, grant=absent),
        lambda s: enable_person(s, actor=administrator, person_id=li),
    ]
    before = everything(store)
    for work in again:
        with pytest.raises(Refusal) as refused:
            writer.write(work)
        assert refused.value.code is NOTHING_CHANGES
    assert everything(store) == before
    writer.write(lambda s: disabling(li)(s, administrator, clock, hashed))
    clock.advance(seconds=5)
    with pytest.raises(Refusal) as refused:
        writer.write(lambda s: disabling(li)(s, administrator, clock, hashed))
    assert refused.value.code is NOTHING_CHANGES
    with store.reading() as reads:
        assert reads.get_one(Person, li).disabled_at == datetime.fromtimestamp(NOW_S, UTC)


def test_given_an_unknown_person_then_only_an_administrator_of_the_group_is_told(
    writer: Writer, clock: FixedClock, administrator: Actor, hashed: HashedPassword
) -> None:
    with pytest.raises(Refusal) as refused:
        writer.write(lambda s: resetting("nobody")(s, administrator, clock, hashed))
    assert refused.value.code is NOT_DEFINED


def test_given_the_same_id_added_at_once_then_one_of_the_two_is_refused(
    store: Store, administrator: Actor, clock: FixedClock
) -> None:
    added, codes = threading.Event(), []

    def add_once(*, first: bool) -> None:
        try:
            with store.transaction() as session:
                if not first:
                    added.wait(30)
                add_person(
                    session,
                    actor=administrator,
                    person_id="li.wei",
                    printed_name="first" if first else "second",
                    plant_number=1,
                    language="zh",
                    at=clock.now(),
                )
                session.flush()
                if first:
                    added.set()
                    time.sleep(0.3)  # so that the other one meets a row that is not committed yet
        except Refusal as refusal:
            codes.append((first, refusal.code))

    threads = [threading.Thread(target=add_once, kwargs={"first": first}) for first in (True, False)]
    threads[0].start()
    added.wait(30)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert codes == [(False, CODE_TAKEN)]
    with store.reading() as reads:
        assert reads.exec(select(Person.printed_name)).all() == ["first"]
