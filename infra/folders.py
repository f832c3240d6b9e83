"""Makes directory entries durable: a new name survives a power cut only once its folder is synchronised."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Synchronise a folder, so that created, linked and renamed files are durable. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
