"""Swarm options: which faults a run has, how often, how big it is, all drawn from its seed."""

from dataclasses import dataclass, field
from random import Random

from simulation.disks import Strike
from simulation.network import Rates

HALF = 2


@dataclass(frozen=True, slots=True)
class Swarm:
    """What one run is made of; weights are relative, rates in thousandths."""

    plants: int
    steps: int
    interleave: int
    strikes: tuple[Strike, ...]
    strike_rate: int
    rates: Rates
    cuts: int
    crashes: int
    restores: int
    hub_restores: int
    clones: int
    clock_steps: int
    skews_us: dict[int, int] = field(default_factory=dict)
    workers: int = 1
    lost_answers: int = 0
    entries_max: int = 8192
    unknown_types: int = 0
    archive: bool = False
    archive_failures: int = 0
    both_restores: int = 0
    key_changes: int = 0
    revocations: int = 0
    snapshots: int = 0


def draw(chance: Random) -> Swarm:
    """Return the options of a run: each kind of fault is there in half of the runs, so that each is seen alone too."""

    def some(least: int, most: int) -> int:
        return chance.randint(least, most) if chance.randrange(HALF) else 0

    rates = Rates(
        refused=some(5, 80),
        request_lost=some(5, 60),
        reply_lost=some(5, 120),
        cut=some(5, 60),
        doubled=some(5, 120),
        late=some(5, 80),
        slow=some(2, 30),
        not_the_hub=some(5, 60),
        later=some(5, 60),
        altered=some(5, 60),
        cached=some(5, 60),
    )
    plants = chance.choice((2, 3, 3))
    skews = {
        number: chance.randint(-3_000_000, 3_000_000) if chance.randrange(HALF) else 0 for number in range(plants + 1)
    }
    return Swarm(
        plants=plants,
        steps=chance.randint(70, 130),
        interleave=chance.choice((0, 60, 200, 400)),
        strikes=tuple(strike for strike in Strike if chance.randrange(HALF)),
        strike_rate=some(10, 80),
        rates=rates,
        cuts=some(3, 20),
        crashes=some(5, 40),
        restores=some(5, 30),
        hub_restores=some(3, 20) if chance.randrange(HALF) else 0,
        clones=some(3, 15) if chance.randrange(HALF) else 0,
        clock_steps=some(3, 20),
        skews_us=skews,
        workers=chance.choice((1, 2)),
        lost_answers=some(10, 150),
        entries_max=chance.choice((8192, 8192, 7, 2)),
        unknown_types=some(3, 15),
        archive=chance.randrange(HALF) == 0,
        archive_failures=some(50, 300),
        both_restores=some(3, 15) if chance.randrange(HALF) else 0,
        key_changes=some(5, 30),
        revocations=some(3, 12) if chance.randrange(HALF) else 0,
        snapshots=some(5, 30),
    )
