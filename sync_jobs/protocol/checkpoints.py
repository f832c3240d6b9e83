"""Signs checkpoints of ledgers with the time, and verifies those of other nodes.

A ledger's own key signs a checkpoint twice: as the ledger (type 0x01), and as a witness (type 0x04). The witness line
carries the time by its own clock. So the time of a checkpoint is signed too, without an extension of the format.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from auth.notes import NoteSigner, open_checkpoint, sign_checkpoint
from infra.messages import message
from plants.rules.ledger.notes import (
    Checkpoint,
    Note,
    NoteKey,
    SignatureType,
    SignedCheckpoint,
)
from plants.rules.values.instants import from_micros
from sync_jobs.protocol.wire import Position

LATEST_SECONDS: Final = 253_402_300_799  # the end of the year 9999; a signer may write any 64-bit number


def sign(origin: str, position: Position, signer: NoteSigner, now: datetime) -> Note:
    """Return the signed and timed note of a ledger; raises ValueError where the signer is not its origin."""
    note = sign_checkpoint(Checkpoint(origin, position.size, position.root), signer)
    return note.signed_also(signer.cosign(note, int(now.timestamp())))


def keys_of(key: NoteKey, *names: str) -> tuple[NoteKey, ...]:
    """Return the ledger and witness keys with this public key, under its own name or under each of these names."""
    kinds = (SignatureType.ED25519, SignatureType.COSIGNATURE_V1)
    return tuple(NoteKey(name, kind, key.public) for name in names or (key.name,) for kind in kinds)


def read(note: bytes, origin: str, keys: Iterable[NoteKey]) -> SignedCheckpoint:
    """Return the checkpoint of a ledger that one of these keys signed; raises NoteError for an invalid one."""
    return open_checkpoint(note, origin, map(str, keys))


def trimmed(note: bytes, keys: Iterable[NoteKey]) -> Note:
    """Return the note with the signature lines of these keys alone, so that foreign lines cannot fill the store."""
    parsed = Note.parse(note)
    known = {(key.name, key.key_id) for key in keys}
    return Note(parsed.text, tuple(line for line in parsed.signatures if (line.name, line.key_id) in known))


def signed_at(signed: SignedCheckpoint) -> datetime | None:
    """Return when the ledger's own side signed it, or None where it is not timed; never later than LATEST_SECONDS."""
    seconds = signed.cosigned_by(signed.checkpoint.origin)
    return None if seconds is None else from_micros(min(seconds, LATEST_SECONDS) * 1_000_000)


FORKED: Final = message(
    "HUB_LEDGER_FORKED",
    "The hub showed two histories of its own ledger: {held} entries were seen, and the {shown} now shown do not "
    "continue them. Both signed notes are kept as evidence. Ask headquarters whether the hub was restored.",
)
