"""A trace names exactly its gaps, whatever has reached the hub: compared with a reference over the ledgers."""

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.production.process_records import ProcessOrder
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Output
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.genealogy.walks import Link, TraceDirection, moves, walk
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.logistics.transfers import read_manifest, transfer_manifest
from plants.rules.production.process_records import RunKind
from plants.rules.values.instants import from_micros, micros, parse_instant
from plants.rules.values.quantities import parse_micro
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Seeds, trace
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Head, open_log
from plants.store.projection import applying
from plants.store.replication.status import ReplicationState, amend
from plants.store.traceability.completeness import Completeness, Gap, GapKind, completeness
from tests.factories import Plant, plant_store
from tests.plants.replicas import Hub, hub_beside

CODES = {1: "SH1", 2: "NB1", 3: "US3"}
SCOPE = PlantScope(frozenset(CODES))
STEPS = 60


@dataclass
class Told:
    """One ledger at the hub: sizes received, applied and announced, and the instant until which it is known."""

    size: int = 0
    projected: int = 0
    announced: int = 0
    until_us: int | None = None


@dataclass
class World:
    """Three plants that write at random, and a hub that hears of it in pieces."""

    chance: random.Random
    plants: dict[int, Plant]
    hub: Hub
    told: dict[int, Told] = field(default_factory=lambda: {number: Told() for number in CODES})
    labels: list[tuple[int, str]] = field(default_factory=list)  # destination, manifest
    forged: set[int] = field(default_factory=set)
    ledgers: dict[int, list[Entry]] = field(default_factory=dict)

    def step(self) -> None:
        for plant in self.plants.values():
            plant.clock.advance(seconds=1)
        plant = self.plants[self.chance.choice([1, 2, 3])]
        what = self.chance.choice([self.receive, self.make, self.dispatch, self.dispatch, self.arrive, self.arrive,
                                   self.take_back, self.replicate, self.replicate, self.replicate])  # fmt: skip
        try:
            what(plant)
        except Refusal:
            return  # stock used since, and the like: nothing happened.

    def receive(self, plant: Plant) -> None:
        plant.receive(amount=str(self.chance.randint(5, 50)))

    def make(self, plant: Plant) -> None:
        if (code := self._some(plant)) is not None:
            lines, outputs = (StockLine(code, "2", "KGM", "A1"),), (Output("FP-YOG", "1.5", "KGM", "A1"),)
            plant.do(record_production, ProductionRun(ProcessOrder(RunKind.PRODUCTION), lines, outputs))

    def dispatch(self, plant: Plant) -> None:
        if (code := self._some(plant)) is None:
            return
        there = self.chance.choice([number for number in CODES if number != plant.number])
        entry = plant.do(dispatch_transfer, Dispatch(CODES[there], (StockLine(code, "1", "KGM", "A1"),)))
        if self.chance.random() < 0.2:
            # Somebody printed another label: the same transfer, and not the words of the ledger.
            envelope = {**entry.envelope, "actor": "somebody else"}
            body = canonical(envelope)
            entry = Entry(envelope, body, leaf_hash(body))  # type: ignore[arg-type]
            self.forged.add(entry.payload["transfer"])
        self.labels.append((there, transfer_manifest(entry, plant.origin)))

    def arrive(self, _plant: Plant) -> None:
        if not self.labels:
            return
        there, label = self.labels.pop(self.chance.randrange(len(self.labels)))
        code = self.chance.choice([None, None, "0", "0.5"])
        lines: tuple[ReceiptLine, ...] = ()
        plant = self.plants[there]
        if code is not None:
            lines = tuple(ReceiptLine(line["batch"]["code"], code, "A1") for line in read_manifest(label).lines)
        plant.do(receive_transfer, TransferReceipt(label, "A1", lines))

    def take_back(self, plant: Plant) -> None:
        receipts = [entry.index for entry in plant.entries() if entry.type == "TransferReceived"]
        if receipts:
            plant.do(
                correct_entry, Correction(self.chance.choice(receipts), CorrectionReason.DID_NOT_OCCUR, "not here")
            )

    def replicate(self, plant: Plant) -> None:
        """Let the hub take some more of a ledger in, apply some of that, and hear how long the ledger is."""
        entries, told = plant.entries(), self.told[plant.number]
        size = self.chance.choice([len(entries), self.chance.randint(told.size, len(entries))])
        projected = self.chance.choice([size, size, self.chance.randint(told.projected, size)])
        announced = max(size, self.chance.choice([size, len(entries)]))
        now = micros(plant.clock.now())
        # A checkpoint speaks of the time until which all is in it.
        until_us = now if size == len(entries) else _recorded_us(entries[size]) - 1
        with self.hub.store.transaction() as session:
            open_log(session, plant.number, plant.origin)
            head = Head(session, plant.number)
            new = entries[head.size : size]
            mirrors.extend(session, head, new, head.frontier.extend(entry.leaf for entry in new))
            applying.apply(session, plant.number, entries[told.projected : projected])
            position = {"projected": projected, "log": plant.number}
            session.run("UPDATE logs SET projected = :projected WHERE log_id = :log", position)
            heard = {"signed_at": from_micros(until_us), "received_at": from_micros(now), "peer_size": announced}
            amend(session, plant.number, state=ReplicationState.IN_SYNC, **heard)
        self.told[plant.number] = Told(size, projected, announced, until_us)

    def _some(self, plant: Plant) -> str | None:
        codes = sorted({code for code, location in plant.stock() if location == "A1"})
        return self.chance.choice(codes) if codes else None


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as opening:
        yield opening


def _recorded_us(entry: Entry) -> int:
    return micros(parse_instant(entry.envelope["recorded_at"]))


@dataclass
class Reference:
    """The contents of the ledgers, derived from their entries alone."""

    links: list[Link] = field(default_factory=list)
    processes: set[int] = field(default_factory=set)
    stated: set[tuple[int, int]] = field(default_factory=set)  # plant, batch
    opened: set[int] = field(default_factory=set)
    dispatched: dict[int, Any] = field(default_factory=dict)
    received: dict[int, Any] = field(default_factory=dict)

    def read(self, plant: int, entries: list[Entry]) -> None:
        corrected = {entry.payload["entry"] for entry in entries if entry.type == "EntryCorrected"}
        for entry in entries:
            payload = entry.payload
            if entry.type == "PlantOpened":
                self.opened.add(plant)
            self.stated |= {(plant, batch["id"]) for batch in payload.get("batches", ())}
            if entry.index in corrected:
                continue
            for movement in payload.get("movements", ()):
                if "use" in movement:
                    self._link(movement)
            if entry.type == "TransferDispatched":
                self.dispatched[payload["transfer"]] = payload
            if entry.type == "TransferReceived":
                self.received[payload["transfer"]] = (payload, entry.envelope["causes"][0])

    def _link(self, movement: dict[str, Any]) -> None:
        into = movement["put_in"].startswith("process:")
        process = int((movement["put_in"] if into else movement["taken_from"]).removeprefix("process:"))
        self.processes.add(process)
        assert parse_micro(movement["amount"]) > 0
        ends = (movement["batch"], process) if into else (process, movement["batch"])
        self.links.append((*ends, movement["use"]))


@dataclass
class Expected:
    """The gaps that a trace must name, and the plants that it touches."""

    world: World
    applied: Reference
    batches: set[int]
    touched: set[int]
    gaps: set[Gap] = field(default_factory=set)

    def on_the_road(self, links: Iterable[Link]) -> None:
        road: dict[int, set[int]] = {}
        for source, target, use in links:
            if use == "TRANSFERRED" and source in self.batches and target not in self.applied.received:
                road.setdefault(target, set()).add(source)
        for transfer, goods in road.items():
            code = self.applied.dispatched[transfer]["destination"]
            there = next(number for number, name in CODES.items() if name == code)
            known = there in self.applied.opened
            self.touched |= {there} if known else set()
            kind = GapKind.IN_TRANSIT if known else GapKind.OTHER_PLANT
            self.gaps.add(Gap(kind, there if known else None, code, transfer, tuple(sorted(goods))))

    def unresolved(self) -> None:
        for transfer, (payload, cause) in self.applied.received.items():
            goods = tuple(sorted({line["batch"] for line in payload["lines"]} & self.batches))
            source = plant_of(transfer)
            kind = None if transfer in self.applied.dispatched else GapKind.AWAITING_SOURCE
            here = self.world.ledgers[source][: self.world.told[source].size]
            if cause["index"] < len(here) and here[cause["index"]].leaf.hex() != cause["leaf"]:
                assert transfer in self.world.forged
                kind = GapKind.LABEL_DIFFERS
            if goods and kind is not None:
                self.gaps.add(Gap(kind, source, None, transfer, goods))
                self.touched.add(source)

    def unseen(self) -> None:
        unseen: dict[int, list[int]] = {}
        for batch in sorted(self.batches):
            if (plant_of(batch), batch) not in self.applied.stated:
                unseen.setdefault(plant_of(batch), []).append(batch)
        for origin, batches in unseen.items():
            self.gaps.add(Gap(GapKind.UNSEEN_BATCHES, origin, batches=tuple(batches)))

    def behind(self) -> None:
        for number in self.touched:
            told = self.world.told[number]
            if told.size == 0:
                self.gaps.add(Gap(GapKind.NEVER_HEARD, number))
            elif told.projected < told.size or told.announced > told.size:
                self.gaps.add(Gap(GapKind.BEHIND, number))


def expected(world: World, seed: int, direction: TraceDirection) -> tuple[set[Gap], set[int]]:
    """Return the gaps that a trace must name, and the plants that it touches."""
    applied = Reference()
    for number, entries in world.ledgers.items():
        applied.read(number, entries[: world.told[number].projected])
    found = walk(applied.links, [seed], direction)
    batches = {node for node in found.nodes if node not in applied.processes}
    moved = moves(applied.links, batches)
    handled = {*found.nodes, *(node for link in moved for node in link[:2])}
    touched = {plant_of(node) for node in handled} | {plant for plant, batch in applied.stated if batch in batches}
    wanted = Expected(world, applied, batches, touched)
    if direction is not TraceDirection.BACKWARD:
        wanted.on_the_road(moved)
    wanted.unresolved()
    wanted.unseen()
    wanted.behind()
    return wanted.gaps, wanted.touched


def ask(world: World, seed: int, direction: TraceDirection, **given: Any) -> tuple[Completeness, set[int]]:
    with world.hub.store.reading() as reads:
        traced = trace(reads, SCOPE, Seeds((seed,)), direction)
        found = completeness(reads, SCOPE, traced, now=world.plants[1].clock.now(), **given)
    return found, {*traced.batches, *traced.handled}


def check(world: World, counts: dict[str, int]) -> None:
    world.ledgers = {number: plant.entries() for number, plant in world.plants.items()}
    seen = Reference()
    for number, entries in world.ledgers.items():
        seen.read(number, entries[: world.told[number].projected])
    for batch in sorted({batch for _, batch in seen.stated}):
        for direction in TraceDirection:
            found, nodes = ask(world, batch, direction)
            gaps, touched = expected(world, batch, direction)
            assert set(found.gaps) == gaps
            assert len(found.gaps) == len(gaps)
            assert found.complete == (not gaps)
            for gap in gaps:
                counts[gap.kind] = counts.get(gap.kind, 0) + 1
            if found.complete:
                counts["complete"] = counts.get("complete", 0) + 1
                _check_fresh(world, (batch, direction), touched, nodes)


def _check_fresh(world: World, asked: tuple[int, TraceDirection], touched: set[int], nodes: set[int]) -> None:
    """Complete as of a moment means: nothing that any plant wrote until that moment is missing."""
    until = [world.told[number].until_us for number in touched]
    assert None not in until
    oldest = min(one for one in until if one is not None)
    truth = Reference()
    for number, entries in world.ledgers.items():
        truth.read(number, [entry for entry in entries if _recorded_us(entry) <= oldest])
    # Goods keep their id on the road: looking backward, a later receipt of the same goods elsewhere adds no goods.
    moved = truth.dispatched.keys() | truth.received.keys()
    assert walk(truth.links, [asked[0]], asked[1]).nodes <= nodes | moved | _gone(world, truth)
    moment = from_micros(oldest)
    assert ask(world, *asked, since=moment)[0].complete
    later, _ = ask(world, *asked, since=moment + timedelta(seconds=1))
    assert GapKind.STALE in {gap.kind for gap in later.gaps}


def _gone(world: World, truth: Reference) -> set[int]:
    """Return what corrections after that moment took out of the genealogy again."""
    now = Reference()
    for number, entries in world.ledgers.items():
        now.read(number, entries)
    left = {node for link in now.links for node in link[:2]}
    return {node for link in truth.links for node in link[:2]} - left


@pytest.mark.parametrize("seed", range(4))
def test_a_trace_names_exactly_what_it_misses_whatever_arrived(seed: int, tmp_path: Path, opened: ExitStack) -> None:
    plants = {number: plant_store(tmp_path, number, code) for number, code in CODES.items()}
    for plant in plants.values():
        opened.callback(plant.close)
    hub = opened.enter_context(hub_beside(tmp_path, plants[1]))
    with hub.store.transaction() as session:
        # As before any entry arrived: only the hub's own ledger is there.
        for table in ("logs", "entries"):
            session.run(f"DELETE FROM {table} WHERE log_id <> 0")
        for table in ("plants", "materials", "master_records", "series"):
            session.run(f"DELETE FROM {table}")
    world = World(random.Random(seed), plants, hub)
    counts: dict[str, int] = {}
    for step in range(STEPS):
        world.step()
        if step % 5 == 4:
            check(world, counts)
    for plant in plants.values():
        told = world.told[plant.number]
        while (told.size, told.projected) != (len(plant.entries()), len(plant.entries())):
            world.replicate(plant)
            told = world.told[plant.number]
    final: dict[str, int] = {}
    check(world, final)
    assert set(final) <= {"complete", "IN_TRANSIT", "LABEL_DIFFERS", "BEHIND"}
    assert final["complete"]
    assert {"complete", "BEHIND"} <= set(counts)
