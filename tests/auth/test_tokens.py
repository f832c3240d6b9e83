"""The attacks on tokens and assertions, each against real signatures, with the reason each is refused for."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from auth.actors import SIGN_IN_FAILED, AuthFailure, NotAuthenticated
from auth.keys import SigningKey, VerificationKeys
from auth.notes import generate_key
from auth.tokens import (
    REPLAYS_REMEMBERED_PER_PLANT,
    AccessClaims,
    AccessTokens,
    AssertionClaims,
    Assertions,
    ReplayMemory,
    issue_assertion,
)
from infra.clock import FixedClock
from infra.messages import languages, word

ISSUER = "https://hub.example"
AUDIENCE = "https://hub.example/graphql"
ORIGIN = "example.org/plant/P01/a1"
NOW = 1_773_475_200  # the second of FixedClock
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
PLANT_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))

ACCESS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "li.wei",
    "iat": NOW,
    "exp": NOW + 600,
    "jti": "t1",
    "auth_time": NOW,
}
ASSERTION = {"iss": ORIGIN, "sub": ORIGIN, "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": "a1"}


@dataclass(frozen=True, slots=True)
class Enrolled:
    origin: str
    public_key: Ed25519PublicKey


def find_key(kid: str) -> Enrolled | None:
    return Enrolled(ORIGIN, PLANT_KEY.public_key) if kid == PLANT_KEY.kid else None


def access_tokens(clock: FixedClock, signing_key: SigningKey = KEY, *older: SigningKey) -> AccessTokens:
    ring = VerificationKeys(key.public_key for key in (signing_key, *older))
    return AccessTokens(issuer=ISSUER, audience=AUDIENCE, signing_key=signing_key, keys=ring, clock=clock)


def forged(claims: dict[str, Any], key: SigningKey = KEY, typ: str = "at+jwt", **headers: Any) -> str:
    return jwt.encode(claims, key.reveal(), "EdDSA", {"typ": typ, "kid": key.kid} | headers)


def asserted(claims: dict[str, Any], key: SigningKey = PLANT_KEY, **headers: Any) -> str:
    return forged(claims, key, "plant-assertion+jwt", **headers)


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def access_failure(token: str) -> AuthFailure:
    with pytest.raises(NotAuthenticated) as refused:
        access_tokens(FixedClock()).verify(token)
    return refused.value.failure


def assertion_failure(assertion: str) -> AuthFailure:
    with pytest.raises(NotAuthenticated) as refused:
        Assertions(hub_issuer=ISSUER, clock=FixedClock()).verify(assertion, find_key)
    return refused.value.failure


def test_given_an_issued_token_then_it_says_who_and_when_and_nothing_of_roles(clock: FixedClock) -> None:
    tokens = access_tokens(clock)
    token = tokens.issue("li.wei", authenticated_s=NOW - 30)
    said = tokens.verify(token)
    assert said == AccessClaims("li.wei", said.token_id, NOW, NOW + 600, NOW - 30)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": KEY.kid, "typ": "at+jwt"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "auth_time"}
    assert tokens.verify(tokens.issue("li.wei", authenticated_s=NOW)).token_id != said.token_id
    token = tokens.issue("li.wei", authenticated_s=NOW, password_set_us=NOW * 1_000_000 + 1)
    assert tokens.verify(token).password_set_us == NOW * 1_000_000 + 1


def test_given_ten_minutes_and_the_leeway_then_a_token_has_expired(clock: FixedClock) -> None:
    tokens = access_tokens(clock)
    token = tokens.issue("li.wei", authenticated_s=NOW)
    clock.advance(seconds=604)
    assert tokens.verify(token).subject == "li.wei"
    clock.advance(seconds=1)
    with pytest.raises(NotAuthenticated) as refused:
        tokens.verify(token)
    assert refused.value.failure is AuthFailure.EXPIRED


def test_given_a_signing_key_outside_the_ring_then_there_are_no_tokens(clock: FixedClock) -> None:
    with pytest.raises(ValueError, match="not among"):
        AccessTokens(
            issuer=ISSUER,
            audience=AUDIENCE,
            signing_key=KEY,
            keys=VerificationKeys([STRANGER.public_key]),
            clock=clock,
        )


def test_given_a_new_key_then_old_tokens_hold_until_the_old_key_is_dropped(clock: FixedClock) -> None:
    old_token = access_tokens(clock, KEY).issue("li.wei", authenticated_s=NOW)
    rotating = access_tokens(clock, STRANGER, KEY)
    assert rotating.verify(old_token).subject == "li.wei"
    assert rotating.verify(rotating.issue("li.wei", authenticated_s=NOW)).subject == "li.wei"
    with pytest.raises(NotAuthenticated) as refused:
        access_tokens(clock, STRANGER).verify(old_token)
    assert refused.value.failure is AuthFailure.UNKNOWN_KEY


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_given_alg_none_then_refused(alg: str) -> None:
    unsigned = f"{segment({'alg': alg, 'typ': 'at+jwt', 'kid': KEY.kid})}.{segment(ACCESS)}."
    assert access_failure(unsigned) is AuthFailure.WRONG_HEADER


def test_given_a_mac_made_with_the_public_key_then_refused() -> None:
    public = KEY.public_key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (
        pem,
        pem.strip(),
        public.public_bytes_raw(),
        base64.urlsafe_b64encode(public.public_bytes_raw()),
    ):
        for alg in ("HS256", "EdDSA"):
            signed = f"{segment({'alg': alg, 'typ': 'at+jwt', 'kid': KEY.kid})}.{segment(ACCESS)}"
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            expected = AuthFailure.WRONG_HEADER if alg == "HS256" else AuthFailure.BAD_SIGNATURE
            assert access_failure(f"{signed}.{segment(mac)}") is expected


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "Ed25519", "eddsa"])
def test_given_another_algorithm_in_the_header_then_refused(alg: str) -> None:
    _, claims, signature = forged(ACCESS).split(".")
    header = segment({"alg": alg, "typ": "at+jwt", "kid": KEY.kid})
    assert access_failure(f"{header}.{claims}.{signature}") is AuthFailure.WRONG_HEADER


def test_given_a_changed_claim_or_another_key_behind_the_same_kid_then_the_signature_fails() -> None:
    header, _, signature = forged(ACCESS).split(".")
    assert access_failure(f"{header}.{segment(ACCESS | {'sub': 'admin'})}.{signature}") is AuthFailure.BAD_SIGNATURE
    assert access_failure(forged(ACCESS, STRANGER, kid=KEY.kid)) is AuthFailure.BAD_SIGNATURE


@pytest.mark.parametrize(
    "change, failure",
    [
        ({"iss": ISSUER + "/"}, AuthFailure.WRONG_ISSUER),
        ({"iss": ISSUER[:-1]}, AuthFailure.WRONG_ISSUER),
        ({"iss": "https://hub.example.evil.example"}, AuthFailure.WRONG_ISSUER),
        ({"aud": ISSUER}, AuthFailure.WRONG_AUDIENCE),
        ({"aud": [AUDIENCE]}, AuthFailure.WRONG_AUDIENCE),
        ({"aud": [AUDIENCE, "https://evil.example"]}, AuthFailure.WRONG_AUDIENCE),
        ({"exp": NOW - 5, "iat": NOW - 600}, AuthFailure.EXPIRED),
        ({"exp": NOW + 601}, AuthFailure.LIVES_TOO_LONG),
        ({"exp": NOW + 10**9}, AuthFailure.LIVES_TOO_LONG),
        ({"iat": NOW + 3, "exp": NOW + 2}, AuthFailure.LIVES_TOO_LONG),
        ({"iat": NOW + 6, "exp": NOW + 100}, AuthFailure.NOT_YET_VALID),
        ({"nbf": NOW + 6}, AuthFailure.NOT_YET_VALID),
        ({"auth_time": NOW + 6}, AuthFailure.BAD_CLAIMS),
        ({"auth_time": -1}, AuthFailure.BAD_CLAIMS),
        ({"nbf": "soon"}, AuthFailure.BAD_CLAIMS),
        ({"iat": float(NOW)}, AuthFailure.BAD_CLAIMS),
        ({"exp": str(NOW + 600)}, AuthFailure.BAD_CLAIMS),
        ({"exp": True}, AuthFailure.BAD_CLAIMS),
        ({"exp": float("inf")}, AuthFailure.BAD_CLAIMS),
        ({"sub": ""}, AuthFailure.BAD_CLAIMS),
        ({"sub": ["li.wei"]}, AuthFailure.BAD_CLAIMS),
        ({"jti": ""}, AuthFailure.BAD_CLAIMS),
        ({"jti": "x" * 65}, AuthFailure.BAD_CLAIMS),
        ({"jti": "a\nb"}, AuthFailure.BAD_CLAIMS),
        ({"jti": 7}, AuthFailure.BAD_CLAIMS),
    ],
)
def test_given_a_wrong_claim_under_a_right_signature_then_refused(change: dict[str, Any], failure: AuthFailure) -> None:
    header = {"typ": "at+jwt", "kid": KEY.kid}
    claims = json.dumps(ACCESS | change).encode()
    assert access_failure(jwt.PyJWS().encode(claims, KEY.reveal(), "EdDSA", header)) is failure


@pytest.mark.parametrize("claim", sorted(ACCESS))
def test_given_a_token_without_one_claim_then_refused(claim: str) -> None:
    assert access_failure(forged({name: ACCESS[name] for name in ACCESS if name != claim})) is AuthFailure.BAD_CLAIMS
    header = {"typ": "at+jwt", "kid": KEY.kid}
    empty = jwt.PyJWS().encode(json.dumps(ACCESS | {claim: None}).encode(), KEY.reveal(), "EdDSA", header)
    assert access_failure(empty) is AuthFailure.BAD_CLAIMS


@pytest.mark.parametrize("claim", sorted(ASSERTION))
def test_given_an_assertion_without_one_claim_then_refused(claim: str) -> None:
    without = {name: ASSERTION[name] for name in ASSERTION if name != claim}
    assert assertion_failure(asserted(without)) is AuthFailure.BAD_CLAIMS


@pytest.mark.parametrize("typ", ["JWT", "jwt", "AT+JWT", "application/at+jwt", "plant-assertion+jwt", ""])
def test_given_another_type_then_refused(typ: str) -> None:
    assert access_failure(forged(ACCESS, typ=typ)) is AuthFailure.WRONG_TYPE


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"x5t": "abc"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"nonce": "1"},
    ],
)
def test_given_a_header_that_is_not_ours_then_refused_even_when_well_signed(
    header: dict[str, Any],
) -> None:
    assert access_failure(forged(ACCESS, **header)) is AuthFailure.WRONG_HEADER
    assert assertion_failure(asserted(ASSERTION, **header)) is AuthFailure.WRONG_HEADER


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp", None])
def test_given_critical_headers_then_refused(crit: object) -> None:
    assert access_failure(forged(ACCESS, crit=crit)) in {
        AuthFailure.MALFORMED,
        AuthFailure.WRONG_HEADER,
    }


def test_given_no_kid_or_an_unknown_one_then_refused() -> None:
    without = jwt.encode(ACCESS, KEY.reveal(), "EdDSA", {"typ": "at+jwt"})
    assert access_failure(without) is AuthFailure.WRONG_HEADER
    assert access_failure(forged(ACCESS, STRANGER)) is AuthFailure.UNKNOWN_KEY
    assert access_failure(forged(ACCESS, kid="../../../dev/null")) is AuthFailure.UNKNOWN_KEY
    number = f"{segment({'alg': 'EdDSA', 'typ': 'at+jwt', 'kid': 7})}.{segment(ACCESS)}.{segment(b'x' * 64)}"
    assert access_failure(number) is AuthFailure.MALFORMED


def test_given_a_thousand_unknown_kids_then_each_is_refused_and_nothing_is_kept(clock: FixedClock) -> None:
    tokens = access_tokens(clock)
    header_rest = {"alg": "EdDSA", "typ": "at+jwt"}
    for number in range(1_000):
        token = f"{segment(header_rest | {'kid': f'k{number}'})}.{segment(ACCESS)}.{segment(b'x' * 64)}"
        with pytest.raises(NotAuthenticated) as refused:
            tokens.verify(token)
        assert refused.value.failure is AuthFailure.UNKNOWN_KEY
    assert tokens.verify(forged(ACCESS)).subject == "li.wei"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "Bearer x",
        "é.é.é",
        "\ud800",
        "x" * 10_000_000,
        f"{segment(b'[' * 1_000)}.e30.",
        f"{segment([])}.e30.",
        f"{segment(b'{')}.e30.",
        f"{segment(chr(0).encode())}.e30.",
    ],
)
def test_given_no_token_at_all_then_refused(text: str) -> None:
    assert access_failure(text) is AuthFailure.MALFORMED
    assert assertion_failure(text) is AuthFailure.MALFORMED


@given(text=st.text(alphabet='eyJ.-_=AZaz09{}[]"', max_size=300))
def test_given_any_text_then_it_is_refused_and_nothing_breaks(text: str) -> None:
    assert access_failure(text) in AuthFailure
    assert assertion_failure(text) in AuthFailure


@given(position=st.integers(0, 400), bit=st.integers(0, 6))
def test_given_one_flipped_bit_then_refused(position: int, bit: int) -> None:
    raw = bytearray(forged(ACCESS).encode())
    raw[position % len(raw)] ^= 1 << bit
    assert access_failure(raw.decode("latin-1")) in AuthFailure


def test_given_a_persons_token_at_the_machines_door_and_the_reverse_then_refused(clock: FixedClock) -> None:
    assert assertion_failure(access_tokens(clock).issue("li.wei", authenticated_s=NOW)) is AuthFailure.WRONG_TYPE
    assertion = issue_assertion(PLANT_KEY, origin=ORIGIN, hub_issuer=ISSUER, clock=clock)
    assert access_failure(assertion) is AuthFailure.WRONG_TYPE
    relabelled = forged(ACCESS, PLANT_KEY)
    assert access_failure(relabelled) is AuthFailure.UNKNOWN_KEY
    assert assertion_failure(asserted(ASSERTION, KEY)) is AuthFailure.UNKNOWN_KEY


def test_given_an_issued_assertion_then_it_names_the_plant_and_is_good_once(clock: FixedClock) -> None:
    doors = Assertions(hub_issuer=ISSUER, clock=clock)
    first = issue_assertion(PLANT_KEY, origin=ORIGIN, hub_issuer=ISSUER, clock=clock)
    said = doors.verify(first, find_key)
    assert said == AssertionClaims(ORIGIN, said.token_id, NOW, NOW + 60)
    for _ in range(2):
        with pytest.raises(NotAuthenticated) as refused:
            doors.verify(first, find_key)
        assert refused.value.failure is AuthFailure.REPLAYED
    second = issue_assertion(PLANT_KEY, origin=ORIGIN, hub_issuer=ISSUER, clock=clock)
    assert doors.verify(second, find_key).origin == ORIGIN


def test_given_an_assertion_replayed_until_its_last_second_then_it_never_passes_twice(
    clock: FixedClock,
) -> None:
    doors = Assertions(hub_issuer=ISSUER, clock=clock)
    assertion = asserted(ASSERTION)
    doors.verify(assertion, find_key)
    failures = []
    for _ in range(66):
        with pytest.raises(NotAuthenticated) as refused:
            doors.verify(assertion, find_key)
        failures.append(refused.value.failure)
        clock.advance(seconds=1)
    assert failures == [AuthFailure.REPLAYED] * 65 + [AuthFailure.EXPIRED]


@pytest.mark.parametrize(
    "change, failure",
    [
        ({"exp": NOW + 61}, AuthFailure.LIVES_TOO_LONG),
        ({"exp": NOW - 5, "iat": NOW - 65}, AuthFailure.EXPIRED),
        ({"iat": NOW + 6, "exp": NOW + 60}, AuthFailure.NOT_YET_VALID),
        ({"aud": [ISSUER]}, AuthFailure.WRONG_AUDIENCE),
        ({"aud": ISSUER + "/sync/v1"}, AuthFailure.WRONG_AUDIENCE),
        ({"aud": [ISSUER, "https://evil.example"]}, AuthFailure.WRONG_AUDIENCE),
        ({"iss": "example.org/plant/P02/a1"}, AuthFailure.WRONG_ISSUER),
        ({"sub": "example.org/plant/P02/a1"}, AuthFailure.WRONG_SUBJECT),
        ({"sub": ORIGIN + "/"}, AuthFailure.WRONG_SUBJECT),
    ],
)
def test_given_a_wrong_assertion_under_a_right_signature_then_refused(
    change: dict[str, Any], failure: AuthFailure
) -> None:
    assert assertion_failure(asserted(ASSERTION | change)) is failure


def test_given_a_refused_assertion_then_its_id_is_not_used_up(clock: FixedClock) -> None:
    doors = Assertions(hub_issuer=ISSUER, clock=clock)
    with pytest.raises(NotAuthenticated):
        doors.verify(asserted(ASSERTION | {"aud": "https://evil.example"}), find_key)
    header, claims, _ = asserted(ASSERTION).split(".")
    with pytest.raises(NotAuthenticated):
        doors.verify(f"{header}.{claims}.{segment(b'x' * 64)}", find_key)
    assert doors.verify(asserted(ASSERTION), find_key).token_id == "a1"


def test_given_one_plant_that_floods_then_it_is_refused_until_some_expire_and_others_are_not() -> None:
    memory = ReplayMemory()
    for number in range(REPLAYS_REMEMBERED_PER_PLANT):
        memory.remember(AssertionClaims(ORIGIN, f"a{number}", NOW, NOW + 60), NOW)
    one_more = AssertionClaims(ORIGIN, "one-more", NOW + 64, NOW + 124)
    with pytest.raises(NotAuthenticated) as refused:
        memory.remember(one_more, NOW + 64)
    assert refused.value.failure is AuthFailure.TOO_MANY
    memory.remember(AssertionClaims("example.org/plant/P02/a1", "a0", NOW, NOW + 60), NOW)
    memory.remember(one_more, NOW + 65)


def test_given_any_failure_then_the_caller_reads_the_same() -> None:
    for language in languages():
        text = word(SIGN_IN_FAILED(), language)
        assert {word(NotAuthenticated(failure), language) for failure in AuthFailure} == {text}


def test_given_a_refused_token_then_no_part_of_it_stands_in_the_error() -> None:
    token = forged(ACCESS, SigningKey(generate_key()))
    with pytest.raises(NotAuthenticated) as refused:
        access_tokens(FixedClock()).verify(token)
    assert refused.value.failure is AuthFailure.UNKNOWN_KEY
    assert str(refused.value) == word(SIGN_IN_FAILED(), "en")
