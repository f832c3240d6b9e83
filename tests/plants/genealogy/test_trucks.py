"""Goods on one truck are not made of each other: random groups with transfers of many lines, against a plain reference.

The reference knows the runs and the trucks as they were made up. It shares nothing with the walk.
"""

import random
from dataclasses import dataclass, field

import pytest

from infra.database import Store
from plants.rules.genealogy.walks import Bounds, TraceDirection
from plants.rules.identification.codes import node_id
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Traced, paths, trace
from plants.store.traceability.trace_summary import contributions, summary
from tests.plants.genealogy.graphs import CODES, Genealogy

ALL = PlantScope(frozenset(CODES))
RUNS, TRUCKS, STEPS = 1_000, 2_000, 30


@dataclass
class Made:
    """A made-up group: the inputs and outputs of each run, and the load of each truck."""

    chance: random.Random
    graph: Genealogy = field(default_factory=Genealogy)
    places: dict[int, set[int]] = field(default_factory=dict)
    inputs: dict[int, set[int]] = field(default_factory=dict)
    outputs: dict[int, set[int]] = field(default_factory=dict)
    loads: dict[int, set[int]] = field(default_factory=dict)

    def step(self, number: int) -> None:
        plant = self.chance.choice(sorted(CODES))
        goods = sorted(batch for batch, places in self.places.items() if plant in places)
        if not goods or self.chance.random() < 0.2:
            self.batch(node_id(plant, number), plant)
        elif self.chance.random() < 0.5:
            self.run(node_id(plant, RUNS + number), plant, self.some(goods))
        else:
            self.truck(node_id(plant, TRUCKS + number), plant, self.some(goods))

    def some(self, goods: list[int]) -> list[int]:
        return self.chance.sample(goods, self.chance.randint(1, min(4, len(goods))))

    def batch(self, batch: int, plant: int) -> None:
        self.graph.batch(batch, plant)
        self.places.setdefault(batch, set()).add(plant)

    def run(self, run: int, plant: int, goods: list[int]) -> None:
        self.graph.run(run, plant)
        self.inputs[run], self.outputs[run] = set(goods), set()
        for batch in goods:
            self.graph.edge(batch, run, plant)
        for line in range(self.chance.randint(0, 2)):
            product = run + (line + 3) * 1_000
            self.batch(product, plant)
            self.outputs[run].add(product)
            self.graph.edge(run, product, plant, "PRODUCED")

    def truck(self, truck: int, plant: int, goods: list[int]) -> None:
        there = self.chance.choice(sorted(CODES.keys() - {plant}))
        self.loads[truck] = set(goods)
        for place in (plant, there):
            self.graph.run(truck, place, "TRANSFER")
        for batch in goods:
            self.graph.edge(batch, truck, plant, "TRANSFERRED")
            if self.chance.random() < 0.8:  # The others have not arrived yet.
                self.graph.edge(truck, batch, there, "TRANSFERRED")
                self.batch(batch, there)

    def steps_from(self, seed: int, *, forward: bool) -> dict[int, int]:
        """Return how many runs lie between a batch and each that was made of it, or that it was made of."""
        taken, given = (self.inputs, self.outputs) if forward else (self.outputs, self.inputs)
        steps, wave = {seed: 0}, {seed}
        while wave:
            far = max(steps.values()) + 1
            wave = {one for run in taken if taken[run] & wave for one in given[run]} - steps.keys()
            steps |= dict.fromkeys(wave, far)
        return steps


def made_up(seed: int) -> Made:
    made = Made(random.Random(seed))
    for plant in CODES:
        made.graph.plant(plant)
    for number in range(1, STEPS):
        made.step(number)
    return made


@pytest.mark.parametrize("seed", range(20))
def test_random_groups_with_trucks_then_a_trace_holds_what_runs_relate_and_no_neighbour(
    store: Store, seed: int
) -> None:
    made = made_up(seed)
    made.graph.write(store)
    with store.reading() as session:
        for batch in made.places:
            for direction in (TraceDirection.FORWARD, TraceDirection.BACKWARD):
                found = trace(session, ALL, [batch], direction)
                wanted = made.steps_from(batch, forward=direction is TraceDirection.FORWARD)
                assert found.batches == wanted
                check_trucks(made, found)
                assert summary(session, ALL, found).transfers == len(found.transfers)
            forward = trace(session, ALL, [batch], TraceDirection.FORWARD)
            assert contributions(session, ALL, forward).keys() == forward.batches.keys()
            for neighbour in set().union(*(load for load in made.loads.values() if batch in load)):
                related = neighbour in forward.batches
                assert bool(paths(session, ALL, batch, neighbour, 1).paths) == related


def check_trucks(made: Made, found: Traced) -> None:
    """Every truck that carried a batch of the trace is listed, as near as the nearest of its batches, and no other."""
    wanted = {
        truck: min(found.batches[batch] for batch in load & found.batches.keys())
        for truck, load in made.loads.items()
        if load & found.batches.keys()
    }
    assert found.transfers == wanted
    assert not found.processes.keys() & made.loads.keys()
    goods = {end for link in found.moves for end in link[:2]} - made.loads.keys()
    assert goods <= found.batches.keys()


def test_two_lots_on_one_truck_and_used_apart_then_neither_is_in_the_others_product(store: Store) -> None:
    graph = Genealogy()
    milk, sugar, yoghurt, jam, dairy, kitchen, truck = (node_id(1, number) for number in (1, 2, 3, 4, 101, 102, 201))
    for plant in (1, 2):
        graph.plant(plant)
        graph.run(truck, plant, "TRANSFER")
    for lot in (milk, sugar):
        graph.batch(lot, 1)
        graph.batch(lot, 2)
        graph.edge(lot, truck, 1, "TRANSFERRED")
        graph.edge(truck, lot, 2, "TRANSFERRED")
    for lot, run, product in ((milk, dairy, yoghurt), (sugar, kitchen, jam)):
        graph.run(run, 2)
        graph.batch(product, 2)
        graph.edge(lot, run, 2)
        graph.edge(run, product, 2, "PRODUCED")
    graph.write(store)
    with store.reading() as session:
        forward = trace(session, ALL, [milk], TraceDirection.FORWARD)
        assert forward.batches == {milk: 0, yoghurt: 1}
        assert (forward.processes, forward.transfers) == ({dairy: 1}, {truck: 0})
        assert contributions(session, ALL, forward) == {milk: Bounds(100, 100), yoghurt: Bounds(10, 10)}
        assert trace(session, ALL, [jam], TraceDirection.BACKWARD).batches == {jam: 0, sugar: 1}
