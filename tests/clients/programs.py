"""The programs of web/clients: what is installed there, and how a test compiles and runs it with Node.js."""

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
SECONDS_MAX: Final = 60
NODE: Final = Path(sys.executable).with_name("node")
"""Node.js from its wheel: the generators need a newer one than a system may have."""

needs_packages: Final = pytest.mark.skipif(
    not (MODULES / ".package-lock.json").exists(),
    reason="NOT RUN: web/clients is not installed: make clients",
)


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it printed, however it ended."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=patient(SECONDS_MAX), check=False
    )


def finished(*command: str | Path, folder: Path) -> str:
    """Run a program that must end well, and return what it printed."""
    done = run(*command, folder=folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def compiled(folder: Path) -> Path:
    """Compile the TypeScript programs strictly in a folder of the test, and return the folder of the programs."""
    shutil.copytree(CLIENTS / "src", folder / "src", dirs_exist_ok=True)
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(CLIENTS / name, folder)
    (folder / "node_modules").symlink_to(MODULES)
    finished(NODE, MODULES / "typescript/bin/tsc", "--project", ".", "--outDir", "built", folder=folder)
    return folder / "built"
