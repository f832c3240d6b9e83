"""A deadlock on PostgreSQL: one caller gets the error, its writes are undone, and a retry succeeds."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from psycopg import errors

from infra.database import Session, Store
from infra.postgres import EmbeddedPostgres
from infra.store_faults import StoreFault, store_fault
from infra.writer import Writer
from tests.databases import fresh_database
from tests.patience import patient, wait_until

ADD = "UPDATE stock SET amount = amount + 1 WHERE name = :name"


@pytest.fixture
def store(postgres_18: EmbeddedPostgres) -> Iterator[Store]:
    with closing(Store(fresh_database(postgres_18))) as opened:
        with opened.transaction() as session:
            session.run("CREATE TABLE stock (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)")
            session.run("INSERT INTO stock VALUES ('a', 0), ('b', 0)")
        yield opened


def amounts(store: Store) -> list[int]:
    with store.transaction() as session:
        return [amount for (amount,) in session.rows("SELECT amount FROM stock ORDER BY name")]


def test_deadlock_then_one_is_undone_whole_and_succeeds_when_it_is_sent_again(store: Store) -> None:
    first_held = threading.Event()

    def both(session: Session) -> None:
        session.run(ADD, {"name": "a"})
        session.run(ADD, {"name": "b"})

    def cross(session: Session) -> None:
        session.run("SET LOCAL deadlock_timeout = '20ms'")
        session.run(ADD, {"name": "a"})
        first_held.set()
        _wait_for_a_waiter(store)
        session.run(ADD, {"name": "b"})

    with closing(Writer(store)) as writer:
        with store.transaction() as other:
            other.run("SET LOCAL deadlock_timeout = '60s'")  # so that it is always the writer who is undone
            other.run(ADD, {"name": "b"})
            undone = writer.submit(cross)
            assert first_held.wait(patient(30))
            other.run(ADD, {"name": "a"})
        failure = undone.exception(30)
        assert isinstance(failure, errors.DeadlockDetected)
        assert store_fault(failure) is StoreFault.BUSY
        assert amounts(store) == [1, 1]
        writer.write(both)
    assert amounts(store) == [2, 2]


def _wait_for_a_waiter(store: Store) -> None:
    """Return when a transaction waits for the lock of another."""

    def waiting() -> bool:
        with store.transaction() as session:
            (row,) = session.rows("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            return bool(row[0])

    wait_until(waiting, "a transaction waits for the lock of another")


def test_serialisation_failure_then_undone_whole_and_succeeds_when_it_is_sent_again(store: Store) -> None:
    def overtaken(session: Session) -> None:
        session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.run(ADD, {"name": "b"})
        with store.transaction() as other:
            other.run(ADD, {"name": "a"})
        session.run(ADD, {"name": "a"})

    with closing(Writer(store)) as writer:
        failure = writer.submit(overtaken).exception(30)
        assert isinstance(failure, errors.SerializationFailure)
        assert store_fault(failure) is StoreFault.BUSY
        assert amounts(store) == [1, 0]
        writer.write(lambda session: session.run(ADD, {"name": "a"}))
    assert amounts(store) == [2, 0]


def test_store_that_is_full_then_it_is_named_and_nothing_stays(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'store.db'}")) as store:
        with store.transaction() as session:
            session.run("CREATE TABLE stock (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)")

        def fill(session: Session) -> None:
            session.run("PRAGMA max_page_count = 8")
            for number in range(10):
                session.run("INSERT INTO stock VALUES (:name, 0)", {"name": f"{number}" * 4_000})

        with pytest.raises(sqlite.OperationalError) as failure, store.transaction() as session:
            fill(session)
        assert store_fault(failure.value) is StoreFault.DISK_FULL
        assert amounts(store) == []


@pytest.mark.parametrize("error", [ValueError("wrong"), FileNotFoundError(2, "gone"), errors.UniqueViolation("twice")])
def test_error_of_another_kind_then_the_store_is_not_blamed(error: Exception) -> None:
    assert store_fault(error) is None
