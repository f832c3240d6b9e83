"""A synthetic manufacturing group: years of genealogy from one seed, in the order of events.

Twenty plants make products in eight levels: raw, premix, intermediate, semi-finished, finished, packed, pallet and
shipped. Goods are drawn first in, first out from lots whose sizes follow a Pareto law. 12 % of the draws take from two
lots. 4 % of the draws at three levels come from another plant by transfer. 3 % of intermediate batches consume finished
goods (rework). Silo lots of raw material go into every product of their plant.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from plants.rules.identification.codes import CHECK_ALPHABET, node_id

PLANTS = 20
LEVELS = ("RAW", "PREMIX", "INTER", "SEMI", "FIN", "PACKED", "PALLET")
RAW, PREMIX, INTER, _, FIN, PACKED, PALLET = range(7)
LOT_KG = (900, 1500, 1200, 1000, 700, 300, 120)  # usual lot sizes by level
MOVED_LEVELS = (PREMIX, INTER, FIN)
MOVED_SHARE, SPLIT_SHARE, REWORK_SHARE = 0.04, 0.12, 0.03
PARETO_SHAPE = 1.3
RAWS_PER_PREMIX = 7
SILO_KG = 10**9
SILO = 0  # the product number of the raw material that lies in silos
CUSTOMERS = 200
START_US = 1_740_000_000_000_000
STEP_US = 20_000_000
KG = 1_000_000

Part = tuple[int, int]
"""A batch id and an amount of it, in millionths of a kilogram."""


class Made(NamedTuple):
    """The statement of a batch by its origin plant."""

    code: str
    material: str
    micro: int
    produced_us: int


class Step(NamedTuple):
    """One event at one plant: goods received, produced, dispatched, taken over or shipped."""

    plant: int
    kind: str  # RECEIPT, PRODUCTION, REWORK, DISPATCH, ARRIVAL or SHIPMENT
    process: int  # 0 for a receipt
    inputs: list[Part]
    outputs: list[Part]
    other: int = 0  # the other plant of a transfer, or the customer's number
    at_us: int = 0


@dataclass
class Group:
    """A group whose `steps` yields events until the genealogy has `edges` edges, causes before effects.

    The same seed and size give the same group.
    """

    edges: int
    seed: int
    made: dict[int, Made] = field(default_factory=dict, repr=False)
    count: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._families = max(2, min(30, self.edges // 100_000))
        self._pools: dict[tuple[int, int, int], deque[list[int]]] = {}
        self._next = [1] * (PLANTS + 1)
        self._day_numbers: dict[tuple[int, int], int] = {}
        self._now = START_US
        self._waiting: deque[Step] = deque()

    def steps(self) -> Iterator[Step]:
        """Yield every event, one shipment's chain of work after the other."""
        while self.count < self.edges:
            plant = self._random.randint(1, PLANTS)
            self._ship(plant, self._random.randrange(self._families))
            yield from self._waiting
            self._waiting.clear()

    def _ship(self, plant: int, family: int) -> None:
        goods = self._take(plant, PALLET, family, self._size(PALLET))
        customer = int(self._random.paretovariate(1.1)) % CUSTOMERS
        self._step(Step(plant, "SHIPMENT", self._node(plant), goods, [], customer))

    def _take(self, plant: int, level: int, product: int, micro: int) -> list[Part]:
        if level in MOVED_LEVELS and self._random.random() < MOVED_SHARE:
            other = self._random.randint(1, PLANTS)
            if other != plant:
                return self._transfer(other, plant, self._draw(other, level, product, micro))
        return self._draw(plant, level, product, micro)

    def _draw(self, plant: int, level: int, product: int, micro: int) -> list[Part]:
        pool = self._pools.setdefault((plant, level, product), deque())
        parts: list[Part] = []
        if self._random.random() < SPLIT_SHARE and len(pool) > 1:
            share = min(micro // 2, pool[1][1] - 1)
            pool[1][1] -= share
            parts.append((pool[1][0], share))
            micro -= share
        while micro:
            if not pool:
                pool.append(list(self._make(plant, level, product)))
            lot = pool[0]
            part = min(micro, lot[1])
            parts.append((lot[0], part))
            micro -= part
            lot[1] -= part
            if not lot[1]:
                pool.popleft()
        return [part for part in parts if part[1]]

    def _make(self, plant: int, level: int, product: int) -> Part:
        if level == RAW:
            micro = SILO_KG * KG if product == SILO else self._size(RAW)
            batch = self._batch(plant, level, product, micro)
            self._step(Step(plant, "RECEIPT", 0, [], [(batch, micro)]))
            return batch, micro
        micro = self._size(level)
        kind, inputs = "PRODUCTION", []
        needs = self._recipe(level, product)
        for need_level, need_product in needs:
            inputs += self._take(plant, need_level, need_product, micro // len(needs))
        if level == INTER and self._random.random() < REWORK_SHARE:
            other = (product + 1) % self._families
            pool = self._pools.get((plant, FIN, other))
            if pool:
                kind = "REWORK"
                inputs += self._draw(plant, FIN, other, min(20 * KG, pool[0][1]))
        batch = self._batch(plant, level, product, micro)
        self._step(Step(plant, kind, self._node(plant), inputs, [(batch, micro)]))
        return batch, micro

    def _recipe(self, level: int, product: int) -> list[tuple[int, int]]:
        families = self._families
        if level == PREMIX:
            raws = 3 * families
            return [(RAW, SILO)] + [(RAW, 1 + (product * 3 + one * one) % raws) for one in range(RAWS_PER_PREMIX - 1)]
        if level == INTER:
            return [(PREMIX, product), (RAW, 1 + product % (3 * families))]
        if level == PACKED:
            return [(FIN, product), (RAW, 1 + 3 * families + product % 4)]
        return [(level - 1, product)]

    def _transfer(self, source: int, destination: int, goods: list[Part]) -> list[Part]:
        merged: dict[int, int] = {}
        for batch, micro in goods:
            merged[batch] = merged.get(batch, 0) + micro
        goods = list(merged.items())
        transfer = self._node(source)
        self._step(Step(source, "DISPATCH", transfer, goods, [], destination))
        self._step(Step(destination, "ARRIVAL", transfer, [], goods, source))
        return goods

    def _step(self, step: Step) -> None:
        self._now += STEP_US
        if step.process:
            self.count += len(step.inputs) + len(step.outputs)
        self._waiting.append(step._replace(at_us=self._now))

    def _batch(self, plant: int, level: int, product: int, micro: int) -> int:
        batch = self._node(plant)
        day = (self._now - START_US) // 86_400_000_000
        number = self._day_numbers[plant, day] = self._day_numbers.get((plant, day), 0) + 1
        # Any check character will do here; computing the right one would dominate the run time.
        code = f"{plant_code(plant)}-{day:06d}-{number:04d}{CHECK_ALPHABET[number % 36]}"
        self.made[batch] = Made(code, f"{LEVELS[level]}-{product:03d}", micro, self._now)
        return batch

    def _node(self, plant: int) -> int:
        number = self._next[plant]
        self._next[plant] = number + 1
        return node_id(plant, number)

    def _size(self, level: int) -> int:
        return int(LOT_KG[level] * min(self._random.paretovariate(PARETO_SHAPE), 60) / 2) * KG + KG


def plant_code(plant: int) -> str:
    """Return the code of a plant by its number."""
    return f"P{plant:02d}"
