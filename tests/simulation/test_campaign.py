"""A seed runs in silence, and the process logs again afterwards."""

import logging

import pytest

from simulation.campaign import run_one


def test_seed_has_run_then_the_process_logs_again(caplog: pytest.LogCaptureFixture) -> None:
    outcome = run_one(1)
    assert outcome.invariant == ""
    assert caplog.text == ""
    logging.getLogger("batchloom.test").warning("said afterwards")
    assert "said afterwards" in caplog.text
