"""The hybrid logical clock: always onward, after every cause, and not led astray by one wrong clock."""

from hypothesis import given
from hypothesis import strategies as st

from plants.rules.hlc import COUNTER_BITS, DRIFT_MS_MAX, ZERO, tick

MILLISECONDS = st.integers(0, 2**44)


@given(st.lists(MILLISECONDS, min_size=1, max_size=30))
def test_stamps_of_one_ledger_always_rise_whatever_the_wall_clock_does(clock: list[int]) -> None:
    stamps = [ZERO]
    for now_ms in clock:
        stamps.append(tick(stamps[-1], now_ms))

    assert stamps == sorted(set(stamps))
    assert all(len(stamp) == 16 for stamp in stamps)


@given(MILLISECONDS, MILLISECONDS)
def test_a_receipt_is_stamped_after_its_dispatch(dispatched_ms: int, lag_ms: int) -> None:
    dispatch = tick(ZERO, dispatched_ms)
    receipt = tick(ZERO, dispatched_ms - min(lag_ms, DRIFT_MS_MAX, dispatched_ms), dispatch)

    assert receipt > dispatch


def test_a_cause_from_a_clock_that_is_a_year_ahead_is_passed_over() -> None:
    now_ms = 1_800_000_000_000
    poisoned = tick(ZERO, now_ms + 365 * 24 * 3_600_000)

    assert tick(ZERO, now_ms, poisoned) == f"{now_ms << COUNTER_BITS:016x}"
