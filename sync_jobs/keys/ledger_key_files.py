"""Files of a ledger's signing key: the current key, the next one, and the statements of rotations."""

import os
from pathlib import Path
from typing import Final

from auth.notes import NoteSigner, generate_key, load_key, save_key
from infra.database import ReadSession, Session
from infra.folders import sync_folder
from plants.rules.ledger.notes import NoteKey
from sync_jobs.keys.chains import (
    NOTE_SUFFIX,
    newest_rotation,
)

KEY_FILE: Final = "ledger.pem"


NEXT_FILE: Final = "ledger.next.pem"


def prepare_key(keys: Path, origin: str) -> NoteSigner:
    """Write the ledger's next key to its file, or return the one that is there."""
    if not (keys / NEXT_FILE).exists():
        save_key(keys / NEXT_FILE, generate_key())
    return NoteSigner(origin, load_key(keys / NEXT_FILE))


def switch_key(keys: Path, reads: Session | ReadSession, log_id: int, origin: str) -> bool:
    """Replace the current key by the next one, once the ledger has recorded the rotation; keeps the old file."""
    if not (keys / NEXT_FILE).exists():
        return False
    newest = newest_rotation(reads, log_id)
    following = NoteSigner(origin, load_key(keys / NEXT_FILE)).key
    if newest is None or newest["new"] != str(following):
        return False
    kept = keys / f"ledger.{NoteKey.parse(newest['old']).key_id.hex()}.pem"
    if not kept.exists():
        kept.hardlink_to(keys / KEY_FILE)
    _write_statement(kept.with_suffix(NOTE_SUFFIX), newest["statement"].encode())
    (keys / NEXT_FILE).replace(keys / KEY_FILE)
    sync_folder(keys)
    return True


def _write_statement(path: Path, statement: bytes) -> None:
    """Write the statement of a rotation to a file, because the node's store may be restored from an older backup."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(statement)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
