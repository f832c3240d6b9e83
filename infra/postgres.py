"""An embedded PostgreSQL server, run by a node from binaries on the machine.

It creates no operating system user, opens no directory to other users and opens no port. The server listens on a
Unix socket in a directory that only its user and root can enter. A node that runs as root runs the server as `nobody`.
Directories that `nobody` cannot reach (a home under /root, the binaries of a wheel in a virtual environment) are placed
under `/var/lib/batchloom`, and the file `place` in the home holds the path.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from sqlalchemy import URL

from infra.messages import message
from infra.postgres_programs import (
    STATE,
    Binaries,
    PostgresUnavailable,
    Runner,
    choose_binaries,
    find_binaries,
)

__all__ = ["Binaries", "EmbeddedPostgres", "PostgresUnavailable", "find_binaries"]

START_SECONDS_MAX = 300  # The server may have to replay its log after a crash.
REVIVE_SECONDS_MAX = 10  # The server continues its recovery if it takes longer.
STALE_SECONDS_MAX = 10  # The child processes of a killed postmaster end within moments.
STOP_SECONDS_MAX = 60
POLL_SECONDS = 0.02
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 103  # 107 on Linux, 103 on macOS.
LIST_SYNTAX = frozenset(',"')  # PostgreSQL and libpq read a socket's directory as a list.
LOG_LINES_SHOWN = 12
MAJOR_WITH_OWN_LOCALES = 17

SETTINGS = (
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "log_checkpoints=off",
    "log_timezone=UTC",
    "timezone=UTC",
)
# A killed server loses nothing; only a crash of the machine can corrupt the cluster.
SETTINGS_NOT_DURABLE = ("fsync=off", "full_page_writes=off")


POSTGRES_OWNER_SILENT: Final = message(
    "POSTGRES_OWNER_SILENT", "Another process owns {home}, but its server does not answer. Stop that process."
)
POSTGRES_OWNED: Final = message("POSTGRES_OWNED", "Another process owns {home}. Stop it first.")
POSTGRES_NOT_STARTED: Final = message("POSTGRES_NOT_STARTED", "The server of {home} is not started.")
POSTGRES_START_FAILED: Final = message("POSTGRES_START_FAILED", "PostgreSQL did not start:\n{log}")
POSTGRES_SILENT: Final = message("POSTGRES_SILENT", "PostgreSQL did not answer within its time:\n{log}")
POSTGRES_MOVED: Final = message(
    "POSTGRES_MOVED",
    "{file} names {place}, which is gone or belongs to another home. If this home was moved, and not copied, write "
    "its new path into {owner}.",
)
POSTGRES_CLUSTER_FAILED: Final = message(
    "POSTGRES_CLUSTER_FAILED", "PostgreSQL could not make a cluster in {place}:\n{log}"
)
POSTGRES_PATH_TOO_LONG: Final = message(
    "POSTGRES_PATH_TOO_LONG",
    "The path {path} is too long for a Unix socket, and so is the temporary one. Choose a shorter home.",
)
POSTGRES_STOP_FAILED: Final = message("POSTGRES_STOP_FAILED", "PostgreSQL did not stop within its time:\n{log}")


class EmbeddedPostgres:
    """A cluster and its server, with its home in `directory`. It can be started again after a stop.

    Several processes may use the same directory. The first to start owns the server and stops it; the others join it
    and leave it running. The next process to start adopts a server whose owner was killed. `durable=False` is for
    tests: a crash of the machine may destroy the cluster. `binaries` is the directory of `postgres`. The default is
    the first of `find_binaries`, for an existing cluster the first of its major version.
    """

    def __init__(
        self, directory: Path, *, binaries: Path | None = None, durable: bool = True, state: Path = STATE
    ) -> None:
        self._home = directory.resolve()
        self._binaries = binaries
        self._durable = durable
        self._runner = Runner.choose(state)
        self._ownership: IO[str] | None = None
        self._socket: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server if this process owns it."""
        self.stop()

    @property
    def place(self) -> Path:
        """The directory of the cluster: the home, or the path in its file `place`."""
        pointer = self._home / "place"
        return Path(pointer.read_text().strip()) if pointer.exists() else self._home

    @property
    def owned(self) -> bool:
        """True where this process owns the server."""
        return self._ownership is not None

    def start(self) -> None:
        """Create the cluster if there is none, start its server or join the running one, and wait until it answers.

        Raises PostgresUnavailable when no suitable binaries exist or the server does not start.
        """
        if self._socket:
            return
        self._home.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._take_ownership():
            if self._ping() is Ping.OK:
                self._socket = self._socket_of_server()
                return
            if time.monotonic() > deadline:
                raise PostgresUnavailable(POSTGRES_OWNER_SILENT, home=self._home)
            time.sleep(POLL_SECONDS)
        try:
            self._bring_up(deadline)
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Restart an owned server that has ended, at the same address; return whether it had ended.

        Raises PostgresUnavailable when it does not start in REVIVE_SECONDS_MAX; this process still owns it.
        """
        if self._socket is None or not self.owned or self._runs():
            return False
        self._server = None
        self._bring_up(time.monotonic() + REVIVE_SECONDS_MAX)
        return True

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL (psycopg) of a database of this server."""
        query = {"host": str(self._started()), "port": "5432"}
        url = URL.create("postgresql+psycopg", username="postgres", database=database, query=query)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create a database, as a copy of the template, unless it exists."""
        with psycopg.connect(_address(self._started()), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def stop(self) -> None:
        """Stop the server and its connections if this process owns it.

        Raises PostgresUnavailable when the server had to be killed; its next start replays the WAL.
        """
        self._socket = None
        if self._ownership is None:
            return
        try:
            self._shut_down()
        finally:
            self._server = None
            self._ownership.close()
            self._ownership = None

    def discard(self) -> None:
        """Stop the server and delete the cluster.

        Raises PostgresUnavailable when another process owns the server.
        """
        self.stop()
        if not self._home.exists():
            return
        if not self._take_ownership():
            raise PostgresUnavailable(POSTGRES_OWNED, home=self._home)
        self.stop()
        place = self.place
        for part in ("data", "data.new", "socket"):
            shutil.rmtree(place / part, ignore_errors=True)
        if place != self._home:
            shutil.rmtree(place, ignore_errors=True)
            (self._home / "place").unlink()

    def _started(self) -> Path:
        if self._socket is None:
            raise PostgresUnavailable(POSTGRES_NOT_STARTED, home=self._home)
        return self._socket

    def _take_ownership(self) -> bool:
        """Lock the home for the life of this object. The system releases the lock when the process dies."""
        ownership = (self._home / "lock").open("a")
        try:
            fcntl.flock(ownership, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ownership.close()
            return False
        self._ownership = ownership
        return True

    def _bring_up(self, deadline: float) -> None:
        data = self._settled() / "data"
        major = int((data / "PG_VERSION").read_text()) if data.exists() else None
        binaries = self._runner.within_reach(choose_binaries(self._binaries, major))
        if major is None:
            self._initialise(binaries)
        stale_until = time.monotonic() + STALE_SECONDS_MAX
        while (answer := self._ping()) is not Ping.OK:
            if answer is Ping.NO_RESPONSE and (self._server is None or self._server.poll() is not None):
                if self._server and not ("is still in use" in self._log() and time.monotonic() < stale_until):
                    raise PostgresUnavailable(POSTGRES_START_FAILED, log=self._log())
                self._launch(binaries)
            if time.monotonic() > deadline:
                raise PostgresUnavailable(POSTGRES_SILENT, log=self._log())
            time.sleep(POLL_SECONDS)
        self._socket = self._socket_of_server()

    def _settled(self) -> Path:
        """Return the cluster's directory; for a new cluster, one that the server's user can enter."""
        place = self.place
        if place != self._home:
            owner = place / "home"
            if not owner.exists() or Path(owner.read_text().strip()) != self._home:
                raise PostgresUnavailable(POSTGRES_MOVED, file=self._home / "place", place=place, owner=owner)
        elif not (place / "data").exists() and not self._runner.reaches(place):
            place = self._runner.reachable("clusters") / secrets.token_hex(8)
            place.mkdir()
            place.chmod(0o755)
            (place / "home").write_text(f"{self._home}\n")
            (self._home / "place").write_text(f"{place}\n")
        return place

    def _initialise(self, binaries: Binaries) -> None:
        """Create the cluster under a temporary path and rename it, so that a partial one is never used."""
        making = self.place / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        self._runner.make(making)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums"]
        # The same collation and character classes on every machine.
        if binaries.version[0] >= MAJOR_WITH_OWN_LOCALES:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            options += ["--locale=C.UTF-8"]
        if not self._durable:
            options += ["--no-sync"]
        if self._start_program(binaries.directory / "initdb", *options, "-D", making).wait() != 0:
            raise PostgresUnavailable(POSTGRES_CLUSTER_FAILED, place=making, log=self._log())
        making.rename(self.place / "data")

    def _launch(self, binaries: Binaries) -> None:
        data = self.place / "data"
        _disown_reused_number(data)
        settings = [*SETTINGS, f"unix_socket_directories={self._socket_directory()}"]
        if not self._durable:
            settings += SETTINGS_NOT_DURABLE
        options = [f"--{setting}" for setting in settings]
        self._server = self._start_program(binaries.directory / "postgres", "-D", data, *options)

    def _start_program(self, *command: str | Path) -> subprocess.Popen[bytes]:
        with (self._home / "postgresql.log").open("ab") as log:
            return self._runner.start(command, log)

    def _log(self) -> str:
        lines = (self._home / "postgresql.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    def _socket_directory(self) -> Path:
        """Return a directory for the socket: next to the data, or a temporary one if that path is too long."""
        if self._socket is not None:
            return self._socket
        beside = self.place / "socket"
        if _holds_a_socket(beside):
            if not beside.exists():
                self._runner.make(beside)
            return beside
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 -- the directory made in it is private.
            directory = parent / f"batchloom-{secrets.token_hex(8)}"
            if _holds_a_socket(directory) and self._runner.reaches(parent):
                self._runner.make(directory)
                return directory
        raise PostgresUnavailable(POSTGRES_PATH_TOO_LONG, path=beside)

    def _socket_of_server(self) -> Path | None:
        """Return the socket directory of the running server."""
        said = _said_by_server(self.place / "data")
        return Path(said[4]) if said[4:] and said[4] else None

    def _ping(self) -> Ping:
        socket = self._socket_of_server()
        return Ping(PGconn.ping(_address(socket).encode())) if socket else Ping.NO_RESPONSE

    def _runs(self) -> bool:
        """Return whether the owned server runs. An adopted server is no child process, so it is pinged."""
        return self._server.poll() is None if self._server else self._ping() is not Ping.NO_RESPONSE

    def _shut_down(self) -> None:
        """Stop the server with a checkpoint (fast shutdown); kill it when that takes too long."""
        if not self._runs():
            return
        socket = self._socket_of_server()
        process = self._server.pid if self._server else int(_said_by_server(self.place / "data")[0])
        ended = self._ends(process, signal.SIGINT)
        if not ended:
            self._ends(process, signal.SIGQUIT)
        if socket and socket != self.place / "socket":
            shutil.rmtree(socket, ignore_errors=True)
        if not ended:
            raise PostgresUnavailable(POSTGRES_STOP_FAILED, log=self._log())

    def _ends(self, process: int, number: signal.Signals) -> bool:
        with suppress(ProcessLookupError):
            os.kill(process, number)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while self._runs() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return not self._runs()


def _address(socket: Path) -> str:
    return make_conninfo(host=str(socket), port=5432, user="postgres", dbname="postgres", connect_timeout=10)


def _holds_a_socket(directory: Path) -> bool:
    """Return whether the path is short enough for a socket, and one path to PostgreSQL, which splits at commas."""
    return len(os.fsencode(directory / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX and not LIST_SYNTAX & set(str(directory))


def _said_by_server(data: Path) -> list[str]:
    """Return the lines of `postmaster.pid`: process, data, start, port, socket directory; or none."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _disown_reused_number(data: Path) -> None:
    """Write this process's id into a stale `postmaster.pid`, so that PostgreSQL starts.

    Process ids are reused in containers. After a crash the id in the file may belong to another program, and
    PostgreSQL then refuses to start. PostgreSQL ignores the id of its own parent process. The other lines stay, so
    PostgreSQL still checks for server processes that outlived their postmaster.
    """
    said = _said_by_server(data)
    if not said:
        return
    try:
        directory = Path(f"/proc/{said[0].strip()}/cwd").readlink()
    except OSError:
        return
    if directory != data.resolve():
        (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *said[1:], ""]))
