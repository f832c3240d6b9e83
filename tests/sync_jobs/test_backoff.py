"""Waits after failures: over when their time has come, and when a clock that was wrong had begun them."""

from datetime import UTC, datetime, timedelta

import pytest

from plants.rules.values.instants import micros
from sync_jobs.backoff import RETRY_SECONDS_MAX, WAIT_MS_MAX, is_due
from sync_jobs.projection import retrying
from sync_jobs.projection.parking import WAITS

NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
LONGEST = timedelta(seconds=RETRY_SECONDS_MAX)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "until, due",
    [
        (NOW - timedelta(days=365), True),
        (NOW, True),
        (NOW + INSTANT, False),
        (NOW + LONGEST, False),
        (NOW + LONGEST + INSTANT, True),
        (NOW + timedelta(days=365), True),
    ],
)
def test_a_wait_is_over_in_time_or_when_it_is_longer_than_any(until: datetime, *, due: bool) -> None:
    assert is_due(micros(until), NOW) is due


def test_nothing_was_waited_for_then_due() -> None:
    assert is_due(0, NOW)


def test_the_wait_began_later_than_now_then_due() -> None:
    until = NOW + timedelta(minutes=50)
    assert is_due(micros(until), NOW, began_us=micros(NOW + INSTANT))
    assert not is_due(micros(until), NOW, began_us=micros(NOW))


def test_no_wait_that_is_given_is_taken_for_one_of_a_wrong_clock() -> None:
    assert max(*WAITS, WAIT_MS_MAX // 1000) <= RETRY_SECONDS_MAX


@pytest.mark.parametrize("sql", [retrying.SELECT_DUE, retrying.IS_DUE])
def test_sql_that_asks_what_is_due_then_it_has_the_same_limit(sql: str) -> None:
    assert f"next_attempt_us - :now_us NOT BETWEEN 1 AND {RETRY_SECONDS_MAX * 1_000_000} " in sql
