"""The two child processes of the catch-up benchmark: the hub, and the plant with the long ledger.

Each talks to the benchmark over its pipes: it prints one line when it is ready, and its figures as JSON at the end.
"""

import argparse
import json
import logging
import select
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.replication import sync_routes
from auth.keys import SigningKey
from auth.notes import NoteSigner
from auth.tokens import Assertions
from benchmarks.enrolment import GROUP, PlantKeys
from infra.clock import SystemClock
from infra.database import Store
from infra.settings import directive_origin, hub_origin, plant_origin
from infra.writer import Writer
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.process import ProjectionProcess

LONG, OTHER = 1, 2
CODES = {LONG: "P01", OTHER: "P02"}
CLOCK = SystemClock()
POLL_SECONDS = 0.05
START_SECONDS_MAX = 60
BUSY_SECONDS_MAX = 60
"""How long the hub may be busy or unreachable before sending fails."""


class NotSent(Exception):
    """A plant could not send its ledger; the message has the state of its replication."""


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of the stores and of the hub, and the private keys in hexadecimal, for all three processes."""

    hub_store: str
    long_store: str
    hub_key: str
    ledger_keys: dict[str, str]
    assertion_keys: dict[str, str]
    hub_url: str = ""

    @classmethod
    def read(cls, path: Path) -> "Place":
        """Return the place in a JSON file."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write the place to a JSON file that only its owner can read."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))

    def keys_of(self, plant: int) -> PlantKeys:
        """Return the private keys of a plant."""
        return PlantKeys(_key(self.ledger_keys[str(plant)]), _key(self.assertion_keys[str(plant)]))

    def hub_signer(self) -> NoteSigner:
        """Return the signer of the hub."""
        return NoteSigner(hub_origin(GROUP), _key(self.hub_key))


class Meter:
    """Counts the bytes of the request bodies that pass through it."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request."""

        async def counted() -> Message:
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.inner(scope, counted, send)


def hub_node(place: Place) -> HubNode:
    """Return the hub."""
    origin = hub_origin(GROUP)
    return HubNode(
        origin=origin,
        store=Store(place.hub_store),
        clock=CLOCK,
        signer=place.hub_signer(),
        assertions=Assertions(hub_issuer=origin, clock=CLOCK),
        version="bench",
    )


def plant_node(place: Place, plant: int, store: Store, writer: Writer) -> PlantNode:
    """Return a plant that replicates to the hub."""
    origin, keys = plant_origin(GROUP, CODES[plant]), place.keys_of(plant)
    return PlantNode(
        number=plant,
        origin=origin,
        directive_origin=directive_origin(GROUP, CODES[plant]),
        store=store,
        writer=writer,
        clock=CLOCK,
        signer=NoteSigner(origin, keys.ledger),
        assertion_key=SigningKey(keys.assertion),
        hub_url=place.hub_url,
        hub_key=place.hub_signer().key,
        version="bench",
    )


def send_all(node: PlantNode) -> None:
    """Exchange until hub and plant are in sync, and retry while the hub is busy. Raises NotSent."""
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    while True:
        done = exchange(node, forced=True)
        if done.state is ReplicationState.IN_SYNC and not done.more:
            return
        if done.state is not ReplicationState.UNREACHABLE and not done.more:
            raise NotSent(f"plant {node.number}: replication is {done.state}")
        if done.more:
            deadline = time.monotonic() + BUSY_SECONDS_MAX
        elif time.monotonic() > deadline:
            raise NotSent(f"plant {node.number}: the hub was busy or unreachable for {BUSY_SECONDS_MAX} s")
        else:
            time.sleep(POLL_SECONDS)


def serve_hub(place: Place) -> None:
    """Run the hub until standard input ends, then print its figures. Raises what ended its server or projection."""
    hub = hub_node(place)
    meter = Meter(Starlette(routes=sync_routes(hub)))
    config = uvicorn.Config(meter, host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    over = threading.Event()
    projection = ProjectionProcess(hub.store, hub.clock)

    def project() -> None:
        while not over.is_set():
            if not projection.project():
                over.wait(POLL_SECONDS)

    with ThreadPoolExecutor(2) as threads:
        serving = threads.submit(server.run)
        _wait_for_start(server, serving)
        projecting = threads.submit(project)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        while not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
            if serving.done() or projecting.done():
                break
        over.set()
        server.should_exit = True
        projecting.result()
        serving.result()
    projection_mib = _peak_mib(projection.process_id)
    projection.stop()
    hub.store.close()
    print(json.dumps({"bytes": meter.bytes, "rss_mib": _peak_mib(), "projection_mib": projection_mib}), flush=True)


def _wait_for_start(server: uvicorn.Server, serving: "Future[None]") -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not server.started:
        if serving.done() or time.monotonic() > deadline:
            raise RuntimeError("the hub's HTTP server did not start")
        time.sleep(POLL_SECONDS)


def send_long_ledger(place: Place) -> None:
    """Send the whole long ledger once a line comes on standard input, then print the figures."""
    with closing(Store(place.long_store)) as store, closing(Writer(store)) as writer:
        node = plant_node(place, LONG, store, writer)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        send_all(node)
        print(json.dumps({"seconds": time.perf_counter() - start, "rss_mib": _peak_mib()}), flush=True)


ROLES: dict[str, Callable[[Place], None]] = {"hub": serve_hub, "plant": send_long_ledger}


def _key(hexadecimal: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(hexadecimal))


def _peak_mib(process: int | None = None) -> float:
    """Return the peak of the resident memory, by default of this process.

    The kernel's ru_maxrss would not do: it keeps the parent's memory at the fork.
    """
    status = Path(f"/proc/{process or 'self'}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> int:
    """Run one of the two programs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("place", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    ROLES[options.role](Place.read(options.place))
    return 0


if __name__ == "__main__":
    sys.exit(main())
