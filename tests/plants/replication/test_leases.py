"""Leases: one holder at a time, a stale holder is detected, and the leases of a killed process end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.database import Store
from plants.store.replication.leases import LASTING, LONGEST, LeaseLost, end_all, take
from tests.databases import migrated_file

NOW = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(migrated_file(tmp_path / "store.db"))
    yield opened
    opened.close()


def test_a_lease_is_held_by_one_until_it_runs_out(store: Store) -> None:
    with store.transaction() as session:
        first = take(session, "replication", "jobs", now=NOW)
        assert first is not None
        assert take(session, "replication", "worker-2", now=NOW) is None
        second = take(session, "replication", "worker-2", now=NOW + LASTING)

        assert second is not None
        with pytest.raises(LeaseLost):
            first.renew(session, NOW + LASTING)
        second.renew(session, NOW + LASTING)


def test_what_a_killed_process_left_behind_ends_when_the_next_one_serves(store: Store) -> None:
    with store.transaction() as session:
        left = take(session, "replication", "jobs", now=NOW)
        other = take(session, "project/1", "worker-2", now=NOW)
        assert left is not None
        assert other is not None

        end_all(session, "jobs")

        with pytest.raises(LeaseLost):
            left.renew(session, NOW)
        other.renew(session, NOW)
        assert take(session, "replication", "jobs", now=NOW + timedelta(seconds=1)) is not None
        assert take(session, "project/1", "jobs", now=NOW + timedelta(seconds=1)) is None


def test_lease_taken_by_a_clock_far_ahead_then_it_is_free_when_the_clock_is_right(store: Store) -> None:
    instant = timedelta(microseconds=1)
    ahead = NOW + LONGEST - LASTING
    with store.transaction() as session:
        first = take(session, "replication", "jobs", now=ahead)
        assert first is not None
        assert take(session, "replication", "worker-2", now=NOW) is None
        first.renew(session, ahead + instant)

        second = take(session, "replication", "worker-2", now=NOW)

        assert second is not None
        with pytest.raises(LeaseLost):
            first.renew(session, NOW)
