"""The hub takes ledgers in and applies them, proofs and tables and all, against two ways to move the very same rows.

Ours is the real way: parcels are unpacked, checked against their signed checkpoints, stored, cosigned, and projected in
the process that a hub has beside it; it runs when the time begins, as it does in a hub that is at work.
Raw COPY writes the bytes of the finished tables, as PostgreSQL itself wrote them out in its binary form, into empty
tables with the same indexes. Logical replication has the finished tables committed in another database of the same
server, a publication of them all, and is given the time from when the subscription is enabled until the last row is
there: what it took to write them at their source is not counted. The stores are compared after the first round.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

import migrations
from auth.machines import EnrolledMachine
from auth.notes import NoteSigner
from benchmarks.group import PLANTS, Group, plant_code
from benchmarks.group_ledgers import Ledgers
from benchmarks.group_rows import origin
from benchmarks.rounds import Claim, in_turns_of, rate
from benchmarks.servers import server
from infra.clock import FixedClock, SystemClock
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.store.ledger.entries import open_log
from plants.store.replication import status
from sync_jobs.hub.intake import Delivery, accept
from sync_jobs.nodes import HubNode
from sync_jobs.projection.process import Beside
from sync_jobs.protocol import checkpoints, wire
from sync_jobs.protocol.wire import Parcel, Position

HUB = "bench.example/hub/i1"
TEMPLATE = "hub_template"
NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
SESSION = "bench"
POLL_SECONDS = 0.005
LOGICAL = {"wal_level": "logical", "logical_decoding_work_mem": "1GB"}


class Wire:
    """The parcels of all plants, packed as they would travel, and what the hub must know to take them in."""

    def __init__(self, edges: int, seed: int, entries_in_parcel: int) -> None:
        bodies: dict[int, list[bytes]] = {plant: [] for plant in range(1, PLANTS + 1)}
        for plant, body in Ledgers(Group(edges, seed)).entries():
            bodies[plant].append(body)
        self.entries = sum(map(len, bodies.values()))
        self._machines: dict[int, EnrolledMachine] = {}
        self.parcels: list[tuple[EnrolledMachine, Delivery]] = []
        by_plant = [self._pack(plant, bodies[plant], entries_in_parcel) for plant in bodies]
        # Plants take turns, as they would.
        for turn in range(max(map(len, by_plant))):
            self.parcels += [each[turn] for each in by_plant if turn < len(each)]
        self.packed_bytes = sum(len(delivery.packed) for _, delivery in self.parcels)

    def _pack(self, plant: int, bodies: list[bytes], limit: int) -> list[tuple[EnrolledMachine, Delivery]]:
        signer = NoteSigner(origin(plant), Ed25519PrivateKey.generate())
        key = signer.private_key.public_key()
        machine = EnrolledMachine(plant, plant_code(plant), origin(plant), key, str(signer.key))
        frontier, packed = Frontier(), []
        for start in range(0, len(bodies), limit):
            part = bodies[start : start + limit]
            frontier = frontier.extend(map(leaf_hash, part))
            note = checkpoints.sign(origin(plant), Position(frontier.size, frontier.root()), signer, NOW)
            parcel = wire.pack(Parcel(tuple(part), bytes(note)))
            packed.append((machine, Delivery(origin(plant), start, SESSION, parcel)))
        return packed


def prepare(running: EmbeddedPostgres) -> None:
    """Make the database that every round begins with: all tables, every plant's ledger opened and empty."""
    running.create_database(TEMPLATE)
    store = Store(running.url(TEMPLATE))
    migrations.upgrade(store)
    with store.transaction() as session:
        for plant in range(1, PLANTS + 1):
            open_log(session, plant, origin(plant))
            status.amend(session, plant, session=SESSION)
    store.close()


def take_in(hub: HubNode, beside: Beside, parcels: list[tuple[EnrolledMachine, Delivery]]) -> None:
    """Take every parcel in, while the process beside applies what has come, as at a hub that runs."""
    over = threading.Event()

    def apply() -> None:
        while True:
            last = over.is_set()
            if not beside.project():
                if last:
                    return
                over.wait(POLL_SECONDS)

    with ThreadPoolExecutor(1) as threads:
        applying = threads.submit(apply)
        try:
            for machine, delivery in parcels:
                accept(hub, machine, delivery)
        finally:
            over.set()
        applying.result()


def tables_of(store: Store) -> dict[str, list[bytes]]:
    """Return the content of every table in PostgreSQL's own binary form, without what the template has."""
    found = {}
    with store.transaction() as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name in {"logs", "replication", "leases", "alarms"}:
                continue  # They have a row for each plant from the start; twenty rows weigh nothing.
            with session.driver.cursor().copy(f"COPY {table.name} TO STDOUT (FORMAT BINARY)") as copy:
                found[table.name] = [bytes(chunk) for chunk in copy]
    return found


def copy_in(store: Store, tables: dict[str, list[bytes]]) -> None:
    """Copy the tables in, in one transaction."""
    with store.transaction() as session:
        for name, chunks in tables.items():
            with session.driver.cursor().copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
                for chunk in chunks:
                    copy.write(chunk)


def run(rounds: int = 5, edges: int = 100_000, seed: int = 20260314, entries_in_parcel: int = 1000) -> Iterator[Claim]:
    """Yield the claims for parcels of so many entries, against each rival."""
    load = Wire(edges, seed, entries_in_parcel)
    with server(more=LOGICAL) as (running, version):
        prepare(running)
        stores = _fresh_stores(running)
        tables: dict[str, list[bytes]] = {}

        def ours() -> float:
            with closing(next(stores)) as store:
                hub, beside = _hub(store), Beside(store, SystemClock())
                beside.start()
                try:
                    found = rate(load.entries, lambda: take_in(hub, beside, load.parcels))
                finally:
                    beside.stop()
                tables.update(tables or tables_of(store))
                _check_applied(store, load)
            return found

        def raw() -> float:
            with closing(next(stores)) as store:
                return rate(load.entries, lambda: copy_in(store, tables))

        def logical() -> float:
            with closing(next(stores)) as source, closing(next(stores)) as target:
                return load.entries / replicate(source, target, tables)

        ours()
        with closing(next(stores)) as copied:
            copy_in(copied, tables)
            _check_equal(copied, tables)
        mine, copying, replicating = in_turns_of(rounds, [ours, raw, logical])
    notes = f"{entries_in_parcel} a parcel, {load.packed_bytes / load.entries:.0f} B packed"
    yield Claim(f"hub ingest ({version})", "raw COPY, all tables", (mine, copying), "entries/s", notes, 0.5)
    yield Claim("the same", "logical replication, all tables", (mine, replicating), "entries/s", "", 1.0)


def replicate(source: Store, target: Store, tables: dict[str, list[bytes]]) -> float:
    """Return the seconds in which logical replication brings the tables from one database to the other, all rows."""
    with source.transaction() as session:
        session.run("CREATE PUBLICATION everything FOR ALL TABLES")
    slot = f"slot_{target.engine.url.database}"
    with source.transaction() as session:
        session.row("SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", {"slot": slot})
    copy_in(source, tables)
    address = f"host={source.engine.url.query['host']} port=5432 user=postgres dbname={source.engine.url.database}"
    options = f"create_slot = false, slot_name = '{slot}', copy_data = false, enabled = false"
    subscribe = f"CREATE SUBSCRIPTION everything CONNECTION '{address}' PUBLICATION everything WITH ({options})"
    largest = max(tables, key=lambda name: sum(map(len, tables[name])))
    rows = _count(source, largest)
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(subscribe)
        start = time.perf_counter()
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything ENABLE")
        # The rows were committed as one transaction, and so they are there all at once.
        while _count(target, largest) < rows:
            time.sleep(POLL_SECONDS)
        took = time.perf_counter() - start
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything DISABLE")
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything SET (slot_name = NONE)")
        connection.exec_driver_sql("DROP SUBSCRIPTION everything")
    _check_equal(target, tables)
    with source.transaction() as session:
        while session.row("SELECT active FROM pg_replication_slots WHERE slot_name = :slot", {"slot": slot}) == (True,):
            time.sleep(POLL_SECONDS)
        session.row("SELECT pg_drop_replication_slot(:slot)", {"slot": slot})
    return took


def _count(store: Store, table: str) -> int:
    with store.transaction() as session:
        row = session.row(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


def _check_equal(store: Store, tables: dict[str, list[bytes]]) -> None:
    assert {name: sum(map(len, chunks)) for name, chunks in tables_of(store).items()} == {
        name: sum(map(len, chunks)) for name, chunks in tables.items()
    }


def _fresh_stores(running: EmbeddedPostgres) -> Iterator[Store]:
    number = 0
    while True:
        number += 1
        running.create_database(f"hub_{number}", template=TEMPLATE)
        yield Store(running.url(f"hub_{number}"))


def _hub(store: Store) -> HubNode:
    signer = NoteSigner(HUB, Ed25519PrivateKey.generate())
    return HubNode(
        origin=HUB,
        store=store,
        clock=FixedClock(NOW),
        signer=signer,
        assertions=None,  # type: ignore[arg-type]  # nobody is asked to identify himself here.
        version="bench",
    )


def _check_applied(store: Store, load: Wire) -> None:
    with store.transaction() as session:
        assert session.row("SELECT sum(size), sum(projected) FROM logs") == (load.entries, load.entries)
        assert session.row("SELECT count(*) FROM projection_faults") == (0,)
