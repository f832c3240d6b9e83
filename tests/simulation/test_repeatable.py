"""A seed gives the same run again, the seeds that once found something stay found out, and planted bugs are seen."""

import pytest

from simulation.campaign import run_one, search
from tests.simulation.seeds import corpus, holds

STARTS = (1, 10_001)
SEEDS_MAX = 40


@pytest.mark.parametrize("seed", [7, 24])
def test_same_seed_then_same_run(seed: int) -> None:
    first, again, other = run_one(seed), run_one(seed), run_one(seed + 1)
    assert (first.digest, first.steps, first.hits) == (again.digest, again.steps, again.hits)
    assert first.digest != other.digest


@pytest.mark.parametrize("seed", corpus())
def test_seed_that_found_something_then_it_holds_now(seed: int) -> None:
    holds(seed)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("bug", ["acknowledged-before-durable", "root-not-checked"])
def test_planted_bug_then_it_is_found_and_gone_again(bug: str, start: int) -> None:
    found = search(bug, (start,), SEEDS_MAX)
    assert found.everywhere, found
    holds(start)
