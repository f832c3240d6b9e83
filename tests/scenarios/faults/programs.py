"""Programs of the machine that faults are made with; what is missing is said, loudly."""

import os
import shutil
import subprocess

import pytest


def program(name: str) -> str:
    """Return where a program is; skips with the reason where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"NOT RUN: {name} is not installed (on Debian, `make faults` installs it)")
    return path


def need_root(what: str) -> None:
    """Skip, with the reason, where we are not root."""
    if os.geteuid() != 0:
        pytest.skip(f"NOT RUN: only root can {what}")


def run(*command: str) -> None:
    """Run a program of the machine to its end; fails with what it said."""
    done = subprocess.run([program(command[0]), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
