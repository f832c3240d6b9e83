"""The other half of the seeds that every test run simulates."""

from tests.simulation.seeds import AT_ONCE, holds, pieces


@pieces(1, 2)
def test_seeds_then_no_invariant_is_violated(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        holds(seed)
