"""Options of runs for tests."""

from simulation.network import Rates
from simulation.options import Swarm


def faultless(steps: int, plants: int = 2, *, clock_steps: int = 0) -> Swarm:
    """Return the options of a run without faults but clock steps: work, replication and projection."""
    return Swarm(
        plants=plants,
        steps=steps,
        interleave=0,
        strikes=(),
        strike_rate=0,
        rates=Rates(),
        cuts=0,
        crashes=0,
        restores=0,
        hub_restores=0,
        clones=0,
        clock_steps=clock_steps,
    )
