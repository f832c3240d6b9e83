"""The projection process of the hub: applies entries outside the process that answers requests.

Python computes the rows, and one Python process uses one core. A process of its own leaves that core to intake and
answers. It starts when there is something to apply for the first time, and each run is requested by a line on its
standard input. Everything else is read from the database. It ends with its parent process, because the pipe between
them closes. An entry that crashes a program crashes this one alone. The slice was stored before it started
(`sync_jobs.projection.projecting`), and the next process continues from there.

SQLite has one writer: with a SQLite store, entries are applied in the node's own process.
"""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from typing import IO, Any, Final

from infra.clock import Clock, SystemClock
from infra.database import Store
from plants.store.replication import leases
from sync_jobs.nodes import EMBEDDED_HOLDER
from sync_jobs.projection.projecting import backlog_by_plant, project_turns

PROCESS_HOLDER: Final = "projection"
"""The holder of the leases that the projection process takes."""

STOP_SECONDS_MAX: Final = 20  # for the slices in progress
ANSWER_SECONDS_MAX: Final = 300.0  # of a run; a process that is silent for longer hangs, and is replaced
ANSWER_BYTES_MAX: Final = 64
READY, ASK, MORE, DONE, FAILED = "ready", "project", "more", "done", "failed"
LOG = logging.getLogger(__name__)


class ProjectionFailed(Exception):
    """The projection process failed, as its log says, or ended."""


class ProjectionProcess:
    """Applies stored entries in a child process, until `stop`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._stopping = threading.Event()

    @property
    def process_id(self) -> int | None:
        """The id of the child process, or None while none runs."""
        return None if self._process is None else self._process.pid

    def project(self) -> bool:
        """Apply stored entries and retry what is due; returns whether more is left.

        Raises ProjectionFailed when the process failed, ended or did not answer in ANSWER_SECONDS_MAX. The next call
        goes on. After `stop` nothing is applied.
        """
        if self._store.dialect == "sqlite":
            return project_turns(self._store, self._clock, EMBEDDED_HOLDER)
        with self._turn:
            if self._stopping.is_set() or not backlog_by_plant(self._store, self._clock):
                return False
            answer = self._ask(ASK) if self._process is not None or self._start() else ""
            if self._stopping.is_set():
                return False
            if answer not in {MORE, DONE}:
                raise ProjectionFailed(answer or "ended")
            return answer == MORE

    def start(self) -> None:
        """Start the process now instead of at its first use, and return when it is ready."""
        with self._turn:
            self._start()

    def _start(self) -> bool:
        with self._store.transaction() as session:
            # No other process uses this name, so leases under it belong to a process that has ended.
            leases.end_all(session, PROCESS_HOLDER)
        # The modules of this program, independent of the working directory.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", "sync_jobs.projection.process"]
        # Without buffers, whose locks a thread that waits for an answer would hold against `stop`.
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        self._process = subprocess.Popen(command, env=environment, **pipes)
        # Not an argument, which every user of the machine can read: the address may contain a password.
        return self._ask(json.dumps({"url": self._store.engine.url.render_as_string(hide_password=False)})) == READY

    def stop(self) -> None:
        """End the process after the slices that it is applying, or kill it after STOP_SECONDS_MAX."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        _close(process.stdin)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            LOG.warning("the projection process did not end in %s s and is killed", STOP_SECONDS_MAX)
            process.kill()
        # A thread that waits for an answer reads the end of the output now, and releases the process.
        with self._turn:
            self._release()

    def _ask(self, line: str) -> str:
        """Return the answer to a line, or an empty one from a process that has ended or hangs; that one is released."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{line}\n".encode())
            answer = _answer_from(process.stdout, ANSWER_SECONDS_MAX)
        except TimeoutError:
            LOG.error("the projection process did not answer in %s s and is killed", ANSWER_SECONDS_MAX)  # noqa: TRY400 -- where it hangs, no traceback of this process says.
            process.kill()
            answer = ""
        except (BrokenPipeError, ValueError):  # The process has ended, or `stop` has closed its input.
            answer = ""
        if answer == "":
            self._release()
        return answer

    def _release(self) -> None:
        """Release a process that has ended or is ending; the next period starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            _close(process.stdin)
            _close(process.stdout)
            if not self._stopping.is_set():
                LOG.error("the projection process has ended with status %s", process.returncode)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()


def _answer_from(output: IO[bytes], seconds_max: float) -> str:
    """Return a line of a pipe without its end, or an empty text at the end of the pipe; raises TimeoutError."""
    deadline, line = time.monotonic() + seconds_max, b""
    waiting = select.poll()
    waiting.register(output, select.POLLIN)
    while not line.endswith(b"\n"):
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(output.fileno(), ANSWER_BYTES_MAX)
        if not part:
            return ""
        line += part
    return line.decode().strip()


def serve(asked: IO[str], answers: IO[str]) -> None:
    """Apply stored entries for each line, until the input ends."""
    url = json.loads(asked.readline())["url"]
    with closing(Store(url)) as store:
        _answer(answers, READY)
        for _ in asked:
            try:
                answer = MORE if project_turns(store, SystemClock(), PROCESS_HOLDER) else DONE
            except Exception:
                LOG.exception("entries could not be applied in this run")
                answer = FAILED
            _answer(answers, answer)


def _answer(answers: IO[str], answer: str) -> None:
    answers.write(answer + "\n")
    answers.flush()


def main() -> None:
    """Serve the parent process, and end with it."""
    # Ctrl-C and a stopping service signal both processes; this one ends when the node closes the pipe.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(sys.stdin, sys.stdout)
    except BrokenPipeError:
        LOG.warning("the node of this projection process was killed, so the process ends")
        # Python flushes the output at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
