"""Folders of temporary files and of compiled modules, for tests and the processes that they start.

Temporary files are in memory if there is room: a database is 300 files, and creating them on a disk costs up to twenty
times the processor time. TMPDIR chooses another directory. Compiled modules are kept in pytest's cache.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- pytest and tempfile make private directories in it.
ROOM_BYTES: Final = 6 * 2**30
BYTE_CODE: Final = Path(__file__).parents[1] / ".pytest_cache" / "byte-code"


def choose_folders(memory: Path = MEMORY) -> None:
    """Set the directories of temporary files and of compiled modules, for this process and those that it starts."""
    if "TMPDIR" not in os.environ and has_room(memory):
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None  # so that tempfile reads TMPDIR again.
    os.environ["PYTHONPYCACHEPREFIX"] = str(BYTE_CODE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def has_room(memory: Path) -> bool:
    """Return whether the directory has ROOM_BYTES free, and programs in it may be executed."""
    if not os.access(memory, os.W_OK):
        return False
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize >= ROOM_BYTES and not found.f_flag & os.ST_NOEXEC
