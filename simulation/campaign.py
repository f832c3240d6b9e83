"""Many seeds, over several processes: what was run, what struck, what was violated, and how soon planted bugs show."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median
from typing import Final

from simulation.model_check.deviations import KNOWN, Deviation
from simulation.mutants import BUGS
from simulation.options import Swarm
from simulation.run import Outcome, run

STARTS: Final = (1, 10_001, 20_001, 30_001, 40_001)
SEEDS_MAX: Final = 1000
PIECE: Final = 10


@dataclass
class Totals:
    """What a campaign came to."""

    seeds: int = 0
    steps: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        self.seeds += 1
        self.steps += outcome.steps
        self.hits += outcome.hits
        self.marks += outcome.marks
        if outcome.invariant:
            self.failed.append(outcome)


@dataclass(frozen=True, slots=True)
class Found:
    """How one planted bug was found: by which invariants, and after how many seeds from each starting point."""

    bug: str
    invariants: tuple[str, ...]
    seeds: tuple[int | None, ...]

    @property
    def everywhere(self) -> bool:
        """Whether it was found from every starting point."""
        return None not in self.seeds

    @property
    def median(self) -> int | None:
        """The median number of seeds until it was found, or None where it was not."""
        return None if not self.everywhere else int(median(seed for seed in self.seeds if seed is not None))


def run_one(seed: int, planted: str | None = None) -> Outcome:
    """Run one seed, with a planted bug where one is named."""
    bug: AbstractContextManager[None] = BUGS[planted]() if planted else nullcontext()
    with bug:
        return run_quietly(seed)


def run_quietly(seed: int, swarm: Swarm | None = None, known: Sequence[Deviation] = KNOWN) -> Outcome:
    """Run one seed with options and known deviations, and log nothing."""
    with _silence():
        return run(seed, swarm, known)


@contextmanager
def _silence() -> Iterator[None]:
    """Log nothing in the block: the faults of a run are meant."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def campaign(
    first: int, seeds: int, workers: int, tell: Callable[[Outcome], None], *, planted: str | None = None
) -> Totals:
    """Run seeds from `first` on, told one by one as they end; which process runs which changes no outcome."""
    totals = Totals()
    for outcome in _outcomes(first, seeds, workers, planted):
        totals.add(outcome)
        tell(outcome)
    return totals


def search(bug: str, starts: Sequence[int] = STARTS, most: int = SEEDS_MAX) -> Found:
    """Look for a planted bug from each starting point until it is found, at most so many seeds each."""
    invariants: Counter[str] = Counter()
    counts: list[int | None] = []
    for start in starts:
        found = None
        for seed in range(start, start + most):
            outcome = run_one(seed, bug)
            if outcome.invariant:
                invariants[outcome.invariant] += 1
                found = seed - start + 1
                break
        counts.append(found)
    return Found(bug, tuple(name for name, _ in invariants.most_common()), tuple(counts))


def search_all(workers: int) -> Iterator[Found]:
    """Look for every planted bug, several at a time."""
    if workers == 1:
        yield from map(search, BUGS)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(search, BUGS)


def _outcomes(first: int, seeds: int, workers: int, planted: str | None) -> Iterator[Outcome]:
    if workers == 1 or seeds <= PIECE:
        for seed in range(first, first + seeds):
            yield run_one(seed, planted)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pieces = [(low, min(PIECE, first + seeds - low), planted) for low in range(first, first + seeds, PIECE)]
        for outcomes in pool.map(_piece, pieces):
            yield from outcomes


def _piece(given: tuple[int, int, str | None]) -> list[Outcome]:
    first, count, planted = given
    return [run_one(seed, planted) for seed in range(first, first + count)]
