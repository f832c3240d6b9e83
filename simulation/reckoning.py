"""The reckoning at the end of a run: every invariant that is too dear for each step."""

from simulation.life import Life
from simulation.watching import Watch


def reckon(life: Life, watch: Watch) -> None:
    """Check everything; raises Violation."""
