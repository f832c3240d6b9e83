"""A PostgreSQL server that a node runs for itself, from binaries found on the machine.

Nothing on the machine is changed for it: no operating system user is made, no directory is opened to others,
no port is opened. The server answers on a Unix socket in a directory that only its user and root may enter.
A node that runs as root lets the server run as `nobody`; what `nobody` cannot reach (a home under /root, the
binaries of a wheel in a virtual environment there) lies under `/var/lib/batchloom` instead, and the file
`place` in the home says where.
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
from typing import IO, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from sqlalchemy import URL

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
REVIVE_SECONDS_MAX = 10  # It goes on with its log by itself, if that takes longer.
STALE_SECONDS_MAX = 10  # The server processes of a killed postmaster end by themselves within moments.
STOP_SECONDS_MAX = 60
POLL_SECONDS = 0.02
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 103  # 107 on Linux, 103 on macOS.
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
# A killed server still loses nothing; only a crash of the machine does damage.
SETTINGS_NOT_DURABLE = ("fsync=off", "full_page_writes=off")


class EmbeddedPostgres:
    """One cluster and its server, with its home in `directory`; once stopped, it can be started again.

    Several processes may have one on the same directory: the first to start owns the server and stops it,
    later ones join it and leave it running. A server whose owner was killed is adopted by the next to start.
    `durable=False` is for tests: a crash of the machine may then destroy the cluster. `binaries` names the
    directory of `postgres`; without it, a new cluster takes the first of `find_binaries` and an existing one
    the first of its own major version.
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
        """Stop the server if it is ours."""
        self.stop()

    @property
    def place(self) -> Path:
        """Where the cluster lies: the home, or what its file `place` names."""
        pointer = self._home / "place"
        return Path(pointer.read_text().strip()) if pointer.exists() else self._home

    @property
    def owned(self) -> bool:
        """Whether the server is ours to stop."""
        return self._ownership is not None

    def start(self) -> None:
        """Make the cluster if there is none, start its server or join the one that runs, until it answers.

        Raises PostgresUnavailable when there are no fitting binaries, or when the server does not come up.
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
                raise PostgresUnavailable(f"Another process owns {self._home}, but its server does not answer.")
            time.sleep(POLL_SECONDS)
        try:
            self._bring_up(deadline)
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Start the server again, at the same address, where it is ours and has ended by itself; tell whether it had.

        Raises PostgresUnavailable when it does not come up in a short time; it is ours all the same.
        """
        if self._socket is None or not self.owned or self._runs():
            return False
        self._server = None
        self._bring_up(time.monotonic() + REVIVE_SECONDS_MAX)
        return True

    def url(self, database: str) -> str:
        """Return the address of a database of this server, as SQLAlchemy with psycopg takes it."""
        query = {"host": str(self._started()), "port": "5432"}
        url = URL.create("postgresql+psycopg", username="postgres", database=database, query=query)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make sure that a database of this name exists; a new one starts as a copy of the template."""
        with psycopg.connect(_address(self._started()), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def stop(self) -> None:
        """End the server and its connections if it is ours, else leave it; without a server, do nothing.

        Raises PostgresUnavailable when the server had to be cut off; its next start then replays its log.
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
        """Stop the server and delete the cluster with all that it holds, wherever it lies.

        Raises PostgresUnavailable when another process owns the server.
        """
        self.stop()
        if not self._home.exists():
            return
        if not self._take_ownership():
            raise PostgresUnavailable(f"Another process owns {self._home}.")
        self.stop()
        place = self.place
        for part in ("data", "data.new", "socket"):
            shutil.rmtree(place / part, ignore_errors=True)
        if place != self._home:
            shutil.rmtree(place, ignore_errors=True)
            (self._home / "place").unlink()

    def _started(self) -> Path:
        if self._socket is None:
            raise PostgresUnavailable(f"The server of {self._home} is not started.")
        return self._socket

    def _take_ownership(self) -> bool:
        """Lock the home for the life of this object; the system unlocks it when the process dies."""
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
                    raise PostgresUnavailable(f"PostgreSQL did not start:\n{self._log()}")
                self._launch(binaries)
            if time.monotonic() > deadline:
                raise PostgresUnavailable(f"PostgreSQL did not answer within its time:\n{self._log()}")
            time.sleep(POLL_SECONDS)
        self._socket = self._socket_of_server()

    def _settled(self) -> Path:
        """Return the place of the cluster; a new one is given one that the server's user can enter."""
        place = self.place
        if place != self._home:
            owner = place / "home"
            if not owner.exists() or Path(owner.read_text().strip()) != self._home:
                raise PostgresUnavailable(
                    f"{self._home / 'place'} names {place}, which is gone or belongs to another home. "
                    f"If this home was moved, and not copied, write its new path into {owner}."
                )
        elif not (place / "data").exists() and not self._runner.reaches(place):
            place = self._runner.reachable("clusters") / secrets.token_hex(8)
            place.mkdir()
            place.chmod(0o755)
            (place / "home").write_text(f"{self._home}\n")
            (self._home / "place").write_text(f"{place}\n")
        return place

    def _initialise(self, binaries: Binaries) -> None:
        """Make the cluster beside its final path, so that one cut short is never taken for a whole one."""
        making = self.place / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        self._runner.make(making)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums"]
        # The same order and the same letter cases on every machine.
        if binaries.version[0] >= MAJOR_WITH_OWN_LOCALES:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            options += ["--locale=C.UTF-8"]
        if not self._durable:
            options += ["--no-sync"]
        if self._start_program(binaries.directory / "initdb", *options, "-D", making).wait() != 0:
            raise PostgresUnavailable(f"PostgreSQL could not make a cluster in {making}:\n{self._log()}")
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
        """Return a directory for the socket: beside the data, or a temporary one if that path is too long."""
        if self._socket is not None:
            return self._socket
        beside = self.place / "socket"
        if _holds_a_socket(beside):
            if not beside.exists():
                self._runner.make(beside)
            return beside
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 -- what is made in it is private.
            directory = parent / f"batchloom-{secrets.token_hex(8)}"
            if _holds_a_socket(directory) and self._runner.reaches(parent):
                self._runner.make(directory)
                return directory
        raise PostgresUnavailable(f"The path {beside} is too long for a Unix socket, and so is the temporary one.")

    def _socket_of_server(self) -> Path | None:
        """Return the directory in which the running server says that it listens."""
        said = _said_by_server(self.place / "data")
        return Path(said[4]) if said[4:] and said[4] else None

    def _ping(self) -> Ping:
        socket = self._socket_of_server()
        return Ping(PGconn.ping(_address(socket).encode())) if socket else Ping.NO_RESPONSE

    def _runs(self) -> bool:
        """Whether our server runs; an adopted one is no child of ours and can only be asked."""
        return self._server.poll() is None if self._server else self._ping() is not Ping.NO_RESPONSE

    def _shut_down(self) -> None:
        """End the server with a checkpoint, whoever is connected; cut it off when that takes too long."""
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
            raise PostgresUnavailable(f"PostgreSQL did not stop within its time:\n{self._log()}")

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
    return len(os.fsencode(directory / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX


def _said_by_server(data: Path) -> list[str]:
    """Return the lines of `postmaster.pid`: process, data, start, port, socket directory; or none."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _disown_reused_number(data: Path) -> None:
    """Let PostgreSQL see that the process named in a stale `postmaster.pid` is no server of this cluster.

    Process numbers start over with every container, so after a crash the number may belong to anything, and
    PostgreSQL would refuse to start. It overlooks the number of its own parent, so ours is written there; the
    rest stays, and with it the check for server processes that outlived their postmaster.
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
