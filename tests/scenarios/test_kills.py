"""The short form of `make kill`: a few kills of everything that runs, drawn from a fixed seed."""

import tempfile
from pathlib import Path

import pytest

from tests.campaigns.kill import is_clean, run, running

pytestmark = pytest.mark.timeout(400)

CYCLES = 6


def test_everything_killed_a_few_times_then_nothing_is_lost_or_doubled(valkey_url: str) -> None:
    # Not below pytest's own directory, which is closed to the user that PostgreSQL runs as where the tests are root's.
    with (
        tempfile.TemporaryDirectory(prefix="batchloom-") as name,
        running(Path(name), f"{valkey_url}/3", seed=11, durable=False) as campaign,
    ):
        figures = run(campaign, CYCLES, seed=11)
    assert figures["cycles"] == CYCLES
    assert figures["operations"] > CYCLES
    assert is_clean(figures), figures
