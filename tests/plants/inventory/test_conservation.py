"""Conservation under any commands in any order: no goods appear or disappear, and the ledger gives the tables."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from plants.commands.execution import Command
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.inventory.stock import StockDifference, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.production.process_records import OutputUse, RunKind
from plants.rules.values.quantities import format_micro
from plants.rules.values.refusals import Refusal
from plants.store.ledger.entries import entries_between
from plants.store.projection.applying import project
from plants.store.sql.rows import RowWrites
from tests.factories import Plant, plant_store, postgres_plant

CODES = ("SH1", "NB1")
STEPS = 60

Deed = tuple[Command[Any], Any]


class Floor:
    """Two plants at work, by chance: mostly what can be done, sometimes what cannot."""

    def __init__(self, chance: random.Random, plants: dict[str, Plant]) -> None:
        self.chance = chance
        self.plants = plants
        self.runs: dict[str, list[int]] = {code: [] for code in plants}
        self.labels: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.done = 0
        for plant in plants.values():
            for material in ("RM-MILK", "RM-SUGAR"):
                plant.receive(material)
            self.runs[plant.code].append(int(plant.do(open_process, ProcessOrder()).envelope["key"]))

    def step(self) -> None:
        plant = self.plants[self.chance.choice(CODES)]
        actions: tuple[Callable[[Plant], Deed], ...] = (
            self.receive,
            self.open,
            self.feed,
            self.yield_,
            self.close,
            self.run,
            self.split,
            self.merge,
            self.move,
            self.dispatch,
            self.accept,
            self.ship,
            self.adjust,
        )
        command, order = self.chance.choice(actions)(plant)
        self.told.append(f"{plant.code} {command.name} {str(order)[:300]}")
        before = plant.everything() if self.chance.random() < 0.2 else None
        try:
            entry = plant.do(command, order, reason="By chance", history=True)
        except Refusal as refusal:
            self.told.append(f"   {refusal.code}")
            assert before is None or plant.everything() == before
            return
        self.done += 1
        if entry.type == "ProcessOpened":
            self.runs[plant.code].append(entry.payload["process"]["id"])
        elif entry.type == "TransferDispatched":
            self.labels.append((entry.payload["destination"], transfer_manifest(entry, plant.origin)))

    def amount(self, most: int = 100_000_000) -> str:
        return format_micro(self.chance.choice((1, 333_333, 1_000_000, most // 2, most, most + 1)))

    def line(self, plant: Plant) -> StockLine:
        stock = sorted(plant.stock().items())
        if not stock:
            return StockLine("SH1-260314-9999X", "1", "KGM", "A1")
        (code, location), amount = self.chance.choice(stock)
        part = self.chance.choice((amount, amount, "0.000001", "1", self.amount()))
        return StockLine(code, part, "KGM", location)

    def lines(self, plant: Plant) -> tuple[StockLine, ...]:
        return tuple(self.line(plant) for _ in range(self.chance.randint(1, 3)))

    def outputs(self) -> tuple[Output, ...]:
        materials = ("FP-YOG", "RM-MILK", "RM-SUGAR")
        uses = tuple(OutputUse)
        return tuple(
            Output(self.chance.choice(materials), self.amount(), "KGM", self.place(), self.chance.choice(uses))
            for _ in range(self.chance.randint(0, 2))
        )

    def place(self) -> str:
        return self.chance.choice(("A1", "B1"))

    def a_run(self, plant: Plant) -> int:
        return self.chance.choice(self.runs[plant.code] or [1])

    def receive(self, plant: Plant) -> Deed:  # noqa: ARG002 -- one shape for all.
        return receive_batch, Delivery(self.chance.choice(("RM-MILK", "RM-SUGAR")), self.amount(), "KGM", self.place())

    def open(self, plant: Plant) -> Deed:  # noqa: ARG002
        return open_process, ProcessOrder(self.chance.choice((RunKind.PRODUCTION, RunKind.REWORK)))

    def feed(self, plant: Plant) -> Deed:
        return feed_process, Feed(self.a_run(plant), self.lines(plant))

    def yield_(self, plant: Plant) -> Deed:
        line = self.line(plant)
        more = (Addition(line.batch, self.amount(), "KGM", self.place()),) * self.chance.randint(0, 1)
        back = (line,) * self.chance.choice((0, 0, 1, 2))
        return yield_process, Yield(self.a_run(plant), self.outputs(), more, back)

    def close(self, plant: Plant) -> Deed:
        return close_process, Closing(self.a_run(plant))

    def run(self, plant: Plant) -> Deed:
        return record_production, ProductionRun(ProcessOrder(), self.lines(plant), self.outputs())

    def split(self, plant: Plant) -> Deed:
        line = self.line(plant)
        parts = tuple(SplitPart(self.amount(20_000_000), self.place()) for _ in range(self.chance.randint(1, 3)))
        return split_batch, Split(line.batch, line.location, parts)

    def merge(self, plant: Plant) -> Deed:
        lines = self.lines(plant)
        sources = tuple(
            MergeSource(line.batch, line.location, self.chance.choice((None, line.amount))) for line in lines
        )
        return merge_batches, Merge(sources, self.place())

    def move(self, plant: Plant) -> Deed:
        line = self.line(plant)
        return move_batch, Move(line.batch, line.location, self.place(), line.amount, line.unit)

    def dispatch(self, plant: Plant) -> Deed:
        return dispatch_transfer, Dispatch(CODES[plant.code == CODES[0]], self.lines(plant))

    def accept(self, plant: Plant) -> Deed:
        ours = [label for destination, label in self.labels if destination == plant.code]
        label = self.chance.choice(ours or ["nothing"])
        lines: tuple[ReceiptLine, ...] = ()
        if self.chance.random() < 0.3:
            line = self.line(plant)
            lines = (ReceiptLine(line.batch, self.chance.choice(("0", self.amount())), self.place()),)
        return receive_transfer, TransferReceipt(label, self.place(), lines)

    def ship(self, plant: Plant) -> Deed:
        return ship_batch, Shipment("C1", self.lines(plant))

    def adjust(self, plant: Plant) -> Deed:
        line = self.line(plant)
        sign = self.chance.choice(("", "-"))
        return adjust_stock, StockDifference(line.batch, line.location, sign + line.amount)


def check_balanced(plant: Plant) -> None:
    """Check that stock is the sum of movements, that no place of goods is below zero, and that edges are movements."""
    sums: dict[tuple[int, str], int] = defaultdict(int)
    lines = {}
    for entry, line, batch, quantity, taken_from, put_in in plant.rows(
        "SELECT entry_idx, line, batch_id, quantity, taken_from, put_in FROM movements"
    ):
        assert quantity > 0
        sums[batch, taken_from] -= quantity
        sums[batch, put_in] += quantity
        lines[entry, line] = (batch, quantity, taken_from, put_in)
    stock = {
        (batch, f"stock:{place}"): n for batch, place, n in plant.rows("SELECT batch_id, location, quantity FROM stock")
    }
    assert stock == {key: n for key, n in sums.items() if key[1].startswith("stock:")}
    assert all(quantity >= 0 for quantity in stock.values())
    for entry, line, source, target, quantity in plant.rows(
        "SELECT entry_idx, line, source_id, target_id, quantity FROM edges"
    ):
        batch, moved, taken_from, put_in = lines[entry, line]
        assert moved == quantity
        assert (source, target) == (
            (batch, int(put_in[8:])) if put_in.startswith("process:") else (int(taken_from[8:]), batch)
        )
    for batch, made in plant.rows("SELECT id, made FROM batches"):
        first = [p for p in sums if p[0] == batch and p[1].startswith(("source", "process:"))]
        assert first, "every batch came from somewhere"
        assert made > 0


def check_nothing_lost(plants: dict[str, Plant]) -> None:
    """Check each batch over both plants: all that was ever made is in some place, and transfers received are empty."""
    places: dict[tuple[int, str], int] = defaultdict(int)
    received = set()
    for plant in plants.values():
        for batch, quantity, taken_from, put_in in plant.rows(
            "SELECT batch_id, quantity, taken_from, put_in FROM movements"
        ):
            places[batch, taken_from] -= quantity
            places[batch, put_in] += quantity
        received |= {
            f"process:{one}"
            for (one,) in plant.rows("SELECT id FROM process_records WHERE kind = 'TRANSFER' AND state = 'CLOSED'")
        }
    total: dict[int, int] = defaultdict(int)
    for (batch, place), quantity in places.items():
        total[batch] += quantity
        assert place not in received or quantity == 0
    assert set(total.values()) <= {0}


@pytest.fixture
def floor_plants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], dict[str, Plant]]]:
    """A maker of fresh pairs of plants; all are closed at the end."""
    opened: list[Plant] = []

    def fresh() -> dict[str, Plant]:
        folder = tmp_path_factory.mktemp("floor")
        pair = {code: plant_store(folder, number, code) for number, code in enumerate(CODES, 1)}
        opened.extend(pair.values())
        return pair

    yield fresh
    for plant in opened:
        plant.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_sequence_then_goods_are_conserved_and_tables_follow_from_the_ledger(
    floor_plants: Callable[[], dict[str, Plant]], seed: int
) -> None:
    plants = floor_plants()
    floor = Floor(random.Random(seed), plants)
    for _ in range(STEPS):
        floor.step()
        note(floor.told[-1])
        floor.chance.choice([*plants.values()]).clock.advance(minutes=7)
    for plant in plants.values():
        check_balanced(plant)
        tables = plant.projection()
        for size in (1, 13, 10_000):
            assert replayed([plant], plant, size) == tables
    check_nothing_lost(plants)
    event(f"{floor.done // 10 * 10} or more of {STEPS} done")


@pytest.mark.parametrize("seed", [1, 2])
def test_applied_set_wise_at_postgresql_then_tables_are_equal(
    floor_plants: Callable[[], dict[str, Plant]], request: pytest.FixtureRequest, seed: int
) -> None:
    plants = floor_plants()
    floor = Floor(random.Random(seed), plants)
    for _ in range(4 * STEPS):
        floor.step()
    hub = postgres_plant(request.getfixturevalue("postgres_18"))
    both = [*plants.values()]
    expected = {
        name: sorted(rows + both[1].projection()[name], key=repr) for name, rows in both[0].projection().items()
    }
    for size in (1, 7, 10_000):
        assert replayed(both, hub, size) == expected
    hub.close()


def replayed(plants: list[Plant], store: Plant, size: int) -> dict[str, list[tuple[object, ...]]]:
    """Return the tables that the plants' ledgers give again in a store, applied in turn in sets of `size` entries."""
    names = list(store.projection())
    with store.store.transaction() as session:
        for name in names:
            session.run(f"DELETE FROM {name}")
        ledgers = [(plant.number, plant.entries()) for plant in plants if plant is not store] or [
            (store.number, list(entries_between(session, store.number, 0, 10**6)))
        ]
        for begin in range(0, max(len(entries) for _, entries in ledgers), size):
            writes = RowWrites()
            for number, entries in ledgers:
                for entry in entries[begin : begin + size]:
                    project(writes, number, entry)
            if session.dialect == "postgresql":
                writes.write_sets(session)
            else:
                writes.write(session)
    return store.projection()
