"""The demonstration's processes: a hub and three plants as children that never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import httpx2

from api.demo.homes import DemoNode
from api.node.shutdown import SignalGuard
from infra.messages import Failure, message
from infra.settings import PREFIX

START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 20
POLL_SECONDS: Final = 0.1
LOG_LINES_SHOWN: Final = 8
READY: Final = 200


class Processes:
    """The nodes' processes. Leaving the block ends them all, whatever happened in it.

    Each process has a pipe as its standard input and ends when the pipe closes. So none is left behind, even if this
    process is killed.
    """

    def __init__(self, nodes: Sequence[DemoNode]) -> None:
        self.nodes = nodes
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    def start(self, signals: SignalGuard) -> None:
        """Start every node and return when all are ready; raises Failure with the log of one that is not.

        A signal ends the waiting. Every process that was started until then is known to `stop`.
        """
        for node in self.nodes:
            with signals.held():
                self._running[node.url] = self._start(node)
        deadline = time.monotonic() + START_SECONDS_MAX
        with httpx2.Client(timeout=5, trust_env=False) as http:
            for node in self.nodes:
                while not _is_ready(http, node):
                    signals.check()
                    self._check(node, late=time.monotonic() > deadline)
                    time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop every node: plants first, so that the hub receives their last entries. Kill those that do not stop."""
        for node in reversed(self.nodes):
            child = self._running.get(node.url)
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for child in self._running.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin is not None:
                child.stdin.close()
        self._running.clear()
        for log in self._logs:
            log.close()
        self._logs.clear()

    def number_of(self, node: DemoNode) -> int:
        """Return the number of a node's process."""
        return self._running[node.url].pid

    def ended(self) -> list[DemoNode]:
        """Return the nodes whose processes have ended by themselves."""
        return [node for node in self.nodes if self._running[node.url].poll() is not None]

    def __enter__(self) -> Self:
        """Return the processes, of which none runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them all."""
        self.stop()

    def _start(self, node: DemoNode) -> subprocess.Popen[bytes]:
        log = log_of(node).open("ab")
        self._logs.append(log)
        command = [sys.executable, "-m", "api", node.room, "run", "--home", str(node.home), "--until-input-ends"]
        # A session of its own: a Ctrl-C in the terminal is for this process, which ends the others in order.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
            start_new_session=True,
        )

    def _check(self, node: DemoNode, *, late: bool) -> None:
        status = self._running[node.url].poll()
        if status is None and not late:
            return
        lines = log_of(node).read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        said = "\n".join(lines)
        name = node.code or "hub"
        raise Failure(message("DEMO_NODE_NOT_STARTED", "The node {name} did not start:\n{said}"), name=name, said=said)


def log_of(node: DemoNode) -> Path:
    """Return where a node of the demonstration writes what it has to say."""
    return node.home / "node.log"


def _is_ready(http: httpx2.Client, node: DemoNode) -> bool:
    try:
        return http.get(f"{node.url}/readyz").status_code == READY
    except httpx2.HTTPError:
        return False
