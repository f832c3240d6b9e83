"""An auditor's check of a stored ledger, which names the first position that is wrong.

It shares no code with `plants.rules.ledger.merkle`, which writes ledgers: a mistake there cannot hide itself here.
A ledger is verified when all of these hold. The rows are read once, in the order of their positions, and
memory does not grow with them.

1. Rows have the positions 0, 1, 2, …: none is missing and none is repeated.
2. The stored leaf hash of each row is the hash of its stored bytes.
3. The bytes of each row are canonical JSON, at most 65,535 bytes, of an object.
4. The field `index` in the bytes is the row's position, and `plant` is the plant whose ledger it is.
5. There are as many rows as the head says.
6. At the size of every signed checkpoint, the rows have the root that was signed.
7. The head's root and frontier are those of the rows.
8. No signed checkpoint is of a size that the ledger does not reach, and no two contradict each other.
9. Where bytes are gone, the head says that they may be (`Head.pruned`), and so does an entry of this ledger,
   BodiesPruned, whose own bytes are there. Of such a row obligations 2 to 4 are not met and not broken: its leaf
   hash is held against the roots like every other, and the bytes themselves are at the hub and in the archive.

The caller checks the signatures of the checkpoints before (`auth.notes.open_checkpoint`). An attacker with write access
to the store can make 1 to 5 and 7 hold for changed rows. Only 6 and 8 detect this, by signatures kept elsewhere. Roots
follow RFC 6962 section 2.1.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NoReturn

from plants.rules.values.refusals import Message, message

MAX_ENTRY_BYTES: Final = 65_535
_HASH_BYTES: Final = 32

Row = tuple[int, bytes, bytes]
"""One stored entry: its position, its bytes and its leaf hash."""


class BreakKind(StrEnum):
    """The kind of defect at a position. A name is never changed or reused."""

    ALTERED = "ALTERED"
    MALFORMED = "MALFORMED"
    MISPLACED = "MISPLACED"
    FOREIGN = "FOREIGN"
    MISSING = "MISSING"
    REPEATED = "REPEATED"
    EXTRA = "EXTRA"
    REWRITTEN = "REWRITTEN"
    HEAD_ALTERED = "HEAD_ALTERED"
    TRUNCATED = "TRUNCATED"
    CONTRADICTION = "CONTRADICTION"
    EMPTIED = "EMPTIED"


MESSAGES: Final[Mapping[BreakKind, Message]] = {
    BreakKind.ALTERED: message(
        "LEDGER_ALTERED", "Entry {index} was altered: its bytes and its leaf hash no longer fit together."
    ),
    BreakKind.MALFORMED: message("LEDGER_MALFORMED", "Entry {index} cannot be an entry: {found}."),
    BreakKind.MISPLACED: message(
        "LEDGER_MISPLACED",
        "At position {index} stands the entry that says it is number {found}. Rows were swapped or moved.",
    ),
    BreakKind.FOREIGN: message(
        "LEDGER_FOREIGN", "Entry {index} belongs to the ledger of plant {found}, not to this one."
    ),
    BreakKind.MISSING: message("LEDGER_MISSING", "Entry {index} is missing. The entries before it are in order."),
    BreakKind.REPEATED: message("LEDGER_REPEATED", "Entry {index} is stored more than once."),
    BreakKind.EXTRA: message("LEDGER_EXTRA", "Entry {index} is one too many: the ledger's head counts {low} entries."),
    BreakKind.REWRITTEN: message(
        "LEDGER_REWRITTEN",
        "Entries were rewritten, together with their leaf hashes, between sizes {low} and {high}: the root at {high} "
        "is not the one recorded.",
    ),
    BreakKind.HEAD_ALTERED: message(
        "LEDGER_HEAD_ALTERED", "The ledger's head was altered: its {found} is not that of the {low} entries."
    ),
    BreakKind.TRUNCATED: message(
        "LEDGER_TRUNCATED", "The ledger was cut off: {high} entries were signed for, {low} are left."
    ),
    BreakKind.CONTRADICTION: message(
        "LEDGER_CONTRADICTION",
        "Two signed checkpoints of size {high} have different roots: their signer states two different ledgers.",
    ),
    BreakKind.EMPTIED: message(
        "LEDGER_EMPTIED", "The bytes of entry {index} are gone, and no entry of this ledger says that they were pruned."
    ),
}


LEDGER_WHOLE: Final = message("LEDGER_WHOLE", "The ledger is whole: {size} entries, root {root}.")
LEDGER_WHOLE_ELSEWHERE: Final = message(
    "LEDGER_WHOLE_ELSEWHERE",
    "The ledger is whole: {size} entries, root {root}. "
    "The bodies of {elsewhere} of them are at the hub and in the archive.",
)


@dataclass(frozen=True, slots=True)
class SizedRoot:
    """The root of a ledger at a size, from a checkpoint whose signature was checked."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The claims of the head row. The frontier, if stored, is the concatenated hashes.

    Bytes below `pruned` may be gone.
    """

    size: int
    root: bytes
    frontier: bytes | None = None
    pruned: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """Every obligation holds for the ledger of this size and root; `elsewhere` entries have their bytes elsewhere."""

    size: int
    root: bytes
    elsewhere: int = 0

    @property
    def code(self) -> str:
        """The code of the message."""
        return self._message.code

    @property
    def text(self) -> str:
        """The English text of the message."""
        return self._message.text

    @property
    def data(self) -> Mapping[str, object]:
        """The data of the message."""
        return {"size": self.size, "root": self.root.hex(), "elsewhere": self.elsewhere}

    @property
    def _message(self) -> Message:
        return LEDGER_WHOLE_ELSEWHERE if self.elsewhere else LEDGER_WHOLE


@dataclass(frozen=True, slots=True)
class Broken:
    """The first obligation found not to hold.

    `index` is the exact position where there is one. The entries concerned are within [low, high); where none
    is (HEAD_ALTERED), low and high are the size. `found` is the actual value, for users.
    """

    kind: BreakKind
    index: int | None
    low: int
    high: int
    found: str = ""

    @property
    def code(self) -> str:
        """The code of the message."""
        return MESSAGES[self.kind].code

    @property
    def text(self) -> str:
        """The English text of the message."""
        return MESSAGES[self.kind].text

    @property
    def data(self) -> Mapping[str, object]:
        """The data of the message."""
        return {"index": self.index, "low": self.low, "high": self.high, "found": self.found}


def verify_ledger(
    rows: Iterable[Row], head: Head, *, plant: int, checkpoints: Iterable[SizedRoot] = ()
) -> Verified | Broken:
    """Check a stored ledger against its head and its signed checkpoints; see the obligations above.

    Rows come in the order of their positions. About 15 microseconds a row.
    """
    signed: dict[int, bytes] = {}
    for checkpoint in sorted(checkpoints, key=lambda each: each.size):
        if signed.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            return Broken(BreakKind.CONTRADICTION, None, 0, checkpoint.size)
    peaks: list[bytes] = []
    size = 0
    gone = _Gone(head.pruned)
    for row in rows:
        broken = _check_root(peaks, size, signed) or _check_row(row, size, head.size, plant, gone)
        if broken:
            return broken
        _grow(peaks, size, row[2])
        size += 1
    broken = _check_root(peaks, size, signed)
    if broken:
        return broken
    if size < head.size:
        return Broken(BreakKind.MISSING, size, size, head.size)
    broken = _check_head(peaks, head, signed)
    if broken:
        return broken
    longest = max(signed, default=0)
    if longest > size:
        return Broken(BreakKind.TRUNCATED, size, size, longest)
    if gone.last >= gone.stated:
        return Broken(BreakKind.EMPTIED, gone.last, gone.last, gone.last + 1)
    return Verified(size, _fold(peaks), gone.count)


@dataclass(slots=True)
class _Gone:
    """Rows without their bytes: their number, the last of them, and the position below which the ledger states them."""

    allowed: int
    count: int = 0
    last: int = -1
    stated: int = 0

    def note(self, fields: dict[str, Any], index: int) -> None:
        """Note what an entry states of bodies before it that are kept elsewhere."""
        payload = fields.get("payload") if fields.get("type") == "BodiesPruned" else None
        below = payload.get("below") if isinstance(payload, dict) else None
        if type(below) is int and below <= index:
            self.stated = max(self.stated, below)


def _check_row(row: Row, expected: int, head_size: int, plant: int, gone: _Gone) -> Broken | None:
    """Return the first of obligations 1 to 5 that a row breaks at the position `expected`."""
    index, body, leaf = row
    if index > expected:
        return Broken(BreakKind.MISSING, expected, expected, index)
    if index < expected:
        return Broken(BreakKind.REPEATED, index, index, index + 1)
    if index >= head_size:
        return Broken(BreakKind.EXTRA, index, head_size, index + 1)
    if not body and index < gone.allowed and len(leaf) == _HASH_BYTES:
        gone.count, gone.last = gone.count + 1, index
        return None
    if sha256(b"\x00" + body).digest() != leaf:
        return Broken(BreakKind.ALTERED, index, index, index + 1)
    try:
        fields = _read(body)
    except ValueError as error:
        return Broken(BreakKind.MALFORMED, index, index, index + 1, str(error))
    stated = fields.get("index")
    if type(stated) is not int or stated != index:
        return Broken(BreakKind.MISPLACED, index, index, index + 1, str(stated))
    owner = fields.get("plant")
    if type(owner) is not type(plant) or owner != plant:
        return Broken(BreakKind.FOREIGN, index, index, index + 1, str(owner))
    gone.note(fields, index)
    return None


def _read(body: bytes) -> dict[str, Any]:
    """Return the fields of an entry; ValueError, with the reason, where the bytes are no canonical object."""
    if len(body) > MAX_ENTRY_BYTES:
        raise ValueError(f"{len(body)} bytes")
    try:
        fields = json.loads(body.decode(), parse_float=_no_float, parse_constant=_no_float)
        again = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("no JSON without floats") from None
    if not isinstance(fields, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 -- the caller reports what stored bytes are, it is no bug.
    if again != body:
        raise ValueError("no canonical JSON")
    return fields


def _no_float(literal: str) -> NoReturn:
    raise ValueError(literal)


def _check_root(peaks: Sequence[bytes], size: int, signed: Mapping[int, bytes]) -> Broken | None:
    """Obligation 6, for the rows so far."""
    if size not in signed or signed[size] == _fold(peaks):
        return None
    return _rewritten(max((each for each in signed if each < size), default=0), size)


def _check_head(peaks: Sequence[bytes], head: Head, signed: Mapping[int, bytes]) -> Broken | None:
    """Obligation 7, with all rows read and obligation 6 met."""
    size = head.size
    bound = max((each for each in signed if each <= size), default=0)
    frontier = b"".join(peaks) if head.frontier is None else head.frontier
    claimed = [frontier[at : at + _HASH_BYTES] for at in range(0, len(frontier), _HASH_BYTES)]
    if head.root == _fold(peaks):
        return None if claimed == list(peaks) else Broken(BreakKind.HEAD_ALTERED, None, size, size, "frontier")
    if bound == size or (head.frontier is not None and claimed == list(peaks)):
        return Broken(BreakKind.HEAD_ALTERED, None, size, size, "root")
    if len(claimed) == len(peaks) and _fold(claimed) == head.root:
        # The head agrees with itself, so it was the rows that changed: its frontier tells in which subtree.
        for low, high, ours, theirs in zip(*_spans(size), peaks, claimed, strict=True):
            if ours != theirs and high > bound:
                return _rewritten(max(low, bound), high)
        return Broken(BreakKind.HEAD_ALTERED, None, size, size, "root")
    return _rewritten(bound, size)


def _rewritten(low: int, high: int) -> Broken:
    return Broken(BreakKind.REWRITTEN, low if high - low == 1 else None, low, high)


def _spans(size: int) -> tuple[list[int], list[int]]:
    """Return where the perfect subtrees of a tree begin and where they end, largest first."""
    lows, highs, at = [], [], 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            lows.append(at)
            at += 1 << bit
            highs.append(at)
    return lows, highs


def _grow(peaks: list[bytes], size: int, leaf: bytes) -> None:
    """Add a leaf to the roots of the perfect subtrees of `size` leaves, largest first."""
    peaks.append(leaf)
    while size % 2:
        right, left = peaks.pop(), peaks.pop()
        peaks.append(sha256(b"\x01" + left + right).digest())
        size //= 2


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over the perfect subtrees of a tree; of none, the hash of nothing."""
    if not peaks:
        return sha256(b"").digest()
    if len(peaks) == 1:
        return peaks[0]
    return sha256(b"\x01" + peaks[0] + _fold(peaks[1:])).digest()
