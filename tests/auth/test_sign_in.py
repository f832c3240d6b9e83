"""Sign-in: its answers, lock-outs, and the end of a token's validity."""

import contextlib
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from auth import people
from auth.actors import Actor, ActorKind, AuthFailure, Grant, NotAuthenticated, Role
from auth.passwords import HashedPassword, hash_password
from auth.people import (
    FAILURES_BEFORE_LOCK_OUT,
    LOCK_OUT_SECONDS,
    SignedIn,
    actor_of,
    change_password,
    disable_person,
    enable_person,
    grant_role,
    record_attempt,
    revoke_role,
    set_password,
    try_password,
)
from auth.store import Person
from auth.tokens import AccessClaims
from infra.clock import FixedClock
from infra.database import Store
from infra.messages import word
from infra.writer import Writer
from tests.auth.conftest import PASSWORD
from tests.auth.staff import NOW_S, add, claims_of, enter, refuse, state_of


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
        NOW_S * 1_000_000,
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
    assert {(failure.failure, word(failure, "en"), word(failure, "zh")) for failure in told} == {
        (
            AuthFailure.WRONG_PASSWORD,
            ("Sign-in failed. Check your employee number and password. After several wrong tries, wait a while."),
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
    until = clock.now() + timedelta(seconds=LOCK_OUT_SECONDS)
    assert counts == [(1, None), (2, None), (3, None), (4, None), (0, until)]
    clock.advance(seconds=LOCK_OUT_SECONDS - 1)
    refuse(store, writer, clock, li, PASSWORD)
    refuse(store, writer, clock, li, "wrong")
    assert state_of(store, li) == (0, until)
    clock.advance(seconds=1)
    assert enter(store, writer, clock, li, PASSWORD).authenticated_s == NOW_S + LOCK_OUT_SECONDS
    assert state_of(store, li) == (0, None)


def test_given_a_success_then_counting_begins_anew(store: Store, writer: Writer, clock: FixedClock, li: str) -> None:
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
    assert state_of(store, li) == (0, clock.now() + timedelta(seconds=LOCK_OUT_SECONDS))


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


def test_given_failures_then_disabled_and_enabled_then_counting_begins_anew(
    *, store: Store, writer: Writer, clock: FixedClock, administrator: Actor, li: str
) -> None:
    def returned() -> None:
        writer.write(lambda s: disable_person(s, actor=administrator, person_id=li, at=clock.now()))
        writer.write(lambda s: enable_person(s, actor=administrator, person_id=li))
        assert state_of(store, li) == (0, None)

    for failures in (4, 5):
        for _ in range(failures):
            refuse(store, writer, clock, li, "wrong")
        returned()
    refuse(store, writer, clock, li, "wrong")
    assert enter(store, writer, clock, li, PASSWORD).actor.actor_id == li


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


def test_given_a_clock_that_went_back_then_a_person_works_on_and_a_new_password_ends_the_token(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    clock.advance(seconds=-86_400)
    claims = claims_of(enter(store, writer, clock, li, PASSWORD))
    with store.reading() as reads:
        assert actor_of(reads, claims, device="").actor_id == li
    other = hash_password("another battery", person_id=li)
    writer.write(lambda s: set_password(s, actor=administrator, person_id=li, password=other, at=clock.now()))
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        actor_of(reads, claims, device="")
    assert refused.value.failure is AuthFailure.SIGNED_OUT
    clock.advance(seconds=86_400)
    again = claims_of(enter(store, writer, clock, li, "another battery"))
    with store.reading() as reads:
        assert actor_of(reads, again, device="").actor_id == li


def test_given_a_token_of_the_release_before_then_its_second_says_whether_it_counts(
    store: Store, writer: Writer, clock: FixedClock, li: str, administrator: Actor
) -> None:
    claims = replace(claims_of(enter(store, writer, clock, li, PASSWORD)), password_set_us=None)
    with store.reading() as reads:
        assert actor_of(reads, claims, device="").actor_id == li
    clock.advance(seconds=1)
    other = hash_password("another battery", person_id=li)
    writer.write(lambda s: set_password(s, actor=administrator, person_id=li, password=other, at=clock.now()))
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        actor_of(reads, claims, device="")
    assert refused.value.failure is AuthFailure.SIGNED_OUT


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
