"""Stores: refused addresses, guarantees of a transaction, and equal SQL on both databases."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import text

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.sqlite_engine import StoreUnfit, check_sqlite_version
from tests.databases import fresh_database


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = Store(f"sqlite:///{tmp_path}/store.db")
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        opened = Store(fresh_database(server))
    with opened.transaction() as session:
        session.run("CREATE TABLE things (name TEXT PRIMARY KEY, amount BIGINT NOT NULL)")
    yield opened
    opened.close()


def names(store: Store) -> list[str]:
    with store.reading() as reads:
        return [name for (name,) in reads.connection().execute(text("SELECT name FROM things ORDER BY name"))]


def add(name: str) -> tuple[str, dict[str, object]]:
    return "INSERT INTO things (name, amount) VALUES (:name, :amount)", {"name": name, "amount": 1}


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="stop"), store.transaction() as session:
        session.run(*add("a"))
        raise RuntimeError("stop")

    assert names(store) == []


def test_a_savepoint_that_raises_leaves_what_came_before(store: Store) -> None:
    with store.transaction() as session:
        session.run(*add("a"))
        with pytest.raises(RuntimeError, match="stop"), session.savepoint():
            session.run(*add("b"))
            raise RuntimeError("stop")
        session.run(*add("c"))

    assert names(store) == ["a", "c"]


def test_parameters_and_percent_signs_mean_the_same_on_both(store: Store) -> None:
    with store.transaction() as session:
        session.run(*add("50% :off"))
        found = session.rows("SELECT name FROM things WHERE name LIKE '50%' AND amount = :amount", {"amount": 1})
        touched = session.run("UPDATE things SET amount = amount + :more", {"more": 2})
        row = session.row("SELECT name, amount FROM things")

    assert (found, touched, row) == ([("50% :off",)], 1, ("50% :off", 3))


def test_a_snapshot_does_not_see_what_is_committed_later(store: Store) -> None:
    with store.reading() as reads:
        before = reads.connection().execute(text("SELECT count(*) FROM things")).scalar_one()
        with store.transaction() as session:
            session.run(*add("a"))
        after = reads.connection().execute(text("SELECT count(*) FROM things")).scalar_one()

    assert (before, after, names(store)) == (0, 0, ["a"])


def test_writers_in_several_threads_wait_for_each_other(store: Store) -> None:
    with store.transaction() as session:
        session.run(*add("sum"))

    def raise_by_one() -> None:
        for _ in range(25):
            with store.transaction() as session:
                session.run("UPDATE things SET amount = amount + 1 WHERE name = 'sum'")

    threads = [threading.Thread(target=raise_by_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.transaction() as session:
        assert session.row("SELECT amount FROM things") == (101,)


def test_a_sqlite_store_is_in_wal_mode_with_full_synchronisation(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    with store.transaction() as session:
        assert session.row("PRAGMA journal_mode") == ("wal",)
        assert session.row("PRAGMA synchronous") == (2,)
    store.close()


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 44, 5), (3, 45, 9), (3, 50, 6), (3, 51, 2)])
def test_a_sqlite_that_can_corrupt_a_store_is_refused(version: tuple[int, int, int]) -> None:
    with pytest.raises(StoreUnfit, match="WAL-reset"):
        check_sqlite_version(version)


@pytest.mark.parametrize("version", [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 4), (4, 0, 0)])
def test_a_fixed_sqlite_is_taken(version: tuple[int, int, int]) -> None:
    check_sqlite_version(version)


MALFORMED = ("postgresql://bob:hunter2@[::1/x", "postgresql://bob:hunter2@localhost:notaport/x")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x", "no address", "", *MALFORMED]
)
def test_a_store_that_is_not_kept_or_not_known_is_refused(url: str) -> None:
    with pytest.raises(StoreUnfit) as failure:
        Store(url)
    assert "hunter2" not in str(failure.value)


def test_failed_transaction_is_let_go_while_another_one_reads_then_no_row_comes_twice(tmp_path: Path) -> None:
    """The traceback keeps a session as long as the error, and any thread may release it.

    A cursor that goes resets its statement, which the driver may have given to another cursor in the meantime.
    """
    sql = "SELECT name FROM things ORDER BY name"
    kept: list[RuntimeError] = []

    def fail(store: Store) -> None:
        with store.transaction() as session:
            assert session.row(sql) == ("a",)
            raise RuntimeError

    with closing(Store(f"sqlite:///{tmp_path}/store.db")) as store:
        with store.transaction() as session:
            session.run("CREATE TABLE things (name TEXT PRIMARY KEY)")
            session.run_many("INSERT INTO things (name) VALUES (:name)", [{"name": name} for name in "abc"])
        try:
            fail(store)
        except RuntimeError as error:
            kept.append(error)
        with store.transaction() as session:
            cursor = session.driver.cursor()
            assert cursor.execute(sql, {}).fetchone() == ("a",)
            kept.clear()
            assert cursor.fetchall() == [("b",), ("c",)]


def test_many_other_statements_ran_before_then_a_repeated_statement_is_prepared_once(tmp_path: Path) -> None:
    prepared: list[str] = []

    def note(_action: int, table: str | None, *_others: str | None) -> int:
        prepared.extend([table] if table == "things" else [])
        return 0  # SQLITE_OK

    with closing(Store(f"sqlite:///{tmp_path}/store.db")) as store:
        with store.transaction() as session:
            session.run("CREATE TABLE things (name TEXT PRIMARY KEY, amount BIGINT NOT NULL)")
            for number in range(500):
                session.rows(f"SELECT {number}")
            session.driver.set_authorizer(note)
            for name in ("a", "b", "c"):
                session.run(*add(name))
                assert session.rows("SELECT count(*) AS all_of_them FROM things")
        assert prepared == ["things", "things"]  # the INSERT and the SELECT
