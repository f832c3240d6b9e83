"""The nodes of a simulated group: real PlantNode and HubNode objects over virtual disks and clocks."""

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

import jwt
import pysqlite3.dbapi2 as sqlite
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import DBAPIError

from auth.keys import SigningKey, VerificationKeys
from auth.notes import NoteSigner
from auth.tokens import AccessTokens, Assertions
from infra.database import Session
from infra.settings import directive_origin, hub_origin, plant_origin
from plants.rules.values.instants import format_instant
from plants.store.ledger.archive import Archive
from plants.store.ledger.entries import HUB_LOG
from plants.store.replication import leases
from simulation.clocks import NodeClock
from simulation.disks import Disk
from simulation.keyrings import Keyring
from sync_jobs.archive import archiving
from sync_jobs.hub import assertion_key_rotation, directive_recovery, handshake, intake, ledger_reads
from sync_jobs.hub.rejection_alarms import RejectionAlarms
from sync_jobs.nodes import EMBEDDED_HOLDER, HubNode, NotRecognised, PlantNode
from sync_jobs.plant import restore_detection
from sync_jobs.protocol.hub_client import HubClient
from sync_jobs.protocol.wire import GREETING_BYTES_MAX, MEDIA_TYPE, SESSION_HEADER, Hello, Limits, Problem, Proof, Roots

GROUP: Final = "sim.example"
CODES: Final = {1: "SH1", 2: "NB2", 3: "GZ3"}
VERSION: Final = "simulated"
OK: Final = 200
RETRY_SECONDS: Final = 5

T = TypeVar("T")
Opener = Callable[[PlantNode], AbstractContextManager[HubClient]]


@cache
def private_key(name: str) -> Ed25519PrivateKey:
    """Return the key that a name always has: keys are made once, outside of what is simulated."""
    return Ed25519PrivateKey.from_private_bytes((name.encode() + b"." * 32)[:32])


@cache
def signer(origin: str, name: str) -> NoteSigner:
    """Return what a node signs with under an origin."""
    return NoteSigner(origin, private_key(f"ledger {name}"))


@cache
def assertion_key(name: str) -> SigningKey:
    """Return what a plant signs in with."""
    return SigningKey(private_key(f"assertion {name}"))


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTPS request as it is on the wire."""

    method: str
    path: str
    query: dict[str, int | str]
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTPS answer as it is on the wire."""

    status: int
    media: str
    content: bytes
    retry_after: str = ""


@dataclass
class MarksInMemory:
    """A plant's second memory on a virtual disk of its own."""

    content: bytes | None = None

    def read(self) -> bytes | None:
        """Return the content, or None where it was lost."""
        return self.content

    def replace(self, content: bytes) -> None:
        """Put new content in place of the old."""
        self.content = content

    def alone(self) -> AbstractContextManager[None]:
        """Keep nobody out: the world has one thread."""
        return nullcontext()


@dataclass
class SimulatedPlant:
    """One plant: its disk, its clock, and the process that runs over them until it is killed."""

    number: int
    disk: Disk
    clock: NodeClock
    opener: Opener
    name: str = ""
    running: bool = True
    marks: MarksInMemory = field(default_factory=MarksInMemory)
    keys: Keyring = field(init=False)
    tokens: AccessTokens = field(init=False)
    node: PlantNode = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.name or CODES[self.number]
        self.keys = Keyring([signer(self.origin, self.code)], [assertion_key(self.code)])

    @property
    def code(self) -> str:
        """The plant's code, which a copy of it has too."""
        return CODES[self.number]

    @property
    def origin(self) -> str:
        """The origin of the plant's ledger."""
        return plant_origin(GROUP, self.code)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run a piece of work in a transaction of its own, as `infra.writer.Writer` does for a lone one."""
        with self.disk.transaction() as session:
            return work(session)

    def open(self) -> None:
        """Start the plant's process on what its disk holds, by the steps that `api.node.node` takes."""
        self.disk.start()
        self.running = True
        with self.disk.reading() as reads:
            self.keys.switch_ledger(reads, self.number)
        restore_detection.compare_with_marks(
            self.disk, self.marks, plant=self.number, origin=self.origin, clock=self.clock
        )
        self.tokens = access_tokens(self.origin, self.clock)
        self.node = PlantNode(
            number=self.number,
            origin=self.origin,
            directive_origin=directive_origin(GROUP, self.code),
            store=self.disk,
            writer=self,
            clock=self.clock,
            signer=self.keys.ledgers[-1],
            assertion_key=self.keys.assertions[-1],
            earlier_assertion_keys=tuple(self.keys.assertions[:-1]),
            statements=tuple(self.keys.statements),
            hub_url="https://hub.sim.example",
            hub_key=signer(hub_origin(GROUP), "hub").key,
            version=VERSION,
            checkpoint_seconds=60.0,
            open_hub_client=self.opener,
        )
        self.write(lambda session: leases.end_all(session, EMBEDDED_HOLDER))

    def kill(self) -> None:
        """Stop the process where it is."""
        self.disk.stop()
        self.running = False


@dataclass
class SimulatedHub:
    """The hub: its disk, its clock, and the process that answers requests until it is killed."""

    disk: Disk
    clock: NodeClock
    limits: Limits = field(default_factory=Limits)
    name: str = "HUB"
    running: bool = True
    node: HubNode = field(init=False)
    doorkeeper: RejectionAlarms = field(init=False)
    tokens: AccessTokens = field(init=False)
    arrived: set[int] = field(default_factory=set)
    archive: Archive | None = None
    keys: Keyring = field(default_factory=lambda: Keyring([signer(hub_origin(GROUP), "hub")]))

    @property
    def origin(self) -> str:
        """The origin of the hub's ledger."""
        return hub_origin(GROUP)

    def open(self) -> None:
        """Start the hub's process on what its disk holds; which assertions were used is forgotten, as in production."""
        self.disk.start()
        self.running = True
        with self.disk.reading() as reads:
            self.keys.switch_ledger(reads, HUB_LOG)
        self.tokens = access_tokens(self.origin, self.clock)
        self.node = HubNode(
            origin=self.origin,
            store=self.disk,
            clock=self.clock,
            signer=self.keys.ledgers[-1],
            statements=tuple(self.keys.statements),
            assertions=Assertions(hub_issuer=self.origin, clock=self.clock),
            version=VERSION,
            limits=self.limits,
            arrived=self.arrived.add,
            archive=self.archive,
        )
        self.doorkeeper = RejectionAlarms(self.node)
        archiving.recover_at_start(self.node)
        with self.disk.transaction() as session:
            leases.end_all(session, EMBEDDED_HOLDER)

    def kill(self) -> None:
        """Stop the process where it is."""
        self.disk.stop()
        self.running = False

    def session_ended(self, request: Request) -> bool:
        """Tell from outside whether a parcel comes under a session that is none of the plant's chain any more."""
        if (request.method, request.path.rpartition("/")[2]) != ("POST", "entries"):
            return False
        number = next(number for number, code in CODES.items() if f"/{code}/" in request.path)
        sql = "SELECT session, session_next, offered FROM replication WHERE log_id = ?"
        chain = [name for row in self.disk.peek(sql, (number,)) for names in row for name in (names or "").split()]
        return request.headers.get(SESSION_HEADER) not in chain

    def serve(self, request: Request) -> Answer:
        """Answer one request as `api.http.replication` does; raises Crash when the machine stops."""
        try:
            return self._served(request)
        except (DBAPIError, sqlite.OperationalError):
            return _no(Problem(503, "STORE_UNAVAILABLE", retry_seconds=RETRY_SECONDS))

    def _served(self, request: Request) -> Answer:
        machine = None
        try:
            machine = self.node.recognise(request.headers["Authorization"].removeprefix("Bearer "))
            said = _ROUTES[request.method, request.path.rpartition("/")[2]](self.node, machine, request)
            self.doorkeeper.accepted(machine.origin)
        except NotRecognised as failure:
            problem = Problem(401, "NOT_RECOGNISED", clock=format_instant(self.clock.now()))
            self.doorkeeper.rejected(problem, failure.origin)
            return _no(problem)
        except Problem as problem:
            origin = problem.content.get("origin") if machine is None else machine.origin
            self.doorkeeper.rejected(problem, None if origin is None else str(origin))
            return _no(problem)
        return said


def key_shown(request: Request) -> str:
    """Return the id of the key under which a request is sent."""
    return str(jwt.get_unverified_header(request.headers["Authorization"].removeprefix("Bearer "))["kid"])


def access_tokens(origin: str, clock: NodeClock) -> AccessTokens:
    """Return the identity provider of a node."""
    key = SigningKey(private_key(f"token {origin}"))
    return AccessTokens(
        issuer=origin, audience=origin, signing_key=key, keys=VerificationKeys([key.public_key]), clock=clock
    )


def _hello(hub: HubNode, machine: Any, request: Request) -> Answer:
    if len(request.content) > GREETING_BYTES_MAX:
        raise Problem(413, "BODY_TOO_LARGE", limit=GREETING_BYTES_MAX)
    return _said(handshake.answer_hello(hub, machine, Hello.read(request.content)).to_bytes())


def _take(hub: HubNode, machine: Any, request: Request) -> Answer:
    delivery = intake.Delivery(
        origin=_origin(request),
        start=int(request.query["from"]),
        session=request.headers.get(SESSION_HEADER, "")[:100],
        packed=request.content,
    )
    return _said(directive_recovery.accept_parcel(hub, machine, delivery).to_bytes())


def _give(hub: HubNode, machine: Any, request: Request) -> Answer:
    low, high = int(request.query["from"]), request.query.get("to")
    packed = ledger_reads.entries(hub, machine, _origin(request), low, None if high is None else int(high))
    return Answer(OK, MEDIA_TYPE, packed)


def _key(hub: HubNode, machine: Any, request: Request) -> Answer:
    assertion_key_rotation.accept_rotation(hub, machine, _origin(request), request.content)
    return _said(b"{}")


def _consistency(hub: HubNode, machine: Any, request: Request) -> Answer:
    old, new = int(request.query["old"]), int(request.query["new"])
    hashes = ledger_reads.consistency(hub, machine, _origin(request), old, new)
    return _said(Proof(hashes=[b64encode(part).decode() for part in hashes]).to_bytes())


def _roots(hub: HubNode, machine: Any, request: Request) -> Answer:
    sizes = [int(size) for size in str(request.query["sizes"]).split(",")]
    found = ledger_reads.roots(hub, machine, _origin(request), sizes)
    return _said(Roots(hashes=[b64encode(part).decode() for part in found]).to_bytes())


_ROUTES: Final[dict[tuple[str, str], Callable[[HubNode, Any, Request], Answer]]] = {
    ("POST", "hello"): _hello,
    ("POST", "entries"): _take,
    ("GET", "entries"): _give,
    ("POST", "key"): _key,
    ("GET", "consistency"): _consistency,
    ("GET", "roots"): _roots,
}


def _origin(request: Request) -> str:
    return request.path.removeprefix("/sync/v1/logs/").rpartition("/")[0]


def _said(content: bytes) -> Answer:
    return Answer(OK, "application/json", content)


def _no(problem: Problem) -> Answer:
    content = json.dumps({"code": problem.code, **problem.content}, ensure_ascii=False, default=str).encode()
    retry = "" if problem.retry_seconds is None else str(problem.retry_seconds)
    return Answer(problem.status, "application/problem+json", content, retry)
