"""The writer: one thread, groups that commit together, and failures that stay with their caller."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from infra.database import Session, Store
from infra.writer import Writer, WriterClosed
from tests.patience import patient


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/store.db")
    with opened.transaction() as session:
        session.run("CREATE TABLE things (name TEXT PRIMARY KEY)")
    yield opened
    opened.close()


def names(store: Store) -> list[str]:
    with store.transaction() as session:
        return [name for (name,) in session.rows("SELECT name FROM things ORDER BY name")]


def insert(session: Session, name: str) -> str:
    session.run("INSERT INTO things (name) VALUES (:name)", {"name": name})
    return name


def test_a_result_is_given_out_after_the_commit(store: Store) -> None:
    commits: list[list[str]] = []
    writer = Writer(store, committed=lambda: commits.append(names(store)))

    assert writer.write(lambda session: insert(session, "a")) == "a"
    writer.close()

    assert commits == [["a"]]


def test_what_waits_is_committed_together_and_a_failure_is_undone_alone(store: Store) -> None:
    commits: list[None] = []
    writer = Writer(store, committed=lambda: commits.append(None))
    started, gate = threading.Event(), threading.Event()

    def hold_up(session: Session) -> str:
        started.set()
        gate.wait(patient(10))
        return insert(session, "a")

    first = writer.submit(hold_up)
    started.wait(patient(10))
    waiting = [writer.submit(partial(insert, name=name)) for name in ("b", "c", "b", "d")]
    gate.set()

    assert first.result() == "a"
    assert [future.exception() is None for future in waiting] == [True, True, False, True]
    writer.close()

    assert names(store) == ["a", "b", "c", "d"]
    assert len(commits) == 2


def test_a_lone_failure_leaves_nothing(store: Store) -> None:
    writer = Writer(store)

    def fail(session: Session) -> None:
        insert(session, "a")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        writer.write(fail)
    writer.close()

    assert names(store) == []


def test_a_closed_writer_takes_nothing_and_has_finished_what_waited(store: Store) -> None:
    writer = Writer(store)
    futures = [writer.submit(partial(insert, name=str(n))) for n in range(200)]
    writer.close()

    assert all(future.done() for future in futures)
    assert len(names(store)) == 200
    with pytest.raises(WriterClosed):
        writer.submit(lambda session: insert(session, "late"))
