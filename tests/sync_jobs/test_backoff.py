"""Waits after failures end in time, or when a wrong clock had started them."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.database import Store
from plants.rules.values.instants import EPOCH
from plants.store.replication import projection_faults
from plants.store.replication.projection_faults import ProjectionFault, ledgers_due, put_fault
from sync_jobs.backoff import LONGEST_WAIT, RETRY_SECONDS_MAX, WAIT_MS_MAX, is_due
from sync_jobs.projection.parking import WAITS
from tests.databases import migrated_file

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
    assert is_due(until, NOW) is due


def test_nothing_was_waited_for_then_due() -> None:
    assert is_due(EPOCH, NOW)


def test_the_wait_began_later_than_now_then_due() -> None:
    until = NOW + timedelta(minutes=50)
    assert is_due(until, NOW, began_at=NOW + INSTANT)
    assert not is_due(until, NOW, began_at=NOW)


def test_no_wait_that_is_given_is_taken_for_one_of_a_wrong_clock() -> None:
    assert max(*WAITS, WAIT_MS_MAX // 1000) <= RETRY_SECONDS_MAX


@pytest.mark.parametrize(
    "until, due",
    [(NOW, True), (NOW + INSTANT, False), (NOW + LONGEST, False), (NOW + LONGEST + INSTANT, True)],
)
def test_fault_that_waits_then_the_store_finds_it_due_when_the_rule_does(
    tmp_path: Path, until: datetime, *, due: bool
) -> None:
    with closing(Store(migrated_file(tmp_path / "store.db"))) as store, store.transaction() as session:
        fault = ProjectionFault(log_id=1, idx=0, key="k", type="", error="no", parked_at=EPOCH, next_attempt_at=until)
        put_fault(session, fault)

        assert ledgers_due(session, NOW, LONGEST_WAIT) == ([1] if due else [])
        assert projection_faults.is_due(session, 1, NOW, LONGEST_WAIT) is due
    assert is_due(until, NOW) is due
