"""Ed25519 keys of tokens and assertions: key ids, text form, and the set of verification keys."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_KEY_BYTES: Final = 32
VERIFICATION_KEYS_MOST: Final = 8
"""Keys in one set: the current one, the next, and those whose last tokens have not expired."""


def public_key_text(key: Ed25519PublicKey) -> str:
    """Return the raw key as 43 characters of base64url without padding, the `x` of RFC 8037."""
    return base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode("ascii")


def public_key_from_text(text: str) -> Ed25519PublicKey:
    """Parse the text of `public_key_text`; raises ValueError for any other text."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        msg = "not an Ed25519 public key"
        raise ValueError(msg)
    key = Ed25519PublicKey.from_public_bytes(raw)
    if public_key_text(key) != text:
        msg = "not the canonical text of this Ed25519 public key"
        raise ValueError(msg)
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """Return the RFC 7638 thumbprint of the key, used as `kid`: 43 characters."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{public_key_text(key)}"}}'
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


class SigningKey:
    """A private key and its id. Its repr shows the id only, and pickling raises TypeError."""

    __slots__ = ("_private_key", "kid")

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.kid: Final = key_id(private_key.public_key())

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    def __reduce__(self) -> str:
        msg = "a signing key cannot be pickled"
        raise TypeError(msg)

    @property
    def public_key(self) -> Ed25519PublicKey:
        """The public key."""
        return self._private_key.public_key()

    def reveal(self) -> Ed25519PrivateKey:
        """Return the private key, for the signing library."""
        return self._private_key


class VerificationKeys:
    """An immutable set of public keys by id, so that old tokens stay valid during a key rotation.

    To rotate: add the next key everywhere, then sign with it, then drop the old key when its last token has
    expired. Raises ValueError above `VERIFICATION_KEYS_MOST`.
    """

    __slots__ = ("_by_kid",)

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._by_kid = {key_id(key): key for key in keys}
        if len(self._by_kid) > VERIFICATION_KEYS_MOST:
            msg = f"more than {VERIFICATION_KEYS_MOST} verification keys"
            raise ValueError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_kid)

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key with this id, or None."""
        return self._by_kid.get(kid)
