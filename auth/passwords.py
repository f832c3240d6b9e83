"""Local passwords: argon2id hashes, verification in constant work, and the password rule."""

import base64
import os
import threading
import unicodedata
from typing import Final, NewType

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from auth.actors import AuthFailure, NotAuthenticated
from plants.rules.values.refusals import TEXT_INVALID, Refusal, message

HashedPassword = NewType("HashedPassword", str)
"""An encoded argon2id hash of a password that satisfies the rule; only this module makes one."""

PASSWORD_CHARACTERS_LEAST: Final = 12
PASSWORD_CHARACTERS_MOST: Final = 256
PASSWORD_DIFFERENT_CHARACTERS_LEAST: Final = 5
PASSWORD_RULE: Final = message(
    "RULE_PASSWORD",
    "{least}-{most} characters, at least {different} different ones, without the employee number",
)(least=PASSWORD_CHARACTERS_LEAST, most=PASSWORD_CHARACTERS_MOST, different=PASSWORD_DIFFERENT_CHARACTERS_LEAST)

TIME_COST_PASSES: Final = 3
MEMORY_COST_KIBIBYTES: Final = 19_456
PARALLEL_LANES: Final = 1
HASH_BYTES: Final = 32
SALT_BYTES: Final = 16
HASH_WAIT_SECONDS: Final = 10.0
HASHES_AT_ONCE: Final = 2
"""Hashes computed concurrently; further ones wait, which bounds the memory that sign-ins use."""

# One pass more than the minimum of the OWASP password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
_HASHER: Final = PasswordHasher(
    time_cost=TIME_COST_PASSES,
    memory_cost=MEMORY_COST_KIBIBYTES,
    parallelism=PARALLEL_LANES,
    hash_len=HASH_BYTES,
    salt_len=SALT_BYTES,
    type=Type.ID,
)
_TURNS: Final = threading.BoundedSemaphore(HASHES_AT_ONCE)


def _random_text(size_bytes: int) -> str:
    return base64.b64encode(os.urandom(size_bytes)).rstrip(b"=").decode("ascii")


# A hash that no password has: attempts for an unknown person are verified against it, at full cost.
_NOBODYS_HASH: Final = (
    f"$argon2id$v=19$m={MEMORY_COST_KIBIBYTES},t={TIME_COST_PASSES},p={PARALLEL_LANES}"
    f"${_random_text(SALT_BYTES)}${_random_text(HASH_BYTES)}"
)


def _as_typed(password: str) -> str:
    """Return the password in Unicode form NFKC, which is equal for every input method."""
    return unicodedata.normalize("NFKC", password[: 4 * PASSWORD_CHARACTERS_MOST])


def hash_password(password: str, *, person_id: str) -> HashedPassword:
    """Return the encoded argon2id hash of a new password, with its salt and parameters.

    Raises Refusal (TEXT_INVALID) for a password that breaks `PASSWORD_RULE`; the refusal does not contain it.
    """
    typed = _as_typed(password)
    if (
        not PASSWORD_CHARACTERS_LEAST <= len(typed) <= PASSWORD_CHARACTERS_MOST
        or len(set(typed)) < PASSWORD_DIFFERENT_CHARACTERS_LEAST
        or person_id.casefold() in typed.casefold()
    ):
        raise Refusal(TEXT_INVALID, field="password", rule=PASSWORD_RULE)
    return _hash(typed)


def password_matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password has this hash, at the cost of one argon2id computation in every case.

    Without a hash (an unknown person, or no password set) the computation runs too and the result is False. Raises
    NotAuthenticated after waiting `HASH_WAIT_SECONDS` for other computations. An invalid stored hash raises argon2's
    VerificationError or InvalidHashError: the store is damaged.
    """
    tried = _as_typed(password).encode("utf-8", "surrogatepass")
    if not _TURNS.acquire(timeout=HASH_WAIT_SECONDS):
        raise NotAuthenticated(AuthFailure.TOO_MANY)
    try:
        _HASHER.verify(password_hash or _NOBODYS_HASH, tried)
    except VerifyMismatchError:
        return False
    finally:
        _TURNS.release()
    return password_hash is not None


def renewed_hash(password_hash: str, password: str) -> HashedPassword | None:
    """Return a hash of the matching password with the current parameters, or None when it has them already."""
    return _hash(_as_typed(password)) if _HASHER.check_needs_rehash(password_hash) else None


def _hash(typed: str) -> HashedPassword:
    with _TURNS:
        return HashedPassword(_HASHER.hash(typed.encode("utf-8", "surrogatepass")))
