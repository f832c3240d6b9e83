"""Rates of transfer, the remaining time, and the number of entries in one request."""

from datetime import timedelta

import pytest

from plants.rules.replication.pace import GAP_MAX, Ahead, ahead, next_batch, paced

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "allowed, sent, took, following",
    [
        (0, 8192, SECOND, 8192),  # 0 is the limit
        (1000, 1000, SECOND, 2000),
        (1000, 1000, 2 * SECOND, 2000),
        (5000, 5000, SECOND, 8192),
        (1000, 400, SECOND, 1000),  # the end of the ledger, or a body that is full: says nothing of the number
        (1000, 1000, 3 * SECOND, 666),
        (1000, 1000, 60 * SECOND, 500),
        (0, 8192, 4 * SECOND, 4096),
        (1, 1, 60 * SECOND, 1),
        (1000, 0, 60 * SECOND, 100),  # a checkpoint alone, over a line that is slow whatever it carries
        (80, 80, 60 * SECOND, 80),
        (80, 80, SECOND, 160),
        (9000, 8192, SECOND, 8192),  # the hub's limit has come down
    ],
)
def test_batch_follows_the_time_that_a_request_took(allowed: int, sent: int, took: timedelta, following: int) -> None:
    assert next_batch(allowed, 8192, sent, took) == following


def test_pace_is_smoothed_and_passes_over_what_says_nothing() -> None:
    assert paced(None, 8192, 2 * SECOND) == 4_096_000
    assert paced(4_096_000, 1000, SECOND) == (3 * 4_096_000 + 1_000_000) // 4
    assert paced(None, 99, SECOND) is None
    assert paced(7, 1000, timedelta(0)) == 7
    assert paced(7, 1000, -SECOND) == 7  # a clock was set back
    assert paced(7, 1000, GAP_MAX + timedelta(microseconds=1)) == 7


@pytest.mark.parametrize(
    "to_travel, pace, to_apply, applied_pace, found",
    [
        (0, None, 0, None, Ahead()),
        (0, 1000, 0, 1000, Ahead()),
        (500, None, 0, None, Ahead()),
        (10_000, 2_000_000, 0, None, Ahead(6, 2000.0)),  # at a plant, which applies at once
        (10_000, 2_000_000, 10_000, 1_000_000, Ahead(21, 1000.0)),
        (100_000, 500_000, 1000, 1_000_000, Ahead(201, 500.0)),
        (10, 500_000, 10, None, Ahead()),
    ],
)
def test_seconds_left_are_those_of_the_slower_way(
    to_travel: int, pace: int | None, to_apply: int, applied_pace: int | None, found: Ahead
) -> None:
    assert ahead(to_travel, pace, to_apply, applied_pace) == found
