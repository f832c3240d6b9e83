"""The hub's projection in a process of its own, beside the one that answers requests: what the embedded jobs use.

Rows are made of entries by Python, and one process runs Python on one core: beside it, intake and answers keep theirs.
The process is started when there is something to apply for the first time, and asked for each turn by a line; nothing
but that goes between the two, for all that is to be done stands in the database. It ends with the one that started it,
however that ends, because the pipe between them closes. An entry that ends a program ends this one alone: the slice was
written down before it was begun (`sync_jobs.projection.projecting`), and the process that is started next goes on from
there.

SQLite has one writer: with a store of that kind, everything is applied in the node's own process.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from typing import IO, Any, Final

from infra.clock import Clock, SystemClock
from infra.database import Store
from plants.store.replication import leases
from sync_jobs.nodes import EMBEDDED_HOLDER
from sync_jobs.projection.projecting import backlog_by_plant, project_turns

PROCESS_HOLDER: Final = "projection"
"""The holder of the leases that the process beside takes."""

STOP_SECONDS_MAX: Final = 20  # for the slices that are being applied
READY, ASK, MORE, DONE, FAILED = "ready", "project", "more", "done", "failed"
LOG = logging.getLogger(__name__)


class ProjectionProcess:
    """Applies what came in, in a process beside this one, until `stop`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    @property
    def process_id(self) -> int | None:
        """The id of the process that runs beside, for those who look; None where none was needed yet."""
        return None if self._process is None else self._process.pid

    def project(self) -> bool:
        """Apply what came in and retry what is due; returns whether more is left."""
        if self._store.dialect == "sqlite":
            return project_turns(self._store, self._clock, EMBEDDED_HOLDER)
        with self._turn:
            if not backlog_by_plant(self._store, self._clock):
                return False
            return (self._process is not None or self._start()) and self._ask(ASK) == MORE

    def start(self) -> None:
        """Start the process now rather than when it is first needed, and return when it is ready."""
        with self._turn:
            self._start()

    def _start(self) -> bool:
        with self._store.transaction() as session:
            # Nobody else uses this name, so that leases under it can only be those of a process that has ended.
            leases.end_all(session, PROCESS_HOLDER)
        # The modules of this very program, whatever the working directory holds.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", "sync_jobs.projection.process"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self._process = subprocess.Popen(command, env=environment, **pipes)
        # Not among the arguments, which everybody on the machine can read: the address may hold a password.
        return self._ask(json.dumps({"url": self._store.engine.url.render_as_string(hide_password=False)})) == READY

    def stop(self) -> None:
        """End the process, once it has finished the slices that it is applying."""
        process, self._process = self._process, None
        if process is None:
            return
        self._close(process)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, line: str) -> str:
        """Return the answer to a line, or nothing from a process that has ended."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            answer = process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if answer == "":
            self._has_ended()
        return answer

    def _has_ended(self) -> None:
        """Let go of a process that ended by itself; the next period starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            self._close(process)
            LOG.error("the process that applies entries has ended with %s", process.returncode)

    @staticmethod
    def _close(process: "subprocess.Popen[str]") -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    LOG.debug("the process beside ended before its pipe was closed")


def serve(asked: IO[str], answers: IO[str]) -> None:
    """Apply what came in each time that a line asks for it, until there are no more lines."""
    url = json.loads(asked.readline())["url"]
    with closing(Store(url)) as store:
        _answer(answers, READY)
        for _ in asked:
            try:
                answer = MORE if project_turns(store, SystemClock(), PROCESS_HOLDER) else DONE
            except Exception:
                LOG.exception("entries could not be applied this time")
                answer = FAILED
            _answer(answers, answer)


def _answer(answers: IO[str], answer: str) -> None:
    answers.write(answer + "\n")
    answers.flush()


def main() -> None:
    """Serve the process that started this one, and end when it ends."""
    # Ctrl-C and a stopping service reach the node and this process alike: when the node closes the pipe, it is time.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    serve(sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
