"""A group of real processes for tests: a hub and plants that the command line makes and runs, and people at them."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from infra.database import Store
from infra.ids import new_id
from tests.folders import BYTE_CODE
from tests.patience import patient, wait_until
from tests.sync_jobs.group import free_port, stand

HUB: Final = "HUB"
BATCHLOOM: Final = Path(sys.executable).with_name("batchloom")
PASSWORD: Final = "five small boats at dawn"
READY_SECONDS_MAX: Final = 120
COMMAND_SECONDS_MAX: Final = 90
STOP_SECONDS_MAX: Final = 40
ASKED_AGAIN_SECONDS: Final = 20
LOG_LINES_SHOWN: Final = 60

# The kernel tells a child to end when its parent is gone, however the parent went. Its parent is the thread that
# started it: so all are started by one thread that lives as long as the tests.
STARTING: Final = ThreadPoolExecutor(1, "starting")
DIES_WITH_ITS_PARENT: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
)
QUICK: Final = {"BATCHLOOM_PUSH_SECONDS": "0.3", "BATCHLOOM_CHECKPOINT_SECONDS": "1"}
RUNNING: Final[list["Group"]] = []
"""The groups of this moment, for whoever reports a failure."""


def environment(*layers: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: this one without settings of other nodes, in English, compiled once a run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLOOM_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept |= {"PYTHONPYCACHEPREFIX": str(BYTE_CODE), "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "120"}
    for layer in layers:
        kept |= layer
    return kept


@dataclass
class Process:
    """A child whose output goes to a log; it can be started again after it ended."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    folder: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self, network: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Start it in a network, which is a matter of the thread that starts it."""
        assert self.running is None, f"{self.command} runs already"
        command = (sys.executable, "-c", DIES_WITH_ITS_PARENT, *self.command)
        with self.log.open("ab") as log:

            def begin() -> subprocess.Popen[bytes]:
                with network():
                    return subprocess.Popen(
                        command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )

            self.running = STARTING.submit(begin).result()

    def stop(self) -> int:
        """End it in order, and return how it ended; asks twice, as whoever supervises processes does.

        Celery ends a beat by an exception out of the signal's handler, and where that interrupts a finaliser Python
        passes it over.
        """
        assert self.running is not None, f"{self.command} does not run"
        self.running.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.running.wait(patient(ASKED_AGAIN_SECONDS))
        self.running.terminate()
        return self.ended()

    def kill(self) -> None:
        """End it at once: kill -9."""
        self.tell(signal.SIGKILL)
        self.ended()

    def tell(self, number: signal.Signals) -> None:
        assert self.running is not None, f"{self.command} does not run"
        self.running.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended, and return how; what does not end is killed."""
        assert self.running is not None, f"{self.command} does not run"
        try:
            return self.running.wait(patient(STOP_SECONDS_MAX))
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
            raise
        finally:
            self.running = None

    def tail(self) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


@dataclass
class Node:
    """The hub or a plant as a process; its address, its store and its people stay the same when it is started again."""

    code: str
    home: Path
    port: int
    database_url: str
    process: Process
    certificate: Path | None = None  # of a node that is reached over TLS
    network: Callable[[], AbstractContextManager[None]] = nullcontext  # that it is in, to be entered

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def http(self, **more: Any) -> httpx2.Client:
        """Return a client of this node that trusts it and nobody else."""
        trust = ssl.create_default_context(cafile=self.certificate) if self.certificate else False
        return httpx2.Client(base_url=self.url, trust_env=False, verify=trust, **more)

    def is_ready(self) -> bool:
        running = self.process.running
        assert running is not None
        assert running.poll() is None, f"{self.code} ended by itself:\n{self.process.tail()}"
        try:
            with self.network(), self.http(timeout=patient(5)) as http:
                return http.get("/readyz").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def memory_kib(self, name: str = "VmRSS") -> int:
        """Return a figure of the process's memory as the kernel counts it."""
        assert self.process.running is not None
        lines = Path(f"/proc/{self.process.running.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Person:
    """Somebody who is signed in at a node over HTTP."""

    def __init__(self, node: Node, person: str, *, language: str = "en") -> None:
        self.node = node
        self.person = person
        self.http = node.http(timeout=patient(30), headers={"Accept-Language": language})
        with node.network():
            answer = self.http.post("/auth/token", json={"person": person, "password": PASSWORD})
        assert answer.status_code == httpx2.codes.OK, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"

    def post(self, document: str, variables: Mapping[str, Any] | None = None) -> httpx2.Response:
        """Send one operation and return what came back, whatever it is."""
        with self.node.network():
            return self.http.post("/graphql", json={"query": document, "variables": dict(variables or {})})

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an operation that has no errors."""
        answer = self.post(document, variables)
        assert answer.status_code == httpx2.codes.OK, answer.text
        content = answer.json()
        assert "errors" not in content, content
        return dict(content["data"])

    def say(self, mutation: str, wanted: str = "", *, request: str | None = None, **order: Any) -> dict[str, Any]:
        """Run a mutation and return its answer, be it a success (`wanted` is the selection on it) or a refusal."""
        plants = {name: order.pop(name) for name in ("plantCodes",) if name in order}
        given = {"requestId": request or new_id(), **order}
        document = mutation_document(mutation, wanted, at_plants=bool(plants))
        return dict(self.ask(document, input=given, **plants)[mutation])

    def do(self, mutation: str, wanted: str, *, request: str | None = None, **order: Any) -> dict[str, Any]:
        """Run a mutation that must not be refused."""
        answer = self.say(mutation, wanted, request=request, **order)
        assert "message" not in answer, answer
        return answer

    def close(self) -> None:
        self.http.close()


def mutation_document(mutation: str, wanted: str, *, at_plants: bool = False) -> str:
    """Return the text of a mutation with one input, and with plants if it is one of headquarters.

    It asks for a refusal's code and message too.
    """
    name = f"{mutation[0].upper()}{mutation[1:]}Input"
    declared, passed = ("", ", $plantCodes: [PlantCode!]!")[at_plants], ("", ", plantCodes: $plantCodes")[at_plants]
    return (
        f"mutation($input: {name}!{declared}) {{ {mutation}(input: $input{passed})"
        f" {{ __typename ... on Refusal {{ code message }} {wanted} }} }}"
    )


@dataclass
class Group:
    """A hub and plants, not yet running, and everything that is to end with them."""

    folder: Path
    program: Path = BATCHLOOM
    nodes: dict[str, Node] = field(default_factory=dict)
    others: dict[str, Process] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _stores: dict[str, Store] = field(default_factory=dict)
    _people: dict[tuple[str, str, str], Person] = field(default_factory=dict)

    def __enter__(self) -> Self:
        RUNNING.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        RUNNING.remove(self)
        for process in self._processes():
            if process.running is not None:
                process.kill()
        self._open.close()

    def add(self, code: str, home: Path, database_url: str, more: Mapping[str, str] | None = None) -> Node:
        """Take in a node whose home is made, the hub first; a hub without an address of its store embeds a server."""
        port = free_port()
        given = {"BATCHLOOM_PORT": str(port), **QUICK, **(more or {})}
        if code != HUB:
            given["BATCHLOOM_HUB_URL"] = self.nodes[HUB].url
        elif database_url:
            given["BATCHLOOM_DATABASE_URL"] = database_url
        command = (str(self.program), "hub" if code == HUB else "plant", "run", "--home", str(home))
        process = Process(command, environment(given), self.folder / f"{code}.log", self.folder)
        self.nodes[code] = Node(code, home, port, database_url, process)
        return self.nodes[code]

    def start(self, *codes: str) -> None:
        """Start nodes, all of them unless some are named, and wait until they are ready."""
        chosen = [self.nodes[code] for code in codes or self.nodes]
        for node in chosen:
            node.process.start(node.network)
        for node in chosen:
            wait_until(node.is_ready, f"{node.code} is ready", READY_SECONDS_MAX)

    def stop(self, *codes: str) -> None:
        """Stop nodes in order, all that run unless some are named."""
        chosen = codes or [code for code, node in self.nodes.items() if node.process.running is not None]
        for code in chosen:
            self.nodes[code].process.tell(signal.SIGTERM)
        for code in chosen:
            ended = self.nodes[code].process.ended()
            assert ended == 0, f"{code} ended with {ended}:\n{self.nodes[code].process.tail()}"

    def kill(self, code: str) -> None:
        """End a node as a power cut would."""
        self.nodes[code].process.kill()

    def aside(self, name: str, code: str, *command: str) -> Process:
        """Start another program in a node's place: a worker, a beat."""
        node = self.nodes[code]
        given = {**node.process.environment, "BATCHLOOM_HOME": str(node.home)}
        self.others[name] = Process(command, given, self.folder / f"{name}.log", self.folder)
        self.others[name].start()
        return self.others[name]

    def at(self, code: str, person: str, *, language: str = "en") -> Person:
        """Return a person who is signed in at a node."""
        key = code, person, language
        if key not in self._people:
            opened = Person(self.nodes[code], person, language=language)
            self._people[key] = self._open.enter_context(closing(opened))
        return self._people[key]

    def forget_person(self, code: str, person: str) -> None:
        """Have a person sign in again when next asked for."""
        for key in [key for key in self._people if key[:2] == (code, person)]:
            self._people.pop(key).close()

    def store(self, code: str) -> Store:
        """Return a node's store, to look into past its process."""
        if code not in self._stores:
            self._stores[code] = self._open.enter_context(closing(Store(self.nodes[code].database_url)))
        return self._stores[code]

    def forget_store(self, code: str) -> None:
        """Let go of a node's store, so that nobody is connected to its database."""
        self._stores.pop(code).close()

    def run(
        self,
        *arguments: str,
        code: str | None = None,
        given: Mapping[str, str] | None = None,
        expected: int | None = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end, with the settings of a node where one is named."""
        settings = {**(self.nodes[code].process.environment if code else environment()), **(given or {})}
        done = subprocess.run(
            [str(self.program), *arguments],
            env=settings, cwd=self.folder, capture_output=True, text=True, check=False,
            timeout=patient(COMMAND_SECONDS_MAX),
        )  # fmt: skip
        assert expected in (None, done.returncode), f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def logs(self) -> Iterator[tuple[str, str]]:
        """Return the ends of all logs, by the names of their files."""
        for process in self._processes():
            yield process.log.name, process.tail()

    def _processes(self) -> list[Process]:
        return [*self.others.values(), *(node.process for node in self.nodes.values())]


def leaves(store: Store, log_id: int) -> list[tuple[int, str, str]]:
    """Return position, leaf hash and event id of every entry of a ledger, in order."""
    with store.transaction() as session:
        rows = session.rows(
            "SELECT idx, leaf, event_id FROM entries WHERE log_id = :log_id ORDER BY idx", {"log_id": log_id}
        )
    return [(index, bytes(leaf).hex(), str(event)) for index, leaf, event in rows]


def is_level(group: Group, code: str, number: int) -> bool:
    """Tell whether hub and plant hold the same ledger of the plant and the hub has it in its tables."""
    mine, hubs = stand(group.store(code), number), stand(group.store(HUB), number)
    with group.store(HUB).transaction() as session:
        row = session.row("SELECT projected FROM logs WHERE log_id = :log_id", {"log_id": number})
    return mine == hubs and row is not None and row[0] == mine[0]


def alarms(group: Group, code: str) -> list[tuple[int, str, str | None]]:
    """Return log, state and alarm of every ledger that has an alarm at a node."""
    with group.store(code).transaction() as session:
        rows = session.rows("SELECT log_id, state, alarm FROM replication WHERE alarm IS NOT NULL ORDER BY log_id")
    return [(log_id, state, alarm) for log_id, state, alarm in rows]
