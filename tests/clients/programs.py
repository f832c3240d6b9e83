"""Runs the programs of web/clients: the generators, what they generate, and the plays."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.sources import ROOT
from tests.patience import patient

CLIENTS: Final = ROOT / "web" / "clients"
MODULES: Final = CLIENTS / "node_modules"
PYTHON: Final = CLIENTS / ".venv" / "bin" / "python"
HOW_TO: Final = ROOT / "docs" / "how-to" / "write-a-client.md"
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECONDS_MAX: Final = 60
NODE: Final = Path(sys.executable).with_name("node")
"""Node.js from its wheel: the generators need a newer one than a system may have."""

needs_packages: Final = pytest.mark.skipif(
    not (MODULES / ".package-lock.json").exists() or not PYTHON.exists(),
    reason="NOT RUN: web/clients is not installed: make clients",
)


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it printed, however it ended."""
    ours = (str(NODE.parent), str(PYTHON.parent), os.environ["PATH"])
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": os.pathsep.join(ours)},
        capture_output=True,
        text=True,
        timeout=patient(SECONDS_MAX),
        check=False,
    )


def finished(*command: str | Path, folder: Path) -> str:
    """Run a program that must end well, and return what it printed."""
    done = run(*command, folder=folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def checkout(folder: Path) -> Path:
    """Copy the sources of the clients to a folder of the test, so that nothing is generated in ours."""
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules", ".venv"), dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(MODULES)
    return folder


def documented(section: str) -> str:
    """Return the shell commands in a section of the how-to."""
    text = HOW_TO.read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n## {section}\n")
    assert found, f"{HOW_TO.name} has no section {section}"
    commands = BLOCK.findall(rest.partition("\n## ")[0])
    assert commands, f"{section} has no commands"
    return "\n".join(commands)


def follow(section: str, folder: Path) -> str:
    """Run the commands of a section of the how-to in a folder, and return what they print."""
    return finished("sh", "-euc", documented(section), folder=folder)


def check_python(folder: Path) -> None:
    """Check the programs in Python strictly, with the types of the packages that were generated for them."""
    mypy = (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=")
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'clients'}"
    finished(*mypy, cache, "--python-executable", PYTHON, *(one.name for one in folder.glob("*.py")), folder=folder)
