"""Local passwords: argon2id hashes, the same work for everybody, and rules that keep them hard to guess."""

import base64
import os
import threading
import unicodedata
from typing import Final, NewType

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from auth.actors import AuthFailure, NotAuthenticated
from plants.rules.values.refusals import Refusal, RefusalCode

HashedPassword = NewType("HashedPassword", str)
"""An encoded argon2id hash of a password that keeps the rules; only this module makes one."""

PASSWORD_CHARACTERS_LEAST: Final = 12
PASSWORD_CHARACTERS_MOST: Final = 256
PASSWORD_DIFFERENT_CHARACTERS_LEAST: Final = 5
PASSWORD_RULE: Final = (
    f"{PASSWORD_CHARACTERS_LEAST}-{PASSWORD_CHARACTERS_MOST} characters, at least "
    f"{PASSWORD_DIFFERENT_CHARACTERS_LEAST} different ones, without the employee number / "
    f"{PASSWORD_CHARACTERS_LEAST}-{PASSWORD_CHARACTERS_MOST} 个字符，至少 "
    f"{PASSWORD_DIFFERENT_CHARACTERS_LEAST} 种不同字符，且不含工号"
)

TIME_COST_PASSES: Final = 3
MEMORY_COST_KIBIBYTES: Final = 19_456
PARALLEL_LANES: Final = 1
HASH_BYTES: Final = 32
SALT_BYTES: Final = 16
HASH_WAIT_SECONDS: Final = 10.0
HASHES_AT_ONCE: Final = 2
"""Hashes computed side by side; the rest wait, so that sign-ins cannot eat a small plant server's memory."""

# One pass more than the least that the OWASP password storage cheat sheet asks for: 19 MiB, 2 passes, 1 lane.
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


# A hash that no password has: attempts for an unknown person are measured against it, at the full price.
_NOBODYS_HASH: Final = (
    f"$argon2id$v=19$m={MEMORY_COST_KIBIBYTES},t={TIME_COST_PASSES},p={PARALLEL_LANES}"
    f"${_random_text(SALT_BYTES)}${_random_text(HASH_BYTES)}"
)


def _as_typed(password: str) -> str:
    """Return the password in Unicode form NFKC, so that every input method types the same one."""
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
        raise Refusal(RefusalCode.TEXT_INVALID, field="password", rule=PASSWORD_RULE)
    return _hash(typed)


def password_matches(password_hash: str | None, password: str) -> bool:
    """Say whether the password is the one that was hashed, at the price of one argon2id computation always.

    Without a hash (no such person, or no password was ever set) the work is done all the same and the
    answer is no. Raises NotAuthenticated when others are computing for longer than `HASH_WAIT_SECONDS`. A
    stored hash that is none raises argon2's VerificationError or InvalidHashError: that is damage, not a
    wrong password.
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
    """Return a hash of the matching password with today's parameters, or None when it already has them."""
    return _hash(_as_typed(password)) if _HASHER.check_needs_rehash(password_hash) else None


def _hash(typed: str) -> HashedPassword:
    with _TURNS:
        return HashedPassword(_HASHER.hash(typed.encode("utf-8", "surrogatepass")))
