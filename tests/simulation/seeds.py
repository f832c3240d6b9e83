"""Runs of the simulation as tests: a few seeds each, so that a failure names its seed and stays short."""

from pathlib import Path

import pytest

from simulation.campaign import run_one

CORPUS = Path(__file__).with_name("corpus.txt")
SEEDS = 300  # as many as a change should pass before it lands; `batchloom sim` runs any number
AT_ONCE = 5  # seeds of one test: about 3 s of a core
OPEN: dict[int, str] = {}
"""Seeds whose violation is known and not mended yet; each must still show it, so that none stays here for nothing."""


def pieces(part: int, parts: int) -> pytest.MarkDecorator:
    """Return every `parts`-th piece of the seeds, for the file that runs them."""
    return pytest.mark.parametrize("first", range(1 + part * AT_ONCE, SEEDS + 1, parts * AT_ONCE))


def holds(seed: int) -> None:
    """Run a seed and check that nothing was violated. A failure shows the end of the log, and how to replay it."""
    outcome = run_one(seed)
    if seed in OPEN:
        assert outcome.invariant == OPEN[seed].partition(":")[0], f"seed {seed} holds now: take it out of OPEN"
        return
    run_log = "\n".join(outcome.lines[-40:])
    assert not outcome.invariant, f"{outcome.text}\nbatchloom sim --seed {seed}\n{run_log}\n{outcome.trace}"


def corpus() -> list[int]:
    """Return the seeds that once found something."""
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]
