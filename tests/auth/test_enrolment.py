"""One-time codes and invitations: mistyped, used, expired and guessed codes are refused."""

from datetime import timedelta

import pytest
from sqlmodel import SQLModel

from auth import enrolment
from auth.actors import Actor, NotAuthenticated, system_actor
from auth.enrolment import ALPHABET, ATTEMPTS_MAX, CodeMistyped, OneTimeCode, WrongCodes, fingerprint, hub_key_digest
from auth.keys import public_key_text
from auth.notes import generate_key
from auth.permissions import NotPermitted
from infra.clock import FixedClock
from infra.database import Store
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.values.refusals import Refusal

HUB_KEY = "acme.example/hub/i1+deadbeef+AQ=="


@pytest.fixture(autouse=True)
def table(store: Store) -> None:
    SQLModel.metadata.create_all(store.engine, tables=[SQLModel.metadata.tables["invitations"]])


def keys() -> tuple[str, str]:
    return public_key_text(generate_key().public_key()), public_key_text(generate_key().public_key())


def invited(store: Store, actor: Actor, clock: FixedClock, code: str = "SH1", number: int | None = None) -> OneTimeCode:
    with store.transaction() as session:
        made, _ = enrolment.invite(
            session, actor=actor, code=code, number=number, name="Shanghai 1", hub_key=HUB_KEY, now=clock.now()
        )
    return made


def taken(store: Store, clock: FixedClock, code: OneTimeCode, shown: tuple[str, str]) -> str | None:
    with store.transaction() as session:
        found = enrolment.present_keys(session, code.plant, code.secret, shown, clock.now())
    return None if found is None else found.fingerprint


def test_a_code_is_read_as_it_is_typed() -> None:
    code = OneTimeCode.new("SH1", HUB_KEY)
    shown = str(code)

    assert len(code.secret) * 5 >= 128
    assert code.hub == hub_key_digest(HUB_KEY)
    assert code.secret not in repr(code)
    for typed in (shown, shown.lower(), f"  {shown} ", shown.replace("-", "", 2).replace("SH1", "SH1-", 1)):
        assert OneTimeCode.read(typed) == code
    assert OneTimeCode.read("SH1-" + shown[4:].replace("1", "I").replace("0", "O")) == code


@pytest.mark.parametrize("position", range(4, 54, 7))
def test_a_mistyped_character_is_noticed(position: int) -> None:
    shown = str(OneTimeCode.new("SH1", HUB_KEY))
    position += shown[position] == "-"
    other = ALPHABET[(ALPHABET.index(shown[position]) + 1) % len(ALPHABET)]
    for wrong in (shown[:position] + other + shown[position + 1 :], shown[:position] + shown[position + 1 :]):
        with pytest.raises(CodeMistyped):
            OneTimeCode.read(wrong)
    with pytest.raises(CodeMistyped):
        OneTimeCode.read("SH2" + shown[3:])


def test_a_code_is_used_once_and_again_only_with_the_same_keys(
    store: Store, administrator: Actor, clock: FixedClock
) -> None:
    code, mine, others = invited(store, administrator, clock), keys(), keys()

    assert taken(store, clock, code, mine) == fingerprint(*mine)
    assert taken(store, clock, code, others) is None
    clock.advance(days=3)
    assert taken(store, clock, code, mine) == fingerprint(*mine)
    with store.reading() as reads:
        (one,) = enrolment.invitations(reads)
    assert (one.number, one.waits, one.fingerprint) == (1, True, fingerprint(*mine))
    with store.transaction() as session:
        assert code.secret not in str(session.rows("SELECT * FROM invitations"))


def test_a_code_runs_out_after_a_day(store: Store, administrator: Actor, clock: FixedClock) -> None:
    code = invited(store, administrator, clock)
    clock.advance(hours=24)

    assert taken(store, clock, code, keys()) is None
    code = invited(store, administrator, clock)
    assert taken(store, clock, code, keys()) is not None


def test_guesses_are_counted_and_end_the_invitation(store: Store, administrator: Actor, clock: FixedClock) -> None:
    code = invited(store, administrator, clock)
    for _ in range(ATTEMPTS_MAX):
        assert taken(store, clock, OneTimeCode.new("SH1", HUB_KEY), keys()) is None
    assert taken(store, clock, code, keys()) is None
    assert taken(store, clock, OneTimeCode.new("ZZ9", HUB_KEY), keys()) is None


def test_keys_that_are_none_or_known_are_refused(store: Store, administrator: Actor, clock: FixedClock) -> None:
    first, second = invited(store, administrator, clock), invited(store, administrator, clock, "SZ2")
    mine = keys()
    assert taken(store, clock, first, mine) is not None
    for wrong in (mine, (mine[0], mine[0]), (mine[0], "x"), ("x", mine[1])):
        with pytest.raises(ValueError, match="key"):
            taken(store, clock, second, wrong)
    with store.reading() as reads:
        assert [one.waits for one in enrolment.invitations(reads)] == [True, False]


def test_a_number_or_code_of_another_is_refused(store: Store, administrator: Actor, clock: FixedClock) -> None:
    invited(store, administrator, clock, "SH1", 7)
    with pytest.raises(Refusal) as refused:
        invited(store, administrator, clock, "SZ2", 7)
    assert refused.value.code is CODE_TAKEN
    invited(store, administrator, clock, "SZ2")
    with pytest.raises(NotPermitted):
        invited(store, system_actor("cli"), clock, "NB3")
    with store.reading() as reads:
        assert [(one.code, one.number) for one in enrolment.invitations(reads)] == [("SH1", 7), ("SZ2", 8)]


def test_a_decision_is_about_the_fingerprint_that_was_seen(
    store: Store, administrator: Actor, clock: FixedClock
) -> None:
    code, mine = invited(store, administrator, clock), keys()
    shown = taken(store, clock, code, mine)
    assert shown is not None
    for given, named in (("SH1", fingerprint(*keys())), ("SZ2", shown)):
        with pytest.raises(Refusal), store.transaction() as session:
            enrolment.decide(session, actor=administrator, code=given, shown=named, approved=True, now=clock.now())
    with store.transaction() as session:
        enrolment.decide(session, actor=administrator, code="SH1", shown=shown, approved=False, now=clock.now())
    assert taken(store, clock, code, mine) is None
    with store.reading() as reads:
        (one,) = enrolment.invitations(reads)
        assert (one.waits, one.approved) == (False, False)
        assert enrolment.waiting_key(reads, "x") is None


def test_too_many_wrong_codes_then_nobody_is_heard_for_a_while(clock: FixedClock) -> None:
    wrong = WrongCodes(limit=3, seconds=60)
    for _ in range(3):
        wrong.check(clock.now())
        wrong.count(clock.now())
    with pytest.raises(NotAuthenticated):
        wrong.check(clock.now())
    wrong.check(clock.now() + timedelta(seconds=61))
