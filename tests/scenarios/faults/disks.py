"""Small disks that can be filled and made read-only, and disks that fail or are slow under a running process."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Final

import pytest

from tests.patience import Limit
from tests.scenarios.faults.programs import need_root, program, run

PIECE: Final = bytes(64 * 1024)
ATTACH_SECONDS_MAX: Final = 10.0


@dataclass
class Disk:
    """A disk of its own, in memory, at a directory."""

    place: Path

    def fill(self) -> None:
        """Take all the room that is left."""
        with (self.place / "ballast").open("ab", buffering=0) as ballast:
            for size in (len(PIECE), 512, 1):
                try:
                    while True:
                        ballast.write(PIECE[:size])
                except OSError as error:
                    if error.errno != ENOSPC:
                        raise

    def free(self) -> None:
        """Give the room back."""
        (self.place / "ballast").unlink()

    def remount(self, option: str) -> None:
        """Mount it anew, `ro` or `rw`; nobody may have a file on it open for writing."""
        run("mount", "-o", f"remount,{option}", str(self.place))


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a small disk; what is in the directory is moved onto it, and is gone with it."""
    need_root("mount a disk of its own")
    aside = place.with_name(f"{place.name}.aside")
    if place.exists():
        place.rename(aside)
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place))
    try:
        if aside.exists():
            shutil.copytree(aside, place, dirs_exist_ok=True)
        yield Disk(place)
    finally:
        run("umount", "--lazy", str(place))


@contextmanager
def injected(process: int, calls: str, effect: str) -> Iterator[None]:
    """Answer system calls of a running process otherwise until the block ends, e.g. `fdatasync`, `error=EIO`."""
    command = [
        program("strace"),
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:{effect}",
    ]
    with subprocess.Popen([*command, "-p", str(process)], stderr=subprocess.PIPE) as tracer:
        try:
            _wait_attached(process, tracer)
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()


def _wait_attached(process: int, tracer: "subprocess.Popen[bytes]") -> None:
    limit = Limit(ATTACH_SECONDS_MAX)
    while not all(_is_traced(thread) for thread in Path(f"/proc/{process}/task").iterdir()):
        if tracer.poll() is not None:
            said = tracer.stderr.read().decode() if tracer.stderr else ""
            pytest.skip(f"NOT RUN: strace may not attach here: {said.strip()[:200]}")
        assert limit.left() > 0, "strace does not attach"
        time.sleep(0.02)


def _is_traced(thread: Path) -> bool:
    lines = (thread / "status").read_text().splitlines()
    return next(line for line in lines if line.startswith("TracerPid:")).split()[1] != "0"
