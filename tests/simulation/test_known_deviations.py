"""Each known deviation from domain.md is still seen: without it, a run that holds is a violation."""

import pytest

from simulation.campaign import run_quietly
from simulation.model_check.deviations import KNOWN, Deviation
from tests.simulation.swarms import faultless

SEEDS = 40
SWARM = faultless(220, clock_steps=15)


def first_seed(deviation: Deviation) -> int | None:
    """Return the first seed whose run is a violation of the model without a deviation, if one is."""
    others = tuple(one for one in KNOWN if one is not deviation)
    for seed in range(1, SEEDS + 1):
        outcome = run_quietly(seed, SWARM, others)
        assert outcome.invariant in {"", "I17", "I18"}, outcome.text
        if outcome.invariant:
            return seed
    return None


@pytest.mark.parametrize("deviation", KNOWN, ids=lambda one: one.name)
def test_deviation_left_out_then_a_run_shows_it(deviation: Deviation) -> None:
    seed = first_seed(deviation)
    assert seed is not None, f"{deviation.name} is not seen any more: remove it"
    whole = run_quietly(seed, SWARM)
    assert whole.invariant == "", whole.text


def test_deviations_then_each_names_its_section_once() -> None:
    assert len({one.name for one in KNOWN}) == len(KNOWN)
    assert {one.section for one in KNOWN} <= set(range(1, 8))
    assert all(one.settings or one.answers for one in KNOWN)
