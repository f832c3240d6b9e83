"""The programs of web/clients: what is installed there, and how a test compiles and runs it with Node.js."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from infra.roles import Role
from schema.engine.sdl import committed_file
from tests.house.sources import ROOT
from tests.patience import patient

CLIENTS: Final = ROOT / "web" / "clients"
MODULES: Final = CLIENTS / "node_modules"
PYTHON: Final = CLIENTS / ".venv" / "bin" / "python"
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


def checkout(folder: Path) -> Path:
    """Copy the sources of the clients to a folder of the test, with both contracts; nothing is generated in ours."""
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules", ".venv"), dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(MODULES)
    for role in Role:
        (folder / "schema").mkdir(exist_ok=True)
        shutil.copy(committed_file(role), folder / "schema")
    return folder


def generate_typescript(folder: Path) -> Path:
    """Generate the clients in TypeScript, compile them and their programs strictly, and return the programs' folder."""
    finished(NODE, MODULES / ".bin" / "graphql-codegen", "--config", "codegen.ts", folder=folder)
    finished(NODE, MODULES / ".bin" / "tsc", "--project", ".", "--outDir", "built", folder=folder)
    return folder / "built"


def generate_python(folder: Path) -> None:
    """Generate the clients in Python, and check them and their programs strictly with mypy."""
    for role in Role:
        finished(PYTHON.with_name("ariadne-codegen"), "--config", f"ariadne.{role.value}.toml", folder=folder)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=")
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'clients'}"
    finished(*mypy, cache, "--python-executable", PYTHON, *(one.name for one in folder.glob("*.py")), folder=folder)
