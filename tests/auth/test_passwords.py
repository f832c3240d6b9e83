"""Passwords: argon2id with our parameters, the same work for everybody, and rules that name no password."""

import os
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError

from auth import passwords
from auth.actors import AuthFailure, NotAuthenticated
from auth.passwords import hash_password, password_matches, renewed_hash
from plants.rules.values.refusals import TEXT_INVALID, Refusal
from tests.auth.conftest import PASSWORD


def test_given_a_password_then_it_is_kept_as_argon2id_with_the_named_parameters() -> None:
    hashed = hash_password(PASSWORD, person_id="li.wei")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=3,p=1$")
    assert extract_parameters(hashed).salt_len == 16
    assert extract_parameters(hashed).hash_len == 32
    assert hash_password(PASSWORD, person_id="li.wei") != hashed


def test_given_a_hash_then_only_its_own_password_matches() -> None:
    hashed = hash_password(PASSWORD, person_id="li.wei")
    assert password_matches(hashed, PASSWORD)
    for wrong in (
        "",
        PASSWORD + " ",
        PASSWORD[:-1],
        PASSWORD.upper(),
        PASSWORD + "\x00",
        "\ud800" * 12,
        "x" * 100_000,
    ):
        assert not password_matches(hashed, wrong)


def test_given_another_input_method_then_the_same_password_matches() -> None:
    hashed = hash_password("工厂密码abc12345é", person_id="li.wei")
    assert password_matches(hashed, "工厂密码ａｂｃ１２３４５e\u0301")


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "elevenchars",
        "a" * 30,
        "abababababab",
        "my-li.wei-password",
        "MY-LI.WEI-PASSWORD",
        "abcdefghijkl" * 22,
        "ﬃ" * 3,
    ],
)
def test_given_a_weak_password_then_it_is_refused_without_being_repeated(weak: str) -> None:
    with pytest.raises(Refusal) as refused:
        hash_password(weak, person_id="li.wei")
    assert refused.value.code is TEXT_INVALID
    assert refused.value.data["field"] == "password"
    if weak:
        assert weak not in str(refused.value)


def test_given_the_longest_and_shortest_allowed_passwords_then_both_work() -> None:
    for allowed in ("abcdefghijkl", "abcdefgh" * 32):
        assert password_matches(hash_password(allowed, person_id="li.wei"), allowed)


def test_given_no_hash_then_nothing_matches_at_the_same_price(hashed: str) -> None:
    def seconds(stored: str | None) -> float:
        started = time.perf_counter()
        assert not password_matches(stored, "not the password")
        return time.perf_counter() - started

    known = min(seconds(hashed) for _ in range(5))
    unknown = min(seconds(None) for _ in range(5))
    assert 0.5 < known / unknown < 2
    assert not password_matches(None, PASSWORD)


def test_given_todays_parameters_then_a_hash_is_not_renewed(hashed: str) -> None:
    assert renewed_hash(hashed, PASSWORD) is None


def test_given_older_parameters_then_the_hash_is_renewed_for_the_same_password() -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    assert password_matches(older, PASSWORD)
    renewed = renewed_hash(older, PASSWORD)
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=19456,t=3,p=1$")
    assert password_matches(renewed, PASSWORD)


def test_given_a_damaged_hash_then_it_is_not_taken_for_a_wrong_password() -> None:
    with pytest.raises(InvalidHashError):
        password_matches("md5:" + os.urandom(8).hex(), PASSWORD)


def test_given_too_many_at_once_then_an_attempt_is_refused_instead_of_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    monkeypatch.setattr(passwords, "HASH_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(passwords, "_TURNS", threading.BoundedSemaphore(1))
    passwords._TURNS.acquire()  # noqa: SLF001 -- as another attempt in progress would.
    with pytest.raises(NotAuthenticated) as refused:
        password_matches(hashed, PASSWORD)
    assert refused.value.failure is AuthFailure.TOO_MANY
