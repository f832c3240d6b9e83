"""Catch-up of a plant that was offline for long, over HTTP, while another plant keeps writing.

Three processes take part: the hub on PostgreSQL with its projection, the plant with the long ledger on SQLite, and
this one, which is the other plant. The other plant writes and sends one entry after the other.
Its rival is itself at rest: the same plant and hub, before the long ledger is sent. Time counts from when all three
processes are ready. Progress goes to standard error.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import migrations
from benchmarks.catch_up_programs import CLOCK, CODES, LONG, OTHER, Place, plant_node, send_all
from benchmarks.enrolment import GROUP, draw_keys, enrol_plants
from benchmarks.programs import Program, running
from benchmarks.receipt_ledgers import append, receipts
from benchmarks.rounds import Claim, Figure, Measurement, Rate
from benchmarks.servers import server
from infra.database import Store
from infra.settings import directive_origin, plant_origin
from infra.writer import Writer
from plants.rules.ledger.merkle import Frontier
from plants.store.ledger.entries import open_log
from sync_jobs.nodes import PlantNode

ENTRIES_AT_REST = 10
WAIT_SECONDS = 0.5
"""Between two entries of the other plant."""
PROGRESS_SECONDS_MAX = 60
REPORT_SECONDS = 5.0


@dataclass
class OtherPlant:
    """The plant that keeps writing; it records how long each entry took to its receipt and to the tables."""

    node: PlantNode
    hub_store: Store
    hub: Program
    frontier: Frontier
    received: list[float]
    applied: list[float]

    def write(self) -> None:
        """Write and send one entry, and wait until the hub has applied it."""
        index = self.frontier.size
        entry = receipts(GROUP, (OTHER, CODES[OTHER]), 1, index)
        self.frontier = append(self.node.store, OTHER, entry, self.frontier)
        start = time.perf_counter()
        send_all(self.node)
        self.received.append(time.perf_counter() - start)
        self.hub.wait_until(
            lambda: _position(self.hub_store, OTHER)[1] > index, "applying an entry", PROGRESS_SECONDS_MAX
        )
        self.applied.append(time.perf_counter() - start)


def run(*, entries: int = 500_000) -> Iterator[Measurement]:
    """Let the plant catch up, then yield the claims about the other plant and the figures."""
    _report(f"writing a ledger of {entries:,} entries")
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="batchloom-bench-", dir="/var/tmp")))
        postgres = opened.enter_context(server())
        postgres.create_database("hub")
        place = _prepare(folder, postgres.url("hub"))
        with closing(Store(place.long_store)) as store:
            append(store, LONG, receipts(GROUP, (LONG, CODES[LONG]), entries), Frontier())
        hub = opened.enter_context(running(_program("hub", place, folder)))
        place = replace(place, hub_url=f"http://127.0.0.1:{int(hub.read_line())}")
        store = opened.enter_context(closing(Store(f"sqlite:///{folder / 'other.db'}")))
        writer = opened.enter_context(closing(Writer(store)))
        hub_store = opened.enter_context(closing(Store(place.hub_store)))
        rest = OtherPlant(plant_node(place, OTHER, store, writer), hub_store, hub, Frontier(), [], [])
        for _ in range(ENTRIES_AT_REST):
            rest.write()
        plant = opened.enter_context(running(_program("plant", place, folder)))
        plant.read_line()
        plant.write_line("send")
        start = time.perf_counter()
        busy = replace(rest, received=[], applied=[])
        _keep_writing(busy, plant, entries)
        applied_seconds = time.perf_counter() - start
        sent, took = json.loads(plant.finish()), json.loads(hub.finish())
        _check_applied(hub_store, entries + busy.frontier.size)
    yield _slowdown("receipt of another plant's entry during catch-up", busy.received, rest.received)
    yield _slowdown("applying of another plant's entry during catch-up", busy.applied, rest.applied)
    yield Figure("catch-up, received and cosigned", [entries / sent["seconds"]], "entries/s")
    yield Figure("catch-up, applied", [entries / applied_seconds], "entries/s")
    yield Figure("entry on the wire", [took["bytes"] / entries], "B")
    yield Figure("peak memory of the hub", [took["rss_mib"]], "MiB")
    yield Figure("peak memory of the projection process", [took["projection_mib"]], "MiB")
    yield Figure("peak memory of the plant", [sent["rss_mib"]], "MiB")
    yield Figure("another plant's entry, to its receipt", [each * 1000 for each in busy.received], "ms")
    yield Figure("another plant's entry, to the tables", [each * 1000 for each in busy.applied], "ms")


def _slowdown(name: str, busy: list[float], rest: list[float]) -> Claim:
    rates = [Rate(1 / median(busy))], [Rate(1 / median(rest))]
    return Claim(name, "the same at rest", rates, "entries/s", f"medians of {len(busy)} and {len(rest)} entries")


def _keep_writing(other: OtherPlant, plant: Program, entries: int) -> None:
    """Let the other plant write until the long ledger is applied.

    Raises ProgramEnded when the hub or the long plant fails, and ProgramStuck when nothing more is applied.
    """
    began = progressed = time.perf_counter()
    reported, applied = 0.0, -1
    while True:
        other.write()
        plant.succeeded()
        received, now_applied = _position(other.hub_store, LONG)
        seconds = time.perf_counter() - began
        if now_applied >= entries:
            return
        if now_applied > applied:
            applied, progressed = now_applied, time.perf_counter()
        elif time.perf_counter() - progressed > PROGRESS_SECONDS_MAX:
            raise other.hub.stuck(f"no entry of the long ledger was applied for {PROGRESS_SECONDS_MAX} s")
        if seconds - reported >= REPORT_SECONDS:
            reported = seconds
            _report(f"{seconds:4.0f} s: {received:,} received, {applied:,} applied, {applied / seconds:,.0f}/s")
        time.sleep(WAIT_SECONDS)


def _position(store: Store, plant: int) -> tuple[int, int]:
    """Return how many entries of a plant the hub has, and how many of them it has applied."""
    with store.transaction() as session:
        row = session.row("SELECT size, projected FROM logs WHERE log_id = :plant", {"plant": plant})
    assert row is not None
    return int(row[0]), int(row[1])


def _check_applied(store: Store, entries: int) -> None:
    """Raise AssertionError unless the tables have a batch for each receipt; every other entry opens a plant."""
    with store.transaction() as session:
        assert session.row("SELECT count(*) FROM batches") == (entries - len(CODES),)
        assert session.row("SELECT count(*) FROM projection_faults") == (0,)


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _prepare(folder: Path, hub_url: str) -> Place:
    """Create the stores and the keys, and enrol both plants at the hub."""
    keys = {plant: draw_keys() for plant in CODES}
    place = Place(
        hub_store=hub_url,
        long_store=f"sqlite:///{folder / 'long.db'}",
        hub_key=Ed25519PrivateKey.generate().private_bytes_raw().hex(),
        ledger_keys={str(plant): each.ledger.private_bytes_raw().hex() for plant, each in keys.items()},
        assertion_keys={str(plant): each.assertion.private_bytes_raw().hex() for plant, each in keys.items()},
    )
    with closing(Store(hub_url)) as store:
        migrations.upgrade(store)
        with store.transaction() as session:
            enrol_plants(session, {plant: (code, keys[plant]) for plant, code in CODES.items()}, now=CLOCK.now())
    for plant, url in ((LONG, place.long_store), (OTHER, f"sqlite:///{folder / 'other.db'}")):
        with closing(Store(url)) as store:
            migrations.upgrade(store)
            with store.transaction() as session:
                open_log(session, plant, plant_origin(GROUP, CODES[plant]))
                open_log(session, -plant, directive_origin(GROUP, CODES[plant]))
    return place


def _program(role: str, place: Place, folder: Path) -> Program:
    path = folder / f"{role}.json"
    place.write(path)
    command = [sys.executable, "-m", "benchmarks.catch_up_programs", role, str(path)]
    return Program(f"the {role}", command, folder / f"{role}.log", piped=True)
