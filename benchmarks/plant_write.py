"""Plant writes against the cost of durability alone.

Ours is a feed of three batches to a process record: ledger entry, tables, full synchronisation.
The rival appends the bytes of the same ledger entry to a file and calls fdatasync.
"""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path

import migrations
from benchmarks.rounds import ROUNDS, Claim, Rate, Rounds, rate
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.ids import new_id
from infra.settings import plant_origin
from infra.writer import Writer
from plants.commands.execution import CommandContext
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from plants.store.ledger.entries import Head, entries_between

PLANT = 1
LINES = 3
BATCHES = 300
FEEDS = 1500
WARM_UP_SHARE = 5
CLIENTS = 10
AUTHOR = Author("person-1", "Wang Fang", "scanner-7")


class Line:
    """A plant with stock and an open process record to feed."""

    def __init__(self, home: Path) -> None:
        self.store = Store(f"sqlite:///{home}/plant.db")
        self._clock = FixedClock()
        migrations.upgrade(self.store)
        with self.store.transaction() as session:
            new = NewPlant(PLANT, "SH1", "Shanghai 1", "Asia/Shanghai", plant_origin("bench.example", "SH1"))
            open_plant(session, new, now=self._clock.now())
            rm = MaterialDefinition("RM", "Raw material", "KGM", 30)
            define_material(session, rm, actor=AUTHOR, call=self._call())
            define_master(session, MasterDefinition(MasterKind.LOCATION, "A1", "Rack"), actor=AUTHOR, call=self._call())
            codes = [self._receive(session) for _ in range(BATCHES)]
            self._process = int(open_process(session, ProcessOrder(), actor=AUTHOR, call=self._call()).envelope["key"])
        self._codes = cycle(codes)

    def orders(self, count: int) -> list[Feed]:
        """Return `count` feeds of three batches each."""
        return [
            Feed(self._process, tuple(StockLine(next(self._codes), "0.25", "KGM", "A1") for _ in range(LINES)))
            for _ in range(count)
        ]

    def feed(self, session: Session, order: Feed) -> Entry:
        """Record one feed, as a scanner's request does."""
        return feed_process(session, order, actor=AUTHOR, call=self._call())

    def last_body(self) -> bytes:
        """Return the bytes of the newest ledger entry."""
        with self.store.transaction() as session:
            size = Head(session, PLANT).size
            (entry,) = entries_between(session, PLANT, size - 1, size)
        return entry.body

    def check(self, feeds: int) -> None:
        """Raise AssertionError unless every feed is in the ledger and in the tables."""
        with self.store.transaction() as session:
            rows = session.row("SELECT count(*), sum(quantity) FROM edges")
            stock = session.row("SELECT sum(quantity) FROM stock")
        assert rows == (feeds * LINES, feeds * LINES * 250_000)
        assert stock == (BATCHES * 10**12 - feeds * LINES * 250_000,)

    def _receive(self, session: Session) -> str:
        order = Delivery("RM", "1000000", "KGM", "A1")
        return receive_batch(session, order, actor=AUTHOR, call=self._call()).envelope["key"]

    def _call(self) -> CommandContext:
        return CommandContext(PLANT, self._clock.now(), request=new_id())


def append(path: Path, bodies: list[bytes]) -> None:
    """Append each record to the file and wait until it is on disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for body in bodies:
            os.write(file, body)
            os.fdatasync(file)
    finally:
        os.close(file)


def one_by_one(line: Line, orders: list[Feed]) -> None:
    """Record each feed in a transaction of its own."""
    for order in orders:
        with line.store.transaction() as session:
            line.feed(session, order)


def grouped(line: Line, writer: Writer, orders: list[Feed]) -> None:
    """Record the feeds through the one writer, for ten clients that each wait for their answer."""

    def client(number: int) -> None:
        for order in orders[number::CLIENTS]:
            writer.write(lambda session, order=order: line.feed(session, order))  # type: ignore[misc]

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))


def run(*, rounds: Rounds = ROUNDS, feeds: int = FEEDS) -> Iterator[Claim]:
    """Yield both claims: one transaction per feed, and ten waiting clients in groups."""
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-", dir="/var/tmp") as name, ExitStack() as opened:
        home = Path(name)
        line = Line(home)
        opened.callback(line.store.close)
        warm_up = max(1, feeds // WARM_UP_SHARE)
        one_by_one(line, line.orders(warm_up))
        body = line.last_body()
        bodies = [body] * feeds

        def limit() -> Rate:
            return rate(feeds, lambda: append(home / "ledger", bodies))

        def alone() -> Rate:
            orders = line.orders(feeds)
            return rate(feeds, lambda: one_by_one(line, orders))

        ours, theirs = rounds.interleave([alone, limit])
        line.check(warm_up + rounds.count * feeds)
        rival, notes = "append and fdatasync", f"{len(body)} B"
        yield Claim("plant write, one transaction each", rival, (ours, theirs), "feeds/s", notes, 0.5)
        writer = opened.enter_context(closing(Writer(line.store)))

        def together() -> Rate:
            orders = line.orders(feeds)
            return rate(feeds, lambda: grouped(line, writer, orders))

        ours, theirs = rounds.interleave([together, limit])
        line.check(warm_up + 2 * rounds.count * feeds)
        yield Claim("plant write, ten clients grouped", rival, (ours, theirs), "feeds/s", notes, 0.5)
