"""Key chains: the keys of a ledger, proven from one trusted key by the statements of its rotations.

The old and the new key have both signed each statement, which is a note. So one trusted key proves the later keys,
because each predecessor vouches for its successor. It also proves the earlier ones, because each key vouches for its
past.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auth.notes import NoteSigner, open_note
from infra.database import ReadSession, Session
from plants.commands.group.enrolment import HUB_KEYS
from plants.rules.ledger.events import decode
from plants.rules.ledger.notes import Note, NoteError, NoteFault, NoteKey
from plants.rules.replication.events import LedgerKeyRotated
from plants.store.ledger.entries import HUB_LOG
from plants.store.ledger.entry_search import bodies_of_type

NOTE_SUFFIX: Final = ".note"
HEADING: Final = "batchloom/ledger-key/v1"
ROTATED: Final = "LedgerKeyRotated"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A statement with valid signatures: `old` signs the first `size` entries, `new` those beyond them."""

    old: NoteKey
    new: NoteKey
    size: int
    statement: bytes


@dataclass(frozen=True, slots=True)
class KeyChain:
    """The keys of one ledger, oldest first, and the rotations between them."""

    keys: tuple[NoteKey, ...]
    rotations: tuple[Rotation, ...] = ()

    @property
    def newest(self) -> NoteKey:
        """The key that signs from now on."""
        return self.keys[-1]

    def at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the keys that may have signed the ledger at this size: an old key only up to its size."""
        return (*(one.old for one in self.rotations if size <= one.size), self.newest)


def rotation_statements(keys: Path) -> tuple[bytes, ...]:
    """Return the statements of rotations in a node's folder of keys."""
    return tuple(path.read_bytes() for path in sorted(keys.glob(f"ledger.*{NOTE_SUFFIX}")))


def statement_of(signer: NoteSigner, following: NoteSigner, size: int) -> bytes:
    """Return the note by which a ledger's key hands over to the next one above a size."""
    text = f"{HEADING}\n{signer.name}\n{signer.key}\n{following.key}\n{size}\n"
    return bytes(Note(text, (signer.sign(text), following.sign(text))))


def read_statement(statement: bytes) -> Rotation:
    """Return the rotation of a statement with both signatures verified; raises NoteError for an invalid one."""
    try:
        heading, origin, old_text, new_text, size, end = Note.parse(statement).text.split("\n")
        old, new, count = NoteKey.parse(old_text), NoteKey.parse(new_text), int(size)
    except NoteError:
        raise
    except ValueError as error:
        raise NoteError(NoteFault.KEY_MALFORMED, "not a statement of a rotation") from error
    if (heading, end) != (HEADING, "") or {old.name, new.name} != {origin} or count < 1 or old == new:
        raise NoteError(NoteFault.KEY_MALFORMED, "not a statement of a rotation")
    _, signed = open_note(statement, (str(old), str(new)))
    if {one.key.key_id for one in signed} != {old.key_id, new.key_id}:
        raise NoteError(NoteFault.SIGNER_UNKNOWN, "one of the two keys has not signed")
    return Rotation(old, new, count, statement)


def chain(anchor: NoteKey, statements: Iterable[bytes]) -> KeyChain:
    """Return the keys that these statements connect with a trusted one; unreadable statements are skipped.

    Of two statements by the same key the first one is valid, so that a stolen key cannot divert the chain. No statement
    leads back to a key that was replaced.
    """
    following: dict[NoteKey, Rotation] = {}
    before: dict[NoteKey, Rotation] = {}
    for statement in statements:
        try:
            one = read_statement(statement)
        except NoteError:
            continue
        following.setdefault(one.old, one)
        before.setdefault(one.new, one)
    keys, rotations = [anchor], list[Rotation]()
    while (earlier := before.get(keys[0])) is not None and earlier.old not in keys:
        keys.insert(0, earlier.old)
        rotations.insert(0, earlier)
    while (later := following.get(keys[-1])) is not None and later.new not in keys:
        keys.append(later.new)
        rotations.append(later)
    return KeyChain(tuple(keys), tuple(rotations))


def recorded_statements(reads: Session | ReadSession, log_id: int) -> list[bytes]:
    """Return the statements in a ledger, oldest first."""
    return [_statement(body) for body in bodies_of_type(reads, log_id, ROTATED)]


def recorded_hub_statements(reads: Session | ReadSession) -> list[bytes]:
    """Return the statements in the hub's own ledger, found by their key because that ledger is long."""
    return [_statement(body) for body in bodies_of_type(reads, HUB_LOG, ROTATED, key=HUB_KEYS)]


def newest_rotation(reads: Session | ReadSession, log_id: int) -> LedgerKeyRotated | None:
    """Return the last rotation in a ledger, or None where there was none."""
    bodies = bodies_of_type(reads, log_id, ROTATED)
    return decode(bodies[-1])["payload"] if bodies else None


def _statement(body: bytes) -> bytes:
    statement: str = decode(body)["payload"]["statement"]
    return statement.encode()
