"""Half of the seeds that every test run simulates; the other half is in test_more_seeds.py."""

from tests.simulation.seeds import AT_ONCE, holds, pieces


@pieces(0, 2)
def test_seeds_then_no_invariant_is_violated(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        holds(seed)
