"""The hub's PostgreSQL under attack: all its processes killed at once, and started again on what they left."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from infra.postgres import EmbeddedPostgres


def processes_of(server: EmbeddedPostgres) -> list[int]:
    """Return the server's processes, the postmaster first."""
    postmaster = int((server.place / "data" / "postmaster.pid").read_text().splitlines()[0])
    return [postmaster, *children_of(postmaster)]


def children_of(process: int) -> list[int]:
    """Return the processes that a process started and that still run."""
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def kill_server(server: EmbeddedPostgres) -> None:
    """End the server and everybody's connection as a power cut would; `start` then brings it up again."""
    for process in processes_of(server):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    server.stop()
