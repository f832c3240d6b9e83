"""Keys: ids that others compute too, one way to write each, and nothing secret on display."""

import copy
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from auth.keys import SigningKey, VerificationKeys, key_id, public_key_from_text, public_key_text
from auth.notes import generate_key

# RFC 8037, appendices A.1 to A.3.
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_given_the_key_of_rfc_8037_then_text_and_id_are_the_published_ones() -> None:
    key = Ed25519PublicKey.from_public_bytes(
        bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    )
    assert public_key_text(key) == RFC_8037_X
    assert key_id(key) == RFC_8037_THUMBPRINT
    assert public_key_from_text(RFC_8037_X) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        RFC_8037_X + "=",
        RFC_8037_X + "\n",
        RFC_8037_X[:-1],
        RFC_8037_X[:-1] + "p",
        RFC_8037_X.replace("_", "/"),
        "é" * 43,
        "A" * 44,
    ],
)
def test_given_any_other_text_then_it_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match="Ed25519 public key"):
        public_key_from_text(text)


def test_given_a_signing_key_then_nothing_shows_or_copies_its_secret() -> None:
    private = Ed25519PrivateKey.generate()
    secret = private.private_bytes_raw()
    key = SigningKey(private)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert secret.hex() not in shown
        assert shown.strip("[]") == f"SigningKey(kid='{key_id(private.public_key())}')"
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            duplicate(key)
        assert secret.hex() not in "".join(traceback.format_exception(refused.value))


def test_given_a_ring_then_only_its_keys_are_found_by_id() -> None:
    first, second, stranger = (generate_key().public_key() for _ in range(3))
    ring = VerificationKeys([first, second, first])
    assert list(ring) == [key_id(first), key_id(second)]
    assert ring.find(key_id(second)) == second
    assert ring.find(key_id(stranger)) is None


def test_given_nine_keys_then_a_ring_refuses_them() -> None:
    with pytest.raises(ValueError, match="more than 8"):
        VerificationKeys(generate_key().public_key() for _ in range(9))
