"""A plant that was offline for long catches up, over HTTP, while another plant goes on being served.

Three programs: the hub (its door, and its projection in the process beside it, on PostgreSQL), the plant with its long
ledger on SQLite, and this one, which is a second plant that writes and sends one entry after the other meanwhile. The
long ledger is valid: receipts with batches, movements and numbers, which the hub checks, cosigns and applies.
What is by chance in a real one (ids of events and requests, amounts, lots) is drawn from a seed, so that it packs no
better. Time counts from when all three programs stand ready. Progress goes to standard error.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import migrations
from api.http.replication import sync_routes
from auth.actors import Role, system_actor
from auth.keys import SigningKey, public_key_text
from auth.notes import NoteSigner
from auth.tokens import Assertions
from benchmarks.group import START_US, STEP_US
from benchmarks.servers import server
from infra.clock import SystemClock
from infra.database import Store
from infra.settings import directive_origin, hub_origin, plant_origin
from infra.writer import Writer
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.rules.identification.codes import node_id
from plants.rules.ledger import hlc
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.notes import NoteKey
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import format_micro
from plants.store.ledger.entries import INSERT_ENTRY, entry_row, open_log
from plants.store.projection.registry import SUPPORTED
from sync_jobs.hub.enrolment import enrol
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.process import Beside

GROUP = "bench.example"
LONG, OTHER = 1, 2
CODES = {LONG: "P01", OTHER: "P02"}
ENTRIES_AT_ONCE = 5000
WAIT_SECONDS = 0.5  # between two entries of the other plant
POLL_SECONDS = 0.01
SAY_SECONDS = 5.0
START_SECONDS_MAX = 60
CLOCK = SystemClock()


def receipts(plant: int, count: int, first: int = 0) -> Iterator[Entry]:
    """Yield so many entries of a plant's ledger from a position on: its opening, then one receipt after the other."""
    stamp, chance = hlc.ZERO, Random(plant << 40 | first)
    for index in range(first, first + count):
        at_us = START_US + index * STEP_US
        at, stamp = format_instant(from_micros(at_us)), hlc.tick(stamp, at_us // 1000)
        code, batch = CODES[plant], node_id(plant, index + 1)
        place = {"number": plant, "code": code, "name": code, "time_zone": "UTC"}
        event, key, payload = "PlantOpened", code, {**place, "origin": plant_origin(GROUP, code)}
        if index:
            event, key, payload = (
                "BatchReceived",
                f"{code}-{index:012d}",
                _receipt(batch, f"{code}-{index:012d}", at, chance),
            )
        envelope: Any = {
            "id": _drawn_id(chance),
            "type": event,
            "version": SUPPORTED[event],
            "plant": plant,
            "index": index,
            "hlc": stamp,
            "occurred_at": at,
            "recorded_at": at,
            "actor": f"person-{index % 12}",
            "request": _drawn_id(chance),
            "key": key,
            "payload": payload,
        }
        body = canonical(envelope)
        yield Entry(envelope, body, leaf_hash(body))


def _drawn_id(chance: Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _receipt(batch: int, code: str, at: str, chance: Random) -> dict[str, Any]:
    amount = format_micro(chance.randrange(1, 10_000_000_000))
    amounts = {"unit": "KGM", "amount": amount}
    dates = {"expires_on": "2027-03-01", "retest_on": None, "produced_at": at, "grade": None, "supplier": "S1"}
    what: dict[str, Any] = {
        "id": batch,
        "code": code,
        "material": "MILK",
        "unit": "KGM",
        "made": amount,
        "attributes": {},
        **dates,
    }
    return {
        "batches": [{**what, "disposition": "UNRESTRICTED"}],
        "movements": [{"batch": batch, **amounts, "taken_from": "supplier:S1", "put_in": "stock:A1"}],
        "aliases": [{"batch": batch, "scheme": "SUPPLIER_LOT", "issuer": "S1", "value": f"L{chance.getrandbits(32)}"}],
        "series": {"node": (batch & (1 << 40) - 1) + 1},
    }


def append(store: Store, plant: int, entries: Iterator[Entry], frontier: Frontier) -> Frontier:
    """Store entries behind a ledger's head, as the plant's own."""
    while part := [entry for _, entry in zip(range(ENTRIES_AT_ONCE), entries, strict=False)]:
        frontier = frontier.extend(entry.leaf for entry in part)
        head = {"log_id": plant, "size": frontier.size, "frontier": frontier.to_bytes()}
        with store.transaction() as session:
            session.run_many(INSERT_ENTRY, [entry_row(plant, entry) for entry in part])
            session.run(
                "UPDATE logs SET size = :size, projected = :size, frontier = :frontier, hlc = :hlc"
                " WHERE log_id = :log_id",
                head | {"hlc": part[-1].envelope["hlc"]},
            )
    return frontier


class Meter:
    """Counts the bytes of the requests that go through it."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""

        async def counted() -> Message:
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.inner(scope, counted, send)


def serve_hub(place: dict[str, Any]) -> None:
    """Be the hub until the input ends, then say what it took."""
    hub = _hub(place)
    meter = Meter(Starlette(routes=sync_routes(hub)))
    config = uvicorn.Config(meter, host="127.0.0.1", port=0, log_level="warning", ws="none")
    running = uvicorn.Server(config)
    over = threading.Event()

    beside = Beside(hub.store, hub.clock)

    def project() -> None:
        while not over.is_set():
            if not beside.project():
                over.wait(0.05)

    serving, projecting = threading.Thread(target=running.run), threading.Thread(target=project)
    serving.start()
    while not running.started:
        time.sleep(0.01)
    projecting.start()
    print(running.servers[0].sockets[0].getsockname()[1], flush=True)
    sys.stdin.read()
    over.set()
    running.should_exit = True
    projecting.join()
    serving.join()
    beside.stop()
    beside_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"bytes": meter.bytes, "rss_mib": _peak_mib(), "beside_mib": beside_mib}), flush=True)


def be_long_plant(place: dict[str, Any]) -> None:
    """Be the plant with the long ledger: send all of it, then say what it took."""
    with closing(Store(place["store"])) as store, closing(Writer(store)) as writer:
        node = _plant(place, LONG, store, writer)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        while exchange(node).more:
            pass
        print(json.dumps({"seconds": time.perf_counter() - start, "rss_mib": _peak_mib()}), flush=True)


@dataclass(frozen=True, slots=True)
class Told:
    """What was measured, as one line."""

    text: str

    def line(self) -> str:
        """Return it."""
        return self.text


def run(entries: int = 500_000) -> Iterator[Told]:
    """Let the plant catch up; yield one line with what it took."""
    _say(f"writing a ledger of {entries:,} entries")
    with ExitStack() as opening:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        running, version = opening.enter_context(server())
        running.create_database("hub")
        place = _prepare(folder, running.url("hub"))
        long_store = opening.enter_context(closing(Store(place["store"])))
        append(long_store, LONG, receipts(LONG, entries), Frontier())
        long_store.close()
        hub = _program("hub", place)
        assert hub.stdout is not None
        place["url"] = f"http://127.0.0.1:{int(hub.stdout.readline())}"
        other = opening.enter_context(closing(Store(f"sqlite:///{folder / 'other.db'}")))
        writer = opening.enter_context(closing(Writer(other)))
        hub_store = opening.enter_context(closing(Store(place["hub_store"])))
        node = _plant(place, OTHER, other, writer)
        long_plant = _program("plant", place)
        assert long_plant.stdout is not None
        assert long_plant.stdin is not None
        assert long_plant.stdout.readline() == "ready\n"
        long_plant.stdin.write("go\n")
        long_plant.stdin.flush()
        start = time.perf_counter()
        waits = list(_serve_other(node, hub_store, entries))
        applied = time.perf_counter() - start
        sent = json.loads(long_plant.communicate()[0])
        took = json.loads(hub.communicate()[0])
    receipt, answer = ([each * 1000 for each in one] for one in zip(*waits, strict=True))
    yield Told(
        f"catch-up of {entries:,} entries ({version}): taken in {entries / sent['seconds']:,.0f}/s"
        f" and applied {entries / applied:,.0f}/s ({sent['seconds']:.0f} and {applied:.0f} s),"
        f" {took['bytes'] / entries:.0f} B an entry on the wire,"
        f" peak {took['rss_mib']:.0f} MiB at the hub, {took['beside_mib']:.0f} MiB in the process beside it"
        f" and {sent['rss_mib']:.0f} MiB at the plant;"
        f" meanwhile another plant's entry had its receipt after {median(receipt):.0f} ms"
        f" (at most {max(receipt):.0f}) and was in the tables after {median(answer):.0f} ms"
        f" (at most {max(answer):.0f}), {len(waits)} entries"
    )


def _serve_other(node: PlantNode, hub_store: Store, entries: int) -> Iterator[tuple[float, float]]:
    """Write and send one entry after the other until the long ledger is applied.

    Yields the seconds until each had its receipt, and until it was applied.
    """
    frontier, index, began, said = Frontier(), 0, time.perf_counter(), 0.0
    done = (0, 0)
    while done[1] < entries:
        frontier = append(node.store, OTHER, receipts(OTHER, 1, index), frontier)
        index += 1
        start = time.perf_counter()
        while exchange(node).more:
            pass
        received = time.perf_counter() - start
        while _stand(hub_store, OTHER)[1] < index:
            time.sleep(POLL_SECONDS)
        yield received, time.perf_counter() - start
        time.sleep(WAIT_SECONDS)
        done, seconds = _stand(hub_store, LONG), time.perf_counter() - began
        if seconds - said >= SAY_SECONDS:
            said = seconds
            _say(f"{seconds:4.0f} s: {done[0]:,} taken in, {done[1]:,} applied, {done[1] / seconds:,.0f}/s")


def _stand(store: Store, plant: int) -> tuple[int, int]:
    """Return how many entries of a plant the hub has, and how many of them are in the tables."""
    with store.transaction() as session:
        row = session.row("SELECT size, projected FROM logs WHERE log_id = :plant", {"plant": plant})
    assert row is not None
    return int(row[0]), int(row[1])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _prepare(folder: Path, hub_url: str) -> dict[str, Any]:
    """Make the stores and the keys; return what each program has to know, which lies in a folder of our own."""
    keys = {name: Ed25519PrivateKey.generate().private_bytes_raw().hex() for name in ("hub", "1", "2", "a1", "a2")}
    place = {"folder": str(folder), "hub_store": hub_url, "keys": keys, "store": f"sqlite:///{folder / 'long.db'}"}
    with closing(Store(hub_url)) as store:
        migrations.upgrade(store)
        with store.transaction() as session:
            open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=CLOCK.now())
        for plant, code in CODES.items():
            origin = plant_origin(GROUP, code)
            order = Enrolment(
                number=plant,
                code=code,
                name=code,
                origin=origin,
                directive_origin=directive_origin(GROUP, code),
                ledger_key=str(NoteSigner(origin, _key(place, str(plant))).key),
                assertion_key=public_key_text(SigningKey(_key(place, f"a{plant}")).public_key),
            )
            with store.transaction() as session:
                enrol(session, order, actor=system_actor("cli", Role.ADMINISTRATOR), now=CLOCK.now())
    for plant, name in ((LONG, "long"), (OTHER, "other")):
        with closing(Store(f"sqlite:///{folder / name}.db")) as store:
            migrations.upgrade(store)
            with store.transaction() as session:
                open_log(session, plant, plant_origin(GROUP, CODES[plant]))
                open_log(session, -plant, directive_origin(GROUP, CODES[plant]))
    return place


def _key(place: dict[str, Any], name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(place["keys"][name]))


def _hub(place: dict[str, Any]) -> HubNode:
    origin = hub_origin(GROUP)
    return HubNode(
        origin=origin,
        store=Store(place["hub_store"]),
        clock=CLOCK,
        signer=NoteSigner(origin, _key(place, "hub")),
        assertions=Assertions(hub_issuer=origin, clock=CLOCK),
        version="bench",
    )


def _plant(place: dict[str, Any], plant: int, store: Store, writer: Writer) -> PlantNode:
    origin, hub_name = plant_origin(GROUP, CODES[plant]), hub_origin(GROUP)
    hub_key: NoteKey = NoteSigner(hub_name, _key(place, "hub")).key
    return PlantNode(
        number=plant,
        origin=origin,
        directive_origin=directive_origin(GROUP, CODES[plant]),
        store=store,
        writer=writer,
        clock=CLOCK,
        signer=NoteSigner(origin, _key(place, str(plant))),
        assertion_key=SigningKey(_key(place, f"a{plant}")),
        hub_url=place["url"],
        hub_key=hub_key,
        version="bench",
    )


def _program(role: str, place: dict[str, Any]) -> "subprocess.Popen[str]":
    name = Path(place["folder"]) / f"{role}.json"
    name.write_text(json.dumps(place))
    command = [sys.executable, "-m", "benchmarks.catch_up", "--role", role, "--place", str(name)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run one role as a program of its own, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=500_000)
    parser.add_argument("--role", choices=("hub", "plant"))
    parser.add_argument("--place", type=Path)
    options = parser.parse_args()
    if options.role is None:
        for told in run(options.entries):
            print(told.line(), flush=True)
        return 0
    place = json.loads(options.place.read_text())
    (serve_hub if options.role == "hub" else be_long_plant)(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
