"""The hybrid logical clock: always onward, after every cause, and not led astray by one wrong clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.hlc import COUNTER_BITS, DRIFT_MS_MAX, STAMP_MAX, ZERO, lead_ms, tick

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


NOW_MS = 1_800_000_000_000
SKEW_MS = st.integers(-DRIFT_MS_MAX // 2, DRIFT_MS_MAX // 2)


@given(st.tuples(SKEW_MS, SKEW_MS, SKEW_MS), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40))
def test_goods_that_travel_are_stamped_in_their_order_with_clocks_within_the_bound(
    skews: tuple[int, int, int], journeys: list[tuple[int, int]]
) -> None:
    last = [ZERO, ZERO, ZERO]
    for now_ms, (source, target) in enumerate(journeys, NOW_MS):
        # Any two clocks differ by no more than the bound, and a millisecond passes between a dispatch and its receipt.
        dispatch = last[source] = tick(last[source], now_ms + skews[source])
        receipt = tick(last[target], now_ms + 1 + skews[target], dispatch)
        assert receipt > max(dispatch, last[target])
        last[target] = receipt


@given(st.integers(DRIFT_MS_MAX + 100, 2**44), st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_a_clock_far_ahead_drags_nobody_and_is_seen_to_lead(lead: int, receivers: list[int]) -> None:
    poison = tick(ZERO, NOW_MS + lead)
    last = [ZERO, ZERO, ZERO]
    for now_ms, receiver in enumerate(receivers, NOW_MS):
        last[receiver] = tick(last[receiver], now_ms, poison, *last)
        assert lead_ms(last[receiver], now_ms) == 0
    assert lead_ms(poison, NOW_MS) == lead


@given(st.integers(0, DRIFT_MS_MAX), st.integers(1, 200))
def test_a_clock_ahead_within_the_bound_drags_others_no_further_than_the_bound(lead: int, count: int) -> None:
    ahead = tick(ZERO, NOW_MS + lead)
    stamp = ZERO
    for _ in range(count):
        stamp = tick(stamp, NOW_MS, ahead)
    # The stamps count on from there, and the wall clock catches up with them.
    assert lead_ms(stamp, NOW_MS) <= DRIFT_MS_MAX
    assert tick(stamp, NOW_MS + lead + 1) == f"{NOW_MS + lead + 1 << COUNTER_BITS:016x}"


def test_a_counter_that_is_full_carries_into_the_milliseconds_and_the_order_stays() -> None:
    full = f"{(NOW_MS << COUNTER_BITS) + 2**COUNTER_BITS - 1:016x}"
    assert tick(full, NOW_MS) == f"{NOW_MS + 1 << COUNTER_BITS:016x}"


def test_the_last_stamp_there_is_then_none_after_it_is_made_up() -> None:
    last = f"{STAMP_MAX:016x}"
    assert last == "ffffffffffffffff"
    with pytest.raises(OverflowError):
        tick(last, NOW_MS)
    assert tick(ZERO, NOW_MS, last) == f"{NOW_MS << COUNTER_BITS:016x}"


def test_the_last_year_of_the_calendar_has_stamps() -> None:
    year_9999_ms = 253_402_300_799_999
    assert len(tick(ZERO, year_9999_ms)) == 16
