"""The wire format of /sync/v1: Hello and its answer, the body that carries entries, and Problems.

A body of entries is one zstd frame of: the exact bytes of each entry, each followed by a newline; an empty line; one
signed checkpoint note. Canonical JSON contains no raw newline, so the first empty line ends the entries. All input from
the other side has a limit, before and after it is unpacked.
"""

import io
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import zstandard
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plants.rules.ledger.events import ENTRY_BYTES_MAX, Entry
from plants.rules.ledger.merkle import HASH_BYTES, leaf_hash
from plants.rules.ledger.notes import MAX_NOTE_BYTES, MAX_PROOF_HASHES
from plants.rules.values.instants import instant_micros
from plants.store.ledger.decoding import decode

PROTOCOL: Final = 1
PROTOCOL_HEADER: Final = "Batchloom-Protocol"
SESSION_HEADER: Final = "Batchloom-Session"
MEDIA_TYPE: Final = "application/vnd.batchloom.entries"
ROOTS_MAX: Final = 64  # sizes of one request for roots
ENTRIES_MAX: Final = 8192  # of one request, as in C2SP tlog-mirror
BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # of one request, unpacked; packed it is no larger
GREETING_BYTES_MAX: Final = 512 * 1024
WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024  # of zstd; level 1 needs far less
ZSTD_LEVEL: Final = 1
SIZE_MAX: Final = 2**53 - 1
FIELD_LENGTH_MAX: Final = 300  # characters of an indexed member: id, type, key, actor
HLC_LENGTH: Final = 16


class Problem(Exception):
    """A rejection: the HTTP status, a code that is never renamed, and the data that the other side needs.

    401 not recognised, 403 not yours or a wrong signature, 404 unknown ledger, 409 wrong position or session, 413 too
    large, 422 content and proof do not match, 426 protocol too old, 429 and 503 retry later.
    """

    def __init__(self, status: int, code: str, /, *, retry_seconds: int | None = None, **content: object) -> None:
        super().__init__(f"{status} {code} {content}" if content else f"{status} {code}")
        self.status = status
        self.code = code
        self.retry_seconds = retry_seconds
        self.content = content


class Position(NamedTuple):
    """The position of a ledger: its number of entries, and the root over them."""

    size: int
    root: bytes


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_bytes(self) -> bytes:
        """Return the message as JSON."""
        return self.model_dump_json().encode()

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read a message; raises Problem 422 MESSAGE_INVALID. Members of a newer protocol are ignored."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            raise Problem(422, "MESSAGE_INVALID", why=_first_error(error)) from error


class LedgerPosition(_Message):
    """A ledger's origin, size and root; the root is base64."""

    origin: str = Field(max_length=255)
    size: int = Field(ge=0, le=SIZE_MAX)
    root: str = Field(max_length=44)

    @classmethod
    def of(cls, origin: str, position: Position) -> "LedgerPosition":
        """Return the position of a ledger as a message."""
        return cls(origin=origin, size=position.size, root=b64encode(position.root).decode())

    @property
    def position(self) -> Position:
        """The size and the root; raises Problem 422 for an invalid root."""
        return Position(self.size, read_hash(self.root))


class Hello(_Message):
    """A plant's first message: its position, the events that it reads, and the hub's positions that it has seen.

    `session` is its last one; `cosignatures` are the hub's checkpoints with the plant's cosignature. `clock` is RFC
    3339 UTC with six decimals. `supported` maps each event type to the newest version that the plant reads.
    """

    protocol: int = Field(ge=1, le=1_000_000)
    ledger: LedgerPosition
    supported: dict[str, int] = Field(max_length=1000)
    version: str = Field(max_length=100)
    clock: str = Field(max_length=40)
    session: str | None = Field(None, max_length=100)
    epoch: str | None = Field(None, max_length=100)
    directives: LedgerPosition | None = None
    cosignatures: list[str] = Field(default_factory=list, max_length=16)
    acknowledged: int | None = Field(None, ge=0, le=SIZE_MAX)  # the largest size the plant holds a receipt for
    take_over: bool = False  # an operator chose this copy of the plant
    hub_ledger: LedgerPosition | None = None  # the size and root of the hub's own ledger that the plant has cosigned
    greeting: str = Field("", max_length=100)  # a nonce that the answer repeats


class Receipt(_Message):
    """The hub's answer to entries: the size of the ledger there, and the checkpoint with the hub's cosignature."""

    size: int = Field(ge=0, le=SIZE_MAX)
    checkpoint: str = Field(max_length=MAX_NOTE_BYTES)


class Proof(_Message):
    """A consistency proof between two sizes of a ledger, its hashes in base64."""

    hashes: list[str] = Field(max_length=2 * MAX_PROOF_HASHES)


class Roots(_Message):
    """The roots of a ledger at the requested sizes, in their order, in base64."""

    hashes: list[str] = Field(max_length=ROOTS_MAX)


class Limits(_Message):
    """The hub's limits per request."""

    max_entries: int = Field(ENTRIES_MAX, ge=1, le=ENTRIES_MAX)
    max_bytes: int = Field(BODY_BYTES_MAX, ge=2 * ENTRY_BYTES_MAX, le=BODY_BYTES_MAX)


class Welcome(_Message):
    """The hub's answer to a Hello: the positions of the plant's ledger and directives, and the limits.

    `checkpoint` is the newest note of the plant's ledger with the hub's cosignature. `epoch` names the hub's store.
    """

    min_protocol: int = Field(ge=1, le=1_000_000)
    ledger: LedgerPosition
    directives: LedgerPosition
    limits: Limits
    epoch: str = Field(max_length=100)
    session: str = Field(max_length=100)
    superseded: bool = False
    offered: bool = False  # the session becomes current, and the one before ends, at its first use: send a second Hello
    clock: str = Field(max_length=40)
    version: str = Field(max_length=100)
    supported: dict[str, int] = Field(max_length=1000)
    checkpoint: str | None = None
    hub_checkpoint: str | None = Field(None, max_length=MAX_NOTE_BYTES)  # newest of the hub's own ledger, signed
    hub_proof: list[str] = Field(default_factory=list, max_length=2 * MAX_PROOF_HASHES)  # that it continues the plant's
    hub_keys: list[str] = Field(
        default_factory=list, max_length=1000
    )  # statements of the hub's key rotations, oldest first
    archived: int | None = Field(None, ge=0, le=SIZE_MAX)  # entries of the plant's ledger that the archive holds
    greeting: str | None = Field(None, max_length=100)  # repeats the Hello's; None from an older hub


@dataclass(frozen=True, slots=True)
class Parcel:
    """Entries as bytes, and the signed note of the ledger at some size."""

    bodies: tuple[bytes, ...]
    note: bytes


def pack(parcel: Parcel) -> bytes:
    """Return the body of a request or an answer that carries entries."""
    raw = b"".join([*(body + b"\n" for body in parcel.bodies), b"\n", parcel.note])
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(raw)


def unpack(packed: bytes, limits: Limits) -> Parcel:
    """Read such a body; raises Problem 413 above a limit, and 422 BODY_INVALID for a truncated or altered body.

    Never unpacks more than the limit, whatever size the body claims.
    """
    allowed = limits.max_bytes + MAX_NOTE_BYTES + 1
    if len(packed) > allowed:
        raise Problem(413, "BODY_TOO_LARGE", limit=allowed)
    raw = _inflate(packed, allowed)
    # Lines are split once: searching for the empty one first would take as long as unpacking.
    lines = raw.split(b"\n", limits.max_entries + 1)
    blank = lines.index(b"") if b"" in lines else len(lines)
    if blank > limits.max_entries and b"\n\n" in raw:
        raise Problem(413, "TOO_MANY_ENTRIES", limit=limits.max_entries)
    if blank + 1 >= len(lines):
        raise Problem(422, "BODY_INVALID", why="no empty line after the entries")
    bodies, note = tuple(lines[:blank]), b"\n".join(lines[blank + 1 :])
    if len(note) > MAX_NOTE_BYTES:
        raise Problem(413, "NOTE_TOO_LARGE", limit=MAX_NOTE_BYTES)
    for offset, body in enumerate(bodies):
        if len(body) > ENTRY_BYTES_MAX:
            raise Problem(413, "ENTRY_TOO_LARGE", offset=offset, limit=ENTRY_BYTES_MAX)
    return Parcel(bodies, note)


def read_entries(bodies: Sequence[bytes], start: int, plant: int | None, *, content: bool = True) -> list[Entry]:
    """Return the entries with their envelopes checked: position, plant, and the members that the store indexes.

    The content is not inspected; an unknown type or version passes. Raises Problem 422 ENVELOPE_INVALID with the
    position. With `plant` None any plant number passes. Without `content` the payloads are replaced by None at once:
    thousands of them in memory would slow down the garbage collector more than reading them.
    """
    entries = []
    for offset, body in enumerate(bodies):
        entry = _read_entry(body, start + offset, plant)
        if not content:
            entry.envelope["payload"] = None
        entries.append(entry)
    return entries


def read_hash(text: str) -> bytes:
    """Return the hash in base64; raises Problem 422 HASH_INVALID."""
    try:
        value = b64decode(text, validate=True)
    except ValueError:
        value = b""
    if len(value) != HASH_BYTES:
        raise Problem(422, "HASH_INVALID")
    return value


def _inflate(packed: bytes, allowed: int) -> bytes:
    try:
        # A truncated frame unpacks without an error, so the frame must declare its size and match it.
        size = zstandard.frame_content_size(packed)
        if size > allowed:
            raise Problem(413, "BODY_TOO_LARGE", limit=allowed)
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        with unpacker.stream_reader(io.BytesIO(packed)) as reader:
            raw = reader.read(allowed + 1)
    except zstandard.ZstdError as error:
        raise Problem(422, "BODY_INVALID", why="not a whole zstd frame") from error
    if len(raw) != size:
        raise Problem(422, "BODY_INVALID", why="not a whole zstd frame")
    return raw


def _read_entry(body: bytes, index: int, plant: int | None) -> Entry:
    try:
        envelope: Any = decode(body)
    except (ValueError, RecursionError) as error:
        raise Problem(422, "ENVELOPE_INVALID", index=index, why="not a JSON object") from error
    wrong = _wrong_member(envelope, index, plant)
    if wrong is not None:
        raise Problem(422, "ENVELOPE_INVALID", index=index, why=wrong)
    return Entry(envelope, body, leaf_hash(body))


def _wrong_member(envelope: dict[str, Any], index: int, plant: int | None) -> str | None:
    """Return the name of the first invalid member, if any."""
    if type(envelope.get("index")) is not int or envelope["index"] != index:
        return "index"
    if type(envelope.get("plant")) is not int or (plant is not None and envelope["plant"] != plant):
        return "plant"
    if type(envelope.get("version")) is not int or "payload" not in envelope:
        return "version"
    for name in ("id", "type", "key", "actor", "hlc"):
        value = envelope.get(name)
        # Printable also keeps out NUL and lone surrogates, which a PostgreSQL text cannot hold.
        if not isinstance(value, str) or not 0 < len(value) <= FIELD_LENGTH_MAX or not value.isprintable():
            return name
    if len(envelope["hlc"]) != HLC_LENGTH or envelope["hlc"].strip("0123456789abcdef"):
        return "hlc"
    for name in ("occurred_at", "recorded_at"):
        value = envelope.get(name)
        try:
            instant_micros(value if isinstance(value, str) and value.endswith("Z") else "")
        except ValueError:
            return name
    return None


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
