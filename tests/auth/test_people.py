"""People: who may administer whom, what a sign-in answers, and when nobody gets in any more."""

import contextlib
import threading
from collections.abc import Callable

import pytest
from sqlmodel import col, select

from auth import people
from auth.actors import GROUP, Actor, ActorKind, AuthFailure, Grant, NotAuthenticated, Role
from auth.passwords import HashedPassword, hash_password
from auth.people import (
    FAILURES_BEFORE_LOCK_OUT,
    LOCK_OUT_SECONDS,
    SignedIn,
    actor_of,
    add_person,
    change_password,
    disable_person,
    enable_person,
    grant_role,
    record_attempt,
    revoke_role,
    set_password,
    sign_in,
    try_password,
)
from auth.permissions import NotPermitted
from auth.store import Person, RoleGrant
from auth.tokens import AccessClaims
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.writer import Writer
from plants.rules.refusals import Refusal, RefusalCode
from tests.auth.conftest import PASSWORD

NOW_S = 1_773_475_200


@pytest.fixture
def li(writer: Writer, administrator: Actor, clock: FixedClock, hashed: HashedPassword) -> str:
    """An operator of plant 1 who has a password."""
    return add(writer, administrator, clock, "li.wei", 1, Grant(1, Role.OPERATOR), password=hashed)


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


def refuse(
    store: Store, writer: Writer, clock: FixedClock, person_id: str, password: str
) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as refused:
        enter(store, writer, clock, person_id, password)
    writer.write(lambda session: session.row("SELECT 1"))  # The failure is written before this is.
    return refused.value


def state_of(store: Store, person_id: str) -> tuple[int, int | None]:
    with store.reading() as reads:
        row = reads.get_one(Person, person_id)
        return row.failed_sign_ins, row.locked_until_us


def claims_of(signed_in: SignedIn) -> AccessClaims:
    at = signed_in.authenticated_s
    return AccessClaims(signed_in.actor.actor_id, "t", at, at + 600, at)


def test_given_the_right_password_then_the_person_enters_with_their_roles(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    signed_in = enter(store, writer, clock, li, PASSWORD)
    assert signed_in == SignedIn(
        Actor(
            actor_id="li.wei",
            name="Li.Wei",
            kind=ActorKind.PERSON,
            grants=frozenset({Grant(1, Role.OPERATOR)}),
            device="TC52",
            language="zh",
        ),
        NOW_S,
    )
    with store.reading() as reads:
        assert actor_of(reads, claims_of(signed_in), device="TC52") == signed_in.actor
        assert actor_of(reads, claims_of(signed_in), device="", language="en").language == "en"


def test_given_a_person_then_a_command_records_id_name_and_device(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    author = enter(store, writer, clock, li, PASSWORD).actor.author
    assert (author.person, author.printed_name, author.device) == ("li.wei", "Li.Wei", "TC52")


@pytest.mark.parametrize("typed", ["LI.WEI", " li.wei ", "Li.Wei\n"])
def test_given_the_id_typed_in_another_way_then_it_is_the_same_person(
    store: Store, writer: Writer, clock: FixedClock, li: str, typed: str
) -> None:
    assert enter(store, writer, clock, typed, PASSWORD).actor.actor_id == li


def test_given_any_reason_to_fail_then_the_caller_is_told_the_same_and_nobody_enters(
    *,
    store: Store,
    writer: Writer,
    clock: FixedClock,
    administrator: Actor,
    hashed: HashedPassword,
    li: str,
) -> None:
    add(writer, administrator, clock, "no.password", 1)
    add(writer, administrator, clock, "disabled", 1, password=hashed)
    add(writer, administrator, clock, "locked", 1, password=hashed)
    writer.write(lambda s: disable_person(s, actor=administrator, person_id="disabled", at=clock.now()))
    for _ in range(FAILURES_BEFORE_LOCK_OUT):
        refuse(store, writer, clock, "locked", "wrong")
    told = [
        refuse(store, writer, clock, "nobody.here", PASSWORD),
        refuse(store, writer, clock, "' OR 1=1 --", PASSWORD),
        refuse(store, writer, clock, "", PASSWORD),
        refuse(store, writer, clock, "\ud800", PASSWORD),
        refuse(store, writer, clock, "no.password", PASSWORD),
        refuse(store, writer, clock, "no.password", ""),
        refuse(store, writer, clock, li, "wrong"),
        refuse(store, writer, clock, "disabled", PASSWORD),
        refuse(store, writer, clock, "locked", PASSWORD),
    ]
    assert {(failure.failure, failure.message("en"), failure.message("zh")) for failure in told} == {
        (
            AuthFailure.WRONG_PASSWORD,
            "Sign-in failed. Check your employee number and password. "
            "After several wrong tries, wait a while.",
            "登录失败。请核对工号和密码；多次输错后请稍候再试。",
        )
    }


def test_given_five_failures_then_the_right_password_is_refused_until_the_lock_out_ends(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    counts = []
    for _ in range(5):
        refuse(store, writer, clock, li, "wrong")
        counts.append(state_of(store, li))
    until_us = (NOW_S + LOCK_OUT_SECONDS) * 1_000_000
    assert counts == [(1, None), (2, None), (3, None), (4, None), (0, until_us)]
    clock.advance(seconds=LOCK_OUT_SECONDS - 1)
    refuse(store, writer, clock, li, PASSWORD)
    refuse(store, writer, clock, li, "wrong")
    assert state_of(store, li) == (0, until_us)
    clock.advance(seconds=1)
    assert enter(store, writer, clock, li, PASSWORD).authenticated_s == NOW_S + LOCK_OUT_SECONDS
    assert state_of(store, li) == (0, None)


def test_given_a_success_then_counting_begins_anew(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    for _ in range(3):
        for _ in range(4):
            refuse(store, writer, clock, li, "wrong")
        enter(store, writer, clock, li, PASSWORD)
    assert state_of(store, li) == (0, None)


def test_given_guesses_all_tried_before_any_was_counted_then_the_right_one_comes_too_late(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    at = clock.now()
    guesses = [try_password(store, person_id=li, password=f"wrong {n}", at=at) for n in range(5)]
    right = try_password(store, person_id=li, password=PASSWORD, at=at)
    assert right.matched
    answers = [
        writer.write(lambda s, guess=guess: record_attempt(s, guess, device="", at=at))  # type: ignore[misc]
        for guess in (*guesses, right)
    ]
    assert answers == [AuthFailure.WRONG_PASSWORD] * 5 + [AuthFailure.LOCKED_OUT]


def test_given_five_wrong_sign_ins_at_once_then_every_failure_is_counted(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    entered = []

    def guess() -> None:
        with contextlib.suppress(NotAuthenticated):
            entered.append(enter(store, writer, clock, li, "wrong"))

    threads = [threading.Thread(target=guess) for _ in range(FAILURES_BEFORE_LOCK_OUT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.write(lambda session: session.row("SELECT 1"))
    assert entered == []
    assert state_of(store, li) == (0, (NOW_S + LOCK_OUT_SECONDS) * 1_000_000)


def test_given_the_password_was_changed_meanwhile_then_an_attempt_with_the_old_one_fails(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    attempt = try_password(store, person_id=li, password=PASSWORD, at=clock.now())
    other = hash_password("another battery", person_id=li)
    writer.write(lambda s: set_password(s, actor=administrator, person_id=li, password=other, at=clock.now()))
    answer = writer.write(lambda s: record_attempt(s, attempt, device="", at=clock.now()))
    assert answer is AuthFailure.WRONG_PASSWORD
    assert state_of(store, li) == (1, None)


def test_given_an_attempt_then_its_text_shows_no_hash(
    store: Store, clock: FixedClock, li: str, hashed: HashedPassword
) -> None:
    attempt = try_password(store, person_id=li, password=PASSWORD, at=clock.now())
    assert attempt.tried_hash == hashed
    assert repr(attempt) == "PasswordAttempt(person_id='li.wei', matched=True)"
    with store.reading() as reads:
        row = reads.get_one(Person, li)
        assert hashed not in repr(row)
        assert hashed not in str(row)


def test_given_an_older_hash_then_signing_in_replaces_it_and_ends_no_session(
    store: Store, writer: Writer, clock: FixedClock, li: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = hash_password(PASSWORD, person_id=li)
    monkeypatch.setattr(people, "renewed_hash", lambda _stored, _password: newer)
    before = enter(store, writer, clock, li, PASSWORD)
    monkeypatch.undo()
    with store.reading() as reads:
        assert reads.get_one(Person, li).password_hash == newer
        assert actor_of(reads, claims_of(before), device="TC52") == before.actor
    enter(store, writer, clock, li, PASSWORD)


def test_given_a_role_granted_or_revoked_then_it_counts_at_the_next_request(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    claims = claims_of(enter(store, writer, clock, li, PASSWORD))

    def roles() -> set[Grant]:
        with store.reading() as reads:
            return set(actor_of(reads, claims, device="").grants)

    quality = Grant(2, Role.QUALITY)
    writer.write(lambda s: grant_role(s, actor=administrator, person_id=li, grant=quality, at=clock.now()))
    assert roles() == {Grant(1, Role.OPERATOR), quality}
    writer.write(lambda s: revoke_role(s, actor=administrator, person_id=li, grant=Grant(1, Role.OPERATOR)))
    assert roles() == {quality}


def test_given_a_person_disabled_then_their_token_counts_for_nothing_until_they_are_enabled(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    claims = claims_of(enter(store, writer, clock, li, PASSWORD))
    writer.write(lambda s: disable_person(s, actor=administrator, person_id=li, at=clock.now()))
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        actor_of(reads, claims, device="")
    assert refused.value.failure is AuthFailure.DISABLED
    writer.write(lambda s: enable_person(s, actor=administrator, person_id=li))
    with store.reading() as reads:
        assert actor_of(reads, claims, device="").actor_id == li
    enter(store, writer, clock, li, PASSWORD)


def test_given_a_person_locked_out_by_others_then_their_own_token_still_counts(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    claims = claims_of(enter(store, writer, clock, li, PASSWORD))
    for _ in range(FAILURES_BEFORE_LOCK_OUT):
        refuse(store, writer, clock, li, "wrong")
    with store.reading() as reads:
        assert actor_of(reads, claims, device="").actor_id == li


def test_given_a_new_password_then_tokens_of_before_count_for_nothing_and_a_lock_out_ends(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    claims = claims_of(enter(store, writer, clock, li, PASSWORD))
    for _ in range(FAILURES_BEFORE_LOCK_OUT):
        refuse(store, writer, clock, li, "wrong")
    clock.advance(seconds=1)
    other = hash_password("another battery", person_id=li)
    writer.write(lambda s: set_password(s, actor=administrator, person_id=li, password=other, at=clock.now()))
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        actor_of(reads, claims, device="")
    assert refused.value.failure is AuthFailure.SIGNED_OUT
    refuse(store, writer, clock, li, PASSWORD)
    enter(store, writer, clock, li, "another battery")


def test_given_a_token_of_a_person_unknown_here_then_it_counts_for_nothing(store: Store) -> None:
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        actor_of(reads, AccessClaims("ghost", "t", NOW_S, NOW_S + 600, NOW_S), device="")
    assert refused.value.failure is AuthFailure.UNKNOWN_PERSON


def test_given_the_old_password_then_a_person_changes_it_and_without_it_not(
    store: Store, writer: Writer, clock: FixedClock, li: str
) -> None:
    other = hash_password("another battery", person_id=li)
    for tried, entered in (("wrong", False), (PASSWORD, True)):
        attempt = try_password(store, person_id=li, password=tried, at=clock.now())
        answer = writer.write(
            lambda s, attempt=attempt: change_password(  # type: ignore[misc]
                s, attempt, password=other, device="", at=clock.now()
            )
        )
        assert isinstance(answer, SignedIn) is entered
        with store.reading() as reads:
            assert (reads.get_one(Person, li).password_hash == other) is entered
    enter(store, writer, clock, li, "another battery")


@pytest.mark.parametrize(
    "person_id, name, code, field",
    [
        ("", "Li", RefusalCode.TEXT_INVALID, "person"),
        ("Li.Wei", "Li", RefusalCode.TEXT_INVALID, "person"),
        ("li wei", "Li", RefusalCode.TEXT_INVALID, "person"),
        ("李伟", "Li", RefusalCode.TEXT_INVALID, "person"),
        ("x" * 41, "Li", RefusalCode.TEXT_INVALID, "person"),
        ("system:cli", "Li", RefusalCode.TEXT_INVALID, "person"),
        ("wang", "  ", RefusalCode.TEXT_INVALID, "name"),
        ("wang", "Li\nWei", RefusalCode.TEXT_INVALID, "name"),
        ("wang", "x" * 81, RefusalCode.TEXT_INVALID, "name"),
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


def test_given_an_id_that_was_ever_used_then_no_second_person_gets_it(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    writer.write(lambda s: disable_person(s, actor=administrator, person_id=li, at=clock.now()))
    before = everything(store)
    with pytest.raises(Refusal) as refused:
        add(writer, administrator, clock, li, 1)
    assert refused.value.code is RefusalCode.CODE_TAKEN
    assert everything(store) == before


Attack = Callable[[Session, Actor, FixedClock, HashedPassword], None]


def granting(person_id: str, plant_number: int, role: Role) -> Attack:
    grant = Grant(plant_number, role)
    return lambda s, actor, clock, _: grant_role(
        s, actor=actor, person_id=person_id, grant=grant, at=clock.now()
    )


def resetting(person_id: str) -> Attack:
    return lambda s, actor, clock, new: set_password(
        s, actor=actor, person_id=person_id, password=new, at=clock.now()
    )


def disabling(person_id: str) -> Attack:
    return lambda s, actor, clock, _: disable_person(s, actor=actor, person_id=person_id, at=clock.now())


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
        pytest.param(resetting("boss"), id="sets the password of an administrator of the group"),
        pytest.param(resetting("hq1"), id="sets the password of their own person with a role in the group"),
        pytest.param(resetting("op2"), id="sets the password of a person of another plant"),
        pytest.param(resetting("admin1"), id="sets their own password without the old one"),
        pytest.param(resetting("admin1b"), id="sets the password of a fellow administrator"),
        pytest.param(resetting("nobody"), id="sets the password of nobody"),
        pytest.param(disabling("boss"), id="disables an administrator of the group"),
        pytest.param(disabling("op2"), id="disables a person of another plant"),
        pytest.param(disabling("admin1"), id="disables themselves"),
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
    before = everything(store)
    actor = person_actor("admin1", Grant(1, Role.ADMINISTRATOR))
    with pytest.raises(NotPermitted):
        writer.write(lambda s: attack(s, actor, clock, hashed))
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
    assert refused.value.code is RefusalCode.TEXT_INVALID
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
        assert refused.value.code is RefusalCode.NOTHING_CHANGES
    assert everything(store) == before
    writer.write(lambda s: disabling(li)(s, administrator, clock, hashed))
    clock.advance(seconds=5)
    with pytest.raises(Refusal) as refused:
        writer.write(lambda s: disabling(li)(s, administrator, clock, hashed))
    assert refused.value.code is RefusalCode.NOTHING_CHANGES
    with store.reading() as reads:
        assert reads.get_one(Person, li).disabled_us == NOW_S * 1_000_000


def test_given_an_unknown_person_then_only_an_administrator_of_the_group_is_told(
    writer: Writer, clock: FixedClock, administrator: Actor, hashed: HashedPassword
) -> None:
    with pytest.raises(Refusal) as refused:
        writer.write(lambda s: resetting("nobody")(s, administrator, clock, hashed))
    assert refused.value.code is RefusalCode.NOT_DEFINED
