"""Access tokens of people and assertions of plants: Ed25519 signatures, verified according to RFC 8725."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from auth.actors import AuthFailure, NotAuthenticated
from auth.keys import SigningKey, VerificationKeys
from infra.clock import Clock
from infra.ids import new_id

ALGORITHM: Final = "EdDSA"
ACCESS_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 -- a media type, not a secret.
ASSERTION_TYPE: Final = "plant-assertion+jwt"
ACCESS_TOKEN_SECONDS: Final = 600
ASSERTION_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 5
"""The accepted difference between the clocks of two nodes."""

TOKEN_CHARACTERS_MOST: Final = 2_048
JTI_CHARACTERS_MOST: Final = 64
REPLAYS_REMEMBERED_PER_PLANT: Final = 8_192
"""Unexpired assertions of one plant; further ones are refused until some expire."""

_ACCESS_CLAIMS: Final = ("iss", "aud", "sub", "exp", "iat", "jti", "auth_time")
_PASSWORD_SET: Final = "password_set_us"  # noqa: S105 -- the name of a claim.
_ASSERTION_CLAIMS: Final = ("iss", "aud", "sub", "exp", "iat", "jti")
_HEADERS: Final = {"alg", "kid", "typ"}
_JTI: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{JTI_CHARACTERS_MOST}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of a valid access token. They grant no permission.

    `password_set_us` names the password by the microsecond at which it was set; None in tokens without that claim.
    """

    subject: str
    token_id: str
    issued_s: int
    expires_s: int
    authenticated_s: int
    password_set_us: int | None = None


@dataclass(frozen=True, slots=True)
class AssertionClaims:
    """The claims of a plant's valid assertion."""

    origin: str
    token_id: str
    issued_s: int
    expires_s: int


class AssertionKey(Protocol):
    """A plant's enrolled key with its ledger origin."""

    @property
    def origin(self) -> str:
        """The only origin that assertions signed with this key may name."""
        ...

    @property
    def public_key(self) -> Ed25519PublicKey:
        """The public key."""
        ...


class AccessTokens:
    """Issues and verifies access tokens of people at one node.

    A token is valid for `ACCESS_TOKEN_SECONDS`, for exactly one issuer and one audience, and names its key by `kid`.
    Roles are looked up at each request, so that revoking a role has effect at once.
    """

    def __init__(
        self, *, issuer: str, audience: str, signing_key: SigningKey, keys: VerificationKeys, clock: Clock
    ) -> None:
        if keys.find(signing_key.kid) is None:
            msg = "the signing key is not among the verification keys"
            raise ValueError(msg)
        self._issuer = issuer
        self._audience = audience
        self._signing_key = signing_key
        self._keys = keys
        self._clock = clock

    def issue(self, person_id: str, *, authenticated_s: int, password_set_us: int | None = None) -> str:
        """Return a token for the person who signed in at that second since the epoch."""
        issued_s = int(self._clock.now().timestamp())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": person_id,
            "iat": issued_s,
            "exp": issued_s + ACCESS_TOKEN_SECONDS,
            "auth_time": authenticated_s,
            "jti": new_id(),
        }
        if password_set_us is not None:
            claims[_PASSWORD_SET] = password_set_us
        return _sign(claims, self._signing_key, ACCESS_TOKEN_TYPE)

    def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid token; raises NotAuthenticated for any other text."""
        key = self._keys.find(_key_id(token, ACCESS_TOKEN_TYPE))
        if key is None:
            raise NotAuthenticated(AuthFailure.UNKNOWN_KEY)
        claims = _verified_claims(token, key, _ACCESS_CLAIMS)
        if claims["iss"] != self._issuer:
            raise NotAuthenticated(AuthFailure.WRONG_ISSUER)
        now_s = int(self._clock.now().timestamp())
        issued_s, expires_s = _life(claims, self._audience, now_s, ACCESS_TOKEN_SECONDS)
        authenticated_s = _seconds(claims, "auth_time")
        if authenticated_s > issued_s + LEEWAY_SECONDS:
            raise NotAuthenticated(AuthFailure.BAD_CLAIMS)
        password_set_us = _seconds(claims, _PASSWORD_SET) if _PASSWORD_SET in claims else None
        who = _text(claims, "sub")
        return AccessClaims(who, _token_id(claims), issued_s, expires_s, authenticated_s, password_set_us)


def issue_assertion(signing_key: SigningKey, *, origin: str, hub_issuer: str, clock: Clock) -> str:
    """Return an assertion that authenticates a plant at the hub, once, within `ASSERTION_SECONDS`.

    The only audience is the hub's issuer identifier, so that the hub refuses an assertion made for another server
    (draft-ietf-oauth-rfc7523bis).
    """
    issued_s = int(clock.now().timestamp())
    claims: dict[str, object] = {
        "iss": origin,
        "sub": origin,
        "aud": hub_issuer,
        "iat": issued_s,
        "exp": issued_s + ASSERTION_SECONDS,
        "jti": new_id(),
    }
    return _sign(claims, signing_key, ASSERTION_TYPE)


class ReplayMemory:
    """Stores the used assertions until they expire.

    The memory belongs to this process. An assertion could be used once at each process of the hub, and once more
    after a restart, within `ASSERTION_SECONDS`. Replication requests are idempotent, so a replay changes nothing.
    Above `REPLAYS_REMEMBERED_PER_PLANT` the assertions of an origin are refused, so that one plant cannot displace
    those of another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expiries_s: dict[str, dict[str, int]] = {}

    def remember(self, claims: AssertionClaims, now_s: int) -> None:
        """Store an assertion; raises NotAuthenticated when it was used before or the limit is reached."""
        with self._lock:
            seen = self._expiries_s.setdefault(claims.origin, {})
            if claims.token_id in seen:
                raise NotAuthenticated(AuthFailure.REPLAYED)
            if len(seen) >= REPLAYS_REMEMBERED_PER_PLANT:
                for token_id in [known for known, expires_s in seen.items() if expires_s + LEEWAY_SECONDS <= now_s]:
                    del seen[token_id]
            if len(seen) >= REPLAYS_REMEMBERED_PER_PLANT:
                raise NotAuthenticated(AuthFailure.TOO_MANY)
            seen[claims.token_id] = claims.expires_s


class Assertions:
    """Verifies the assertions of plants at the hub.

    An assertion must name this hub as audience and the key's origin as issuer and subject, be valid for at most
    `ASSERTION_SECONDS`, and be unused. `find_key` returns the enrolled, not revoked key of a `kid`, or None.
    """

    def __init__(self, *, hub_issuer: str, clock: Clock) -> None:
        self._hub_issuer = hub_issuer
        self._clock = clock
        self._replays = ReplayMemory()

    def verify(self, assertion: str, find_key: Callable[[str], AssertionKey | None]) -> AssertionClaims:
        """Return the claims of a valid, unused assertion and record its use; raises NotAuthenticated."""
        key = find_key(_key_id(assertion, ASSERTION_TYPE))
        if key is None:
            raise NotAuthenticated(AuthFailure.UNKNOWN_KEY)
        claims = _verified_claims(assertion, key.public_key, _ASSERTION_CLAIMS)
        if claims["iss"] != key.origin:
            raise NotAuthenticated(AuthFailure.WRONG_ISSUER)
        if claims["sub"] != key.origin:
            raise NotAuthenticated(AuthFailure.WRONG_SUBJECT)
        now_s = int(self._clock.now().timestamp())
        issued_s, expires_s = _life(claims, self._hub_issuer, now_s, ASSERTION_SECONDS)
        verified = AssertionClaims(key.origin, _token_id(claims), issued_s, expires_s)
        self._replays.remember(verified, now_s)
        return verified


def _sign(claims: dict[str, object], signing_key: SigningKey, token_type: str) -> str:
    headers = {"typ": token_type, "kid": signing_key.kid}
    return jwt.encode(claims, signing_key.reveal(), algorithm=ALGORITHM, headers=headers)


def _key_id(token: str, token_type: str) -> str:
    """Return the key id in a token's header, whose parameters are exactly those of `_HEADERS`.

    So `jku`, `jwk`, `x5u`, `x5c` (keys of the sender's choice), `crit` and `b64` are refused.
    """
    if len(token) > TOKEN_CHARACTERS_MOST or not token.isascii():
        raise NotAuthenticated(AuthFailure.MALFORMED)
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise NotAuthenticated(AuthFailure.MALFORMED) from error
    if header.get("typ") != token_type:
        raise NotAuthenticated(AuthFailure.WRONG_TYPE)
    if set(header) != _HEADERS or header["alg"] != ALGORITHM:
        raise NotAuthenticated(AuthFailure.WRONG_HEADER)
    return str(header["kid"])


def _verified_claims(token: str, key: Ed25519PublicKey, required: tuple[str, ...]) -> Mapping[str, object]:
    """Return the claims of a token with a valid signature and every required claim.

    PyJWT's checks of times are off because they read the machine's clock; `_life` uses the node's clock.
    """
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            options={
                "require": list(required),
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "enforce_minimum_key_length": True,
            },
        )
    except jwt.InvalidSignatureError as error:
        raise NotAuthenticated(AuthFailure.BAD_SIGNATURE) from error
    except jwt.InvalidTokenError as error:
        raise NotAuthenticated(AuthFailure.BAD_CLAIMS) from error


def _life(claims: Mapping[str, object], audience: str, now_s: int, seconds_most: int) -> tuple[int, int]:
    """Return the times of issue and expiry of a token, after checking its audience and validity."""
    if claims["aud"] != audience:
        raise NotAuthenticated(AuthFailure.WRONG_AUDIENCE)
    issued_s, expires_s = _seconds(claims, "iat"), _seconds(claims, "exp")
    not_before_s = _seconds(claims, "nbf") if "nbf" in claims else issued_s
    if max(issued_s, not_before_s) > now_s + LEEWAY_SECONDS:
        raise NotAuthenticated(AuthFailure.NOT_YET_VALID)
    if expires_s <= now_s - LEEWAY_SECONDS:
        raise NotAuthenticated(AuthFailure.EXPIRED)
    if not 0 < expires_s - issued_s <= seconds_most:
        raise NotAuthenticated(AuthFailure.LIVES_TOO_LONG)
    return issued_s, expires_s


def _seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims[name]
    if type(value) is not int or value < 0:
        raise NotAuthenticated(AuthFailure.BAD_CLAIMS)
    return value


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise NotAuthenticated(AuthFailure.BAD_CLAIMS)
    return value


def _token_id(claims: Mapping[str, object]) -> str:
    value = _text(claims, "jti")
    if not _JTI.fullmatch(value):
        raise NotAuthenticated(AuthFailure.BAD_CLAIMS)
    return value
