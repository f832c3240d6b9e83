"""Ed25519 keys of ledgers and witnesses: key files, and signing and verifying notes."""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from infra.folders import sync_folder
from infra.messages import Failure, message
from plants.rules.ledger import notes
from plants.rules.ledger.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    SignatureType,
    Signed,
    SignedCheckpoint,
    cosigned_message,
    pack_cosignature,
)

_OWNER_ONLY = 0o600
_OTHERS = 0o077
_KEYS_READ = 1024  # cached public keys: the same few verify every message
_SIGNATURES_KNOWN = 512  # cached verdicts, each of identical bytes


KEY_FILE_OPEN: Final = message(
    "KEY_FILE_OPEN", "{path} can be read by other users (mode {mode}). Run chmod 600 on it, or make a new key."
)
KEY_FILE_UNREADABLE: Final = message(
    "KEY_FILE_UNREADABLE", "{path} holds no private key in PEM form without a password. Bring the key from a backup."
)
KEY_FILE_OTHER_KIND: Final = message(
    "KEY_FILE_OTHER_KIND", "{path} holds a key of another kind than Ed25519. Bring the key from a backup."
)


class KeyFileError(Failure):
    """A key file cannot be used: it holds no Ed25519 key, or other users of the machine can read it."""


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """Verifies the signatures of one public key, over messages of `plants.rules.ledger.notes`."""

    key: NoteKey

    @classmethod
    def of(cls, vkey: str) -> "NoteVerifier":
        """Return the verifier of a vkey; raises NoteError for a malformed one."""
        return cls(_note_key(vkey))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature of the message is by this key."""
        return _holds(self.key.public, message, signature)


# Each exchange reads the newest note of each ledger again, with the same two or three signatures.
@lru_cache(_SIGNATURES_KNOWN)
def _holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        _public_key(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(_KEYS_READ)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


@lru_cache(_KEYS_READ)
def _note_key(vkey: str) -> NoteKey:
    return NoteKey.parse(vkey)


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A named private key of a ledger, which signs its checkpoints, or of a witness, which cosigns those of others.

    Every signature line contains the name; the name of a ledger is its origin.
    """

    name: str
    private_key: Ed25519PrivateKey

    @property
    def key(self) -> NoteKey:
        """The public key of the ledger's signatures, type 0x01; raises NoteError for an invalid name."""
        return NoteKey(self.name, SignatureType.ED25519, self.private_key.public_key().public_bytes_raw())

    @property
    def witness_key(self) -> NoteKey:
        """The public key of the cosignatures, type 0x04."""
        return NoteKey(self.name, SignatureType.COSIGNATURE_V1, self.private_key.public_key().public_bytes_raw())

    def sign(self, text: str) -> NoteSignature:
        """Return the signature line for a text; raises NoteError unless it is a note and no cosignature."""
        notes.check_text(text)
        if text.startswith(notes.COSIGNATURE_HEADER):
            raise notes.NoteError(notes.NoteFault.NOT_TEXT, "a note does not begin like a cosignature")
        return NoteSignature(self.name, self.key.key_id, self.private_key.sign(text.encode()))

    def cosign(self, note: Note, timestamp_s: int) -> NoteSignature:
        """Return the witness's line for a checkpoint, as seen at this time (seconds since 1970).

        The line is a receipt. Sign only after the checkpoint's signature and its consistency with the previous one
        are verified, and after the entries it covers are stored. Raises NoteError where the note is no checkpoint.
        """
        Checkpoint.parse(note.text)
        signature = self.private_key.sign(cosigned_message(note.text, timestamp_s))
        return NoteSignature(self.name, self.witness_key.key_id, pack_cosignature(timestamp_s, signature))


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> Note:
    """Return the signed note of a ledger's checkpoint; raises ValueError where the signer is not its origin.

    Never sign two contradicting checkpoints: together they are evidence of tampering.
    """
    if signer.name != checkpoint.origin:
        raise ValueError(f"{signer.name} does not sign checkpoints of {checkpoint.origin}")
    text = str(checkpoint)
    return Note(text, (signer.sign(text),))


def open_note(data: bytes, vkeys: Iterable[str]) -> tuple[str, tuple[Signed, ...]]:
    """Return a note's text and its signatures by these keys; errors as in `plants.rules.ledger.notes.open_note`."""
    return notes.open_note(data, map(NoteVerifier.of, vkeys))


def open_checkpoint(data: bytes, origin: str, vkeys: Iterable[str]) -> SignedCheckpoint:
    """Return a ledger's signed checkpoint; errors as in `plants.rules.ledger.notes.open_checkpoint`."""
    return notes.open_checkpoint(data, origin, map(NoteVerifier.of, vkeys))


def open_proof(data: bytes, leaf: bytes, origin: str, vkeys: Iterable[str]) -> tuple[int, SignedCheckpoint]:
    """Return the position of a leaf hash in a tlog-proof; errors as in `plants.rules.ledger.notes.open_proof`."""
    return notes.open_proof(data, leaf, origin, map(NoteVerifier.of, vkeys))


def generate_key() -> Ed25519PrivateKey:
    """Return a new private key from the operating system's randomness."""
    return Ed25519PrivateKey.generate()


def save_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a private key to a new file (PKCS#8 PEM, mode 0600), atomically and durably.

    Raises FileExistsError where the file exists: a used key is never overwritten.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, fails where the name exists.
        path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in a file; raises KeyFileError where it holds none or other users may read it."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        pem = file.read()
    if mode & _OTHERS:
        raise KeyFileError(KEY_FILE_OPEN, path=path, mode=f"{mode & 0o777:o}")
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError) as error:
        raise KeyFileError(KEY_FILE_UNREADABLE, path=path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(KEY_FILE_OTHER_KIND, path=path)
    return key
