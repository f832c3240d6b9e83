"""The C2SP texts signed-note, tlog-checkpoint, tlog-cosignature/v1 and tlog-proof: read, written and judged.

Parsing is strict: an accepted text is written back byte for byte, so no second spelling of a note is valid. Only
Ed25519 is supported (signature types 0x01 and 0x04). The caller passes the arithmetic as a `Verifier`. Formats:
c2sp.org/signed-note@v1.0.0, /tlog-checkpoint@v1.0.0, /tlog-cosignature@v1.0.1 and /tlog-proof.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Final, NoReturn, Protocol, Self

from plants.rules.ledger.merkle import HASH_BYTES, verify_inclusion

MAX_NOTE_BYTES: Final = 131_072
MAX_SIGNATURES: Final = 32  # The format asks for at least 16.
MAX_NAME_BYTES: Final = 255  # Of key names and origins: the limit of later signature types.
MAX_EXTENSION_LINES: Final = 16
MAX_EXTRA_BYTES: Final = 65_535
MAX_PROOF_HASHES: Final = 63
MAX_PROOF_BYTES: Final = 262_144
MAX_NUMBER: Final = 2**63 - 1  # Of sizes, indexes and seconds.

KEY_ID_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TIMESTAMP_BYTES: Final = 8

COSIGNATURE_HEADER: Final = "cosignature/v1\n"
_DASH: Final = "— "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES: Final = re.compile(r"[+\s]")
_PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"


class SignatureType(IntEnum):
    """The content that a key signs: the text of the note, or a time and the text as a witness."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


class NoteFault(StrEnum):
    """The reason that a note, key, checkpoint or proof is rejected. A name is never changed or reused."""

    TOO_LARGE = "TOO_LARGE"
    NOT_TEXT = "NOT_TEXT"
    NO_SIGNATURES = "NO_SIGNATURES"
    TOO_MANY_SIGNATURES = "TOO_MANY_SIGNATURES"
    SIGNATURE_LINE_MALFORMED = "SIGNATURE_LINE_MALFORMED"
    NAME_MALFORMED = "NAME_MALFORMED"
    KEY_MALFORMED = "KEY_MALFORMED"
    CHECKPOINT_MALFORMED = "CHECKPOINT_MALFORMED"
    COSIGNATURE_MALFORMED = "COSIGNATURE_MALFORMED"
    PROOF_MALFORMED = "PROOF_MALFORMED"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    ORIGIN_WRONG = "ORIGIN_WRONG"
    NOT_INCLUDED = "NOT_INCLUDED"


class NoteError(ValueError):
    """A text that is not accepted: `fault` names the reason, the text gives the detail."""

    def __init__(self, fault: NoteFault, detail: str) -> None:
        self.fault = fault
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signature lines are known by; its text is the vkey. NoteError for wrong parts."""

    name: str
    kind: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != PUBLIC_KEY_BYTES:
            _fail(NoteFault.KEY_MALFORMED, f"the key of {self.name} has not {PUBLIC_KEY_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes that, with the name, tell which key made a signature; no strong hash."""
        material = bytes((self.kind,)) + self.public
        return sha256(self.name.encode() + b"\n" + material).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes((self.kind,)) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read `name+id+base64(type and key)`; NoteError where it is malformed or the id is another's."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = _unbase64(encoded)
        if not material or material[0] not in tuple(SignatureType):
            _fail(NoteFault.KEY_MALFORMED, "a vkey is a name, an id and an Ed25519 key joined by plus signs")
        key = cls(name, SignatureType(material[0]), material[1:])
        if str(key) != vkey:
            _fail(NoteFault.KEY_MALFORMED, f"the id of {name} is {key.key_id.hex()}, not {key_id}")
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the claimed signer, and the bytes that its type of key writes."""

    name: str
    key_id: bytes
    payload: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.payload:
            _fail(NoteFault.SIGNATURE_LINE_MALFORMED, f"the signature of {self.name} is too short")

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {_base64(self.key_id + self.payload)}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read one signature line without its newline; NoteError where it is none."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = _unbase64(encoded)
        if not line.startswith(_DASH) or raw is None:
            _fail(NoteFault.SIGNATURE_LINE_MALFORMED, "a signature line is a dash, a name and base64")
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and the signatures under it, not yet believed."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        check_text(self.text)
        if not self.signatures:
            _fail(NoteFault.NO_SIGNATURES, "a note has a signature at least")
        if len(self.signatures) > MAX_SIGNATURES:
            _fail(NoteFault.TOO_MANY_SIGNATURES, f"a note has {MAX_SIGNATURES} signatures at most")
        _check_length(bytes(self), MAX_NOTE_BYTES)

    def __bytes__(self) -> bytes:
        return "\n".join((self.text, *map(str, self.signatures), "")).encode()

    def signed_also(self, signature: NoteSignature) -> "Note":
        """Return the note with one more signature at its end."""
        return Note(self.text, (*self.signatures, signature))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a signed note; NoteError where it is none or above a limit. No signature is checked here."""
        _check_length(data, MAX_NOTE_BYTES)
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            _fail(NoteFault.NOT_TEXT, "a note is UTF-8 text")
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            _fail(NoteFault.NO_SIGNATURES, "a note ends in an empty line and lines of signatures")
        return cls(f"{text}\n", tuple(map(NoteSignature.parse, lines[:-1].split("\n", MAX_SIGNATURES))))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a ledger at one moment: origin, size and root. Raises NoteError for invalid parts."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_text(str(self))
        lines = (self.origin, *self.extensions)
        if not all(lines) or any("\n" in line for line in lines):
            _fail(NoteFault.CHECKPOINT_MALFORMED, "the lines of a checkpoint are not empty")
        if len(self.origin.encode()) > MAX_NAME_BYTES or len(self.extensions) > MAX_EXTENSION_LINES:
            _fail(NoteFault.TOO_LARGE, "the origin or the extension lines of a checkpoint are too long")
        if not 0 <= self.size <= MAX_NUMBER or len(self.root) != HASH_BYTES:
            _fail(NoteFault.CHECKPOINT_MALFORMED, "the size or the root of a checkpoint is not allowed")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, _base64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a checkpoint's note; NoteError where it is none."""
        match text.split("\n"):
            case [origin, decimal, encoded, *extensions, ""]:
                size, root = _number(decimal), _unbase64(encoded)
            case _:
                _fail(NoteFault.CHECKPOINT_MALFORMED, "a checkpoint has three lines at least")
        if size is None or root is None:
            _fail(NoteFault.CHECKPOINT_MALFORMED, "the size or the root of a checkpoint cannot be read")
        return cls(origin, size, root, tuple(extensions))


@dataclass(frozen=True, slots=True)
class EntryProof:
    """A tlog-proof: the index of an entry, the hashes of its inclusion proof, and the signed checkpoint.

    Nobody signs `extra`: never trust it.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_NUMBER or any(len(part) != HASH_BYTES for part in self.hashes):
            _fail(NoteFault.PROOF_MALFORMED, "the index or a hash of a proof is not allowed")
        if len(self.hashes) > MAX_PROOF_HASHES or len(self.extra) > MAX_EXTRA_BYTES:
            _fail(NoteFault.TOO_LARGE, "a proof has too many hashes or too much extra data")

    def __bytes__(self) -> bytes:
        extra = [f"extra {_base64(self.extra)}"] if self.extra else []
        lines = [_PROOF_HEADER, *extra, f"index {self.index}", *map(_base64, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + bytes(self.note)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a tlog-proof; NoteError where it is none or above a limit. Nothing is proven by reading it."""
        _check_length(data, MAX_PROOF_BYTES)
        head, blank, note = data.partition(b"\n\n")
        if not blank or not head.isascii():
            _fail(NoteFault.PROOF_MALFORMED, "a proof has lines of ASCII, an empty line and a checkpoint")
        header, *lines = head.decode().split("\n")
        extra: bytes | None = b""
        if lines and lines[0].startswith("extra "):
            extra = _unbase64(lines.pop(0).removeprefix("extra ")) or None
        index = _number(lines[0].removeprefix("index ")) if lines and lines[0].startswith("index ") else None
        if header != _PROOF_HEADER or extra is None or index is None:
            _fail(NoteFault.PROOF_MALFORMED, "the header, the extra data or the index cannot be read")
        hashes = tuple(_unbase64(line) or b"" for line in lines[1:])
        return cls(index, hashes, Note.parse(note), extra)


class Verifier(Protocol):
    """Knows one public key and checks its signatures."""

    @property
    def key(self) -> NoteKey: ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether this 64-byte signature was made over this message by the key."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was checked; a witness's carries its time, in seconds since 1970."""

    key: NoteKey
    timestamp_s: int | None


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that its own ledger signed, with every trusted signature found under it."""

    checkpoint: Checkpoint
    signatures: tuple[Signed, ...]

    def cosigned_by(self, name: str) -> int | None:
        """Return when the witness of this name cosigned last, in seconds since 1970, or None."""
        times = (each.timestamp_s for each in self.signatures if each.key.name == name)
        return max((time for time in times if time is not None), default=None)


def check_text(text: str) -> None:
    """Raise NoteError unless this may be a note's text: whole lines of UTF-8 without control characters."""
    try:
        _check_length(text.encode(), MAX_NOTE_BYTES)
    except UnicodeEncodeError:
        _fail(NoteFault.NOT_TEXT, "a note is UTF-8 text")
    if not text.endswith("\n") or _CONTROL.search(text):
        _fail(NoteFault.NOT_TEXT, "the text of a note is whole lines without control characters")


def cosigned_message(text: str, timestamp_s: int) -> bytes:
    """Return what a witness signs for a checkpoint's text at this time (cosignature/v1)."""
    if not 0 <= timestamp_s <= MAX_NUMBER:
        _fail(NoteFault.COSIGNATURE_MALFORMED, f"{timestamp_s} is not a time of a cosignature")
    return f"{COSIGNATURE_HEADER}time {timestamp_s}\n{text}".encode()


def pack_cosignature(timestamp_s: int, signature: bytes) -> bytes:
    """Return the bytes of a cosignature line after its key id: the time, then the signature."""
    return timestamp_s.to_bytes(TIMESTAMP_BYTES) + signature


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> tuple[str, tuple[Signed, ...]]:
    """Return a note's text and the signatures by trusted keys, in the note's order.

    Signatures by other keys are ignored. NoteError where the note is malformed, where no trusted key signed
    it, and where one trusted key's signature is wrong, whatever the others say.
    """
    return _judge(Note.parse(data), verifiers)


def open_checkpoint(data: bytes, origin: str, verifiers: Iterable[Verifier]) -> SignedCheckpoint:
    """Return the checkpoint of a ledger, signed by a trusted key named like its origin.

    NoteError as for `open_note`, where the note is no checkpoint, and where it is another ledger's.
    """
    return _judge_checkpoint(Note.parse(data), origin, verifiers)


def open_proof(data: bytes, leaf: bytes, origin: str, verifiers: Iterable[Verifier]) -> tuple[int, SignedCheckpoint]:
    """Return the position at which a tlog-proof shows this leaf hash, and the checkpoint that says so.

    NoteError as for `open_checkpoint`, where the proof is malformed, and where it does not show the leaf.
    """
    proof = EntryProof.parse(data)
    signed = _judge_checkpoint(proof.note, origin, verifiers)
    size, root = signed.checkpoint.size, signed.checkpoint.root
    if not verify_inclusion(leaf, proof.index, size, proof.hashes, root):
        _fail(NoteFault.NOT_INCLUDED, f"the proof does not show the entry at {proof.index} of {size}")
    return proof.index, signed


def _judge_checkpoint(note: Note, origin: str, verifiers: Iterable[Verifier]) -> SignedCheckpoint:
    text, signatures = _judge(note, verifiers)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != origin:
        _fail(NoteFault.ORIGIN_WRONG, f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    if not any(each.key.name == origin and each.key.kind is SignatureType.ED25519 for each in signatures):
        _fail(NoteFault.SIGNER_UNKNOWN, f"{origin} did not sign its checkpoint")
    return SignedCheckpoint(checkpoint, signatures)


def _judge(note: Note, verifiers: Iterable[Verifier]) -> tuple[str, tuple[Signed, ...]]:
    known = {(each.key.name, each.key.key_id): each for each in verifiers}
    signed = []
    for line in note.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        message, signature, timestamp_s = note.text.encode(), line.payload, None
        if verifier.key.kind is SignatureType.COSIGNATURE_V1:
            timestamp_s = int.from_bytes(line.payload[:TIMESTAMP_BYTES])
            message, signature = cosigned_message(note.text, timestamp_s), line.payload[TIMESTAMP_BYTES:]
        if len(signature) != SIGNATURE_BYTES or not verifier.verify(message, signature):
            _fail(NoteFault.SIGNATURE_WRONG, f"the signature of {line.name}+{line.key_id.hex()} is wrong")
        signed.append(Signed(verifier.key, timestamp_s))
    if not signed:
        _fail(NoteFault.SIGNER_UNKNOWN, "no trusted key signed this note")
    return note.text, tuple(signed)


def _check_name(name: str) -> None:
    check_text(f"{name}\n")
    if not name or _NOT_IN_NAMES.search(name) or len(name.encode()) > MAX_NAME_BYTES:
        _fail(NoteFault.NAME_MALFORMED, f"a key's name has 1 to {MAX_NAME_BYTES} bytes, no space and no plus")


def _check_length(data: bytes, limit: int) -> None:
    if len(data) > limit:
        _fail(NoteFault.TOO_LARGE, f"{limit} bytes are allowed, not {len(data)}")


def _number(decimal: str) -> int | None:
    """Read a decimal without sign or leading zeroes; None where it is none."""
    fits = len(decimal) <= len(str(MAX_NUMBER)) and decimal.isascii() and decimal.isdigit()
    return int(decimal) if fits and str(int(decimal)) == decimal else None


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _unbase64(text: str) -> bytes | None:
    """Read base64 in its one canonical spelling; None where it is not."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if _base64(raw) == text else None


def _fail(fault: NoteFault, detail: str) -> NoReturn:
    raise NoteError(fault, detail)
