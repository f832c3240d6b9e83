"""Hub ingest: the hub receives ledgers, verifies and applies them, against two rivals that move the same rows.

Ours is the product's path. Parcels are unpacked, verified against their signed checkpoints, stored and cosigned.
The projection applies them in its own process, which is started before the time counts, as in a running hub.

Raw COPY writes the finished tables into empty tables with the same indexes, in PostgreSQL's binary format.
Logical replication copies the committed tables to another database of the same server through a publication.
Its time counts from the enabling of the subscription until the last row; writing them at the source is not counted.
The tables of ours and of the rivals are compared for equal size.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

import migrations
from auth.machines import EnrolledMachine
from auth.notes import NoteSigner
from benchmarks.group import PLANTS, Group, plant_code
from benchmarks.group_ledgers import Ledgers
from benchmarks.group_rows import origin
from benchmarks.rounds import ROUNDS, Claim, Rate, Rounds, Stopwatch, rate
from benchmarks.servers import server
from infra.clock import FixedClock, SystemClock
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.store.ledger.entries import open_log
from plants.store.replication import status
from sync_jobs.hub.intake import Delivery, accept
from sync_jobs.nodes import HubNode
from sync_jobs.projection.process import ProjectionProcess
from sync_jobs.protocol import checkpoints, wire
from sync_jobs.protocol.wire import Parcel, Position

HUB = "bench.example/hub/i1"
TEMPLATE = "hub_template"
NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
SESSION = "bench"
POLL_SECONDS = 0.005
REPLICATION_SECONDS_MAX = 600
ENTRIES_IN_PARCEL = 1000
LOGICAL = {"wal_level": "logical", "logical_decoding_work_mem": "1GB"}


class Wire:
    """The parcels of all plants as they are on the wire, and the keys that the hub verifies them with."""

    def __init__(self, edges: int, seed: int, entries_in_parcel: int) -> None:
        bodies: dict[int, list[bytes]] = {plant: [] for plant in range(1, PLANTS + 1)}
        for plant, body in Ledgers(Group(edges, seed)).entries():
            bodies[plant].append(body)
        self.entries = sum(map(len, bodies.values()))
        self._machines: dict[int, EnrolledMachine] = {}
        self.parcels: list[tuple[EnrolledMachine, Delivery]] = []
        by_plant = [self._pack(plant, bodies[plant], entries_in_parcel) for plant in bodies]
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
    """Create the template database of each round: all tables, and an empty open ledger per plant."""
    running.create_database(TEMPLATE)
    store = Store(running.url(TEMPLATE))
    migrations.upgrade(store)
    with store.transaction() as session:
        for plant in range(1, PLANTS + 1):
            open_log(session, plant, origin(plant))
            status.amend(session, plant, session=SESSION)
    store.close()


def ingest(hub: HubNode, projection: ProjectionProcess, parcels: list[tuple[EnrolledMachine, Delivery]]) -> None:
    """Accept every parcel while the projection process applies those that were accepted, as in a running hub."""
    over = threading.Event()

    def apply() -> None:
        while True:
            last = over.is_set()
            if not projection.project():
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
    """Return the content of every table in PostgreSQL's binary format, except tables that the template fills."""
    found = {}
    with store.transaction() as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name in {"logs", "replication", "leases", "alarms"}:
                continue  # They have one row per plant from the start; twenty rows cost nothing.
            with session.driver.cursor().copy(f"COPY {table.name} TO STDOUT (FORMAT BINARY)") as copy:
                found[table.name] = [bytes(chunk) for chunk in copy]
    return found


def copy_in(store: Store, tables: dict[str, list[bytes]]) -> None:
    """Write the tables by COPY in one transaction."""
    with store.transaction() as session:
        for name, chunks in tables.items():
            with session.driver.cursor().copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
                for chunk in chunks:
                    copy.write(chunk)


def run(*, rounds: Rounds = ROUNDS, ledger_edges: int = 100_000, seed: int = 20260314) -> Iterator[Claim]:
    """Yield one claim per rival, for the ledgers of a group with this many genealogy edges."""
    load = Wire(ledger_edges, seed, ENTRIES_IN_PARCEL)
    with server(more=LOGICAL) as running:
        prepare(running)
        stores = _fresh_stores(running)
        tables: dict[str, list[bytes]] = {}

        def ours() -> Rate:
            with closing(next(stores)) as store:
                hub, projection = _hub(store), ProjectionProcess(store, SystemClock())
                projection.start()
                started = projection.process_id
                try:
                    found = rate(load.entries, lambda: ingest(hub, projection, load.parcels))
                    assert projection.process_id == started, "the projection process ended and was started again"
                finally:
                    projection.stop()
                tables.update(tables or tables_of(store))
                _check_applied(store, load)
            return found

        def raw() -> Rate:
            with closing(next(stores)) as store:
                return rate(load.entries, lambda: copy_in(store, tables))

        def logical() -> Rate:
            with closing(next(stores)) as source, closing(next(stores)) as target:
                return replicate(source, target, tables, load.entries)

        ours()
        with closing(next(stores)) as copied:
            copy_in(copied, tables)
            _check_equal(copied, tables)
        mine, copying, replicating = rounds.interleave([ours, raw, logical])
    notes = f"{ENTRIES_IN_PARCEL} entries per parcel, {load.packed_bytes / load.entries:.0f} B per entry packed"
    name, unit = "hub ingest", "entries/s"
    yield Claim(name, "raw COPY, all tables", (mine, copying), unit, notes, 0.5)
    yield Claim(name, "logical replication, all tables", (mine, replicating), unit, notes, 1.0)


def replicate(source: Store, target: Store, tables: dict[str, list[bytes]], entries: int) -> Rate:
    """Return the rate at which logical replication copies the tables from one database to the other."""
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
        watch = Stopwatch()
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything ENABLE")
        # The rows were committed as one transaction, so they appear all at once.
        _wait_until(lambda: _count(target, largest) == rows, lambda: _check_subscription(target))
        found = watch.rate(entries)
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything DISABLE")
        connection.exec_driver_sql("ALTER SUBSCRIPTION everything SET (slot_name = NONE)")
        connection.exec_driver_sql("DROP SUBSCRIPTION everything")
    _check_equal(target, tables)
    with source.transaction() as session:
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = :slot"
        _wait_until(lambda: session.row(active, {"slot": slot}) != (True,))
        session.row("SELECT pg_drop_replication_slot(:slot)", {"slot": slot})
    return found


def _wait_until(condition: Callable[[], bool], check: Callable[[], None] = lambda: None) -> None:
    deadline = time.monotonic() + REPLICATION_SECONDS_MAX
    while not condition():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"logical replication did not finish within {REPLICATION_SECONDS_MAX} s")
        time.sleep(POLL_SECONDS)


def _check_subscription(target: Store) -> None:
    """Raise psycopg.DatabaseError when the subscription failed to apply; PostgreSQL itself would retry without end."""
    counted = "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = 'everything'"
    with target.transaction() as session:
        if session.row(counted) != (0,):
            raise psycopg.DatabaseError("logical replication could not apply the rows")


def _count(store: Store, table: str) -> int:
    with store.transaction() as session:
        row = session.row(f"SELECT count(*) FROM {table}")  # noqa: S608 -- the names of tables are constants here.
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
        assertions=None,  # type: ignore[arg-type]  # The benchmark calls intake directly, after authentication.
        version="bench",
    )


def _check_applied(store: Store, load: Wire) -> None:
    with store.transaction() as session:
        assert session.row("SELECT sum(size), sum(projected) FROM logs") == (load.entries, load.entries)
        assert session.row("SELECT count(*) FROM projection_faults") == (0,)
