"""Folders on a disk: what was put into one is there after a power cut only once the folder itself is synchronised."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are durable: files that were made, linked or renamed. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
