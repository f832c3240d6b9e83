"""Jobs that are due by the store: recorded when they succeed and fail, and begun at once after a restart."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

import migrations
from infra.clock import FixedClock, SystemClock
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import Settings
from plants.store.monitoring.job_runs import JobRun, job_run, job_runs, record_known, record_succeeded
from sync_jobs.celery.app import build_app
from sync_jobs.celery.embedded import EmbeddedJobs
from sync_jobs.celery.jobs import JOBS, Job, bind, job
from sync_jobs.celery.node_jobs import read_successes
from sync_jobs.celery.scheduler import DueScheduler
from sync_jobs.celery.worker_app import worker_app
from sync_jobs.nodes import HubNode
from tests.databases import migrated_database
from tests.patience import patient, wait_until
from tests.sync_jobs.group import Group

NOW: Final = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
HOUR: Final = 3600.0


@dataclass(frozen=True)
class Seconds:
    """Periods for a test."""

    push_seconds: float = HOUR
    checkpoint_seconds: float = HOUR
    archive_seconds: float = HOUR


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    migrations.upgrade(store)
    yield store
    store.close()


def runs(store: Store) -> dict[str, JobRun]:
    with store.reading() as reads:
        return {one.name: one for one in job_runs(reads)}


def scheduled(successes: dict[str, datetime], now: datetime) -> set[str]:
    """Return the jobs that a beat which starts now finds due."""
    app = build_app({"hourly": Job(lambda: False, HOUR)}, queue="q", last_successes=lambda: successes)
    app.now = lambda: now
    scheduler = DueScheduler(app)
    for entry in scheduler.schedule.values():
        entry.schedule.nowfun = lambda: now
    return {name for name, entry in scheduler.schedule.items() if entry.is_due().is_due}


def test_beat_starts_then_a_job_is_due_by_its_last_success() -> None:
    assert scheduled({}, NOW) == {"hourly"}, "never succeeded"
    assert scheduled({"hourly": NOW - timedelta(minutes=61)}, NOW) == {"hourly"}
    assert scheduled({"hourly": NOW - timedelta(minutes=59)}, NOW) == set()
    assert scheduled({"hourly": NOW + timedelta(days=1)}, NOW) == {"hourly"}, "stored under a wrong clock"


def test_clock_is_set_back_while_beat_runs_then_a_job_is_due_at_once() -> None:
    now = [NOW]
    app = build_app({"hourly": Job(lambda: False, HOUR)}, queue="set-back", last_successes=lambda: {"hourly": NOW})
    app.now = lambda: now[0]
    scheduler = DueScheduler(app)
    for entry in scheduler.schedule.values():
        entry.schedule.nowfun = app.now
    with app.connection_for_read() as connection, closing(connection.SimpleQueue("set-back")) as sent:
        for at, count in (
            (NOW + timedelta(minutes=59), 0),
            (NOW - timedelta(days=1), 1),
            (NOW - timedelta(days=1) + timedelta(minutes=59), 1),
            (NOW - timedelta(days=1) + timedelta(minutes=61), 2),
        ):
            now[0] = at
            scheduler.tick()
            assert sent.qsize() == count, at
        sent.clear()


def test_started_again_and_again_then_a_job_with_a_long_period_runs_once_an_hour(group: Group) -> None:
    ran: list[str] = []
    node = replace(group.hub.node, clock=SystemClock())

    def run(_: HubNode) -> bool:
        ran.append("ran")
        return False

    with declared("test.hourly", run), declared("test.often", lambda _: False):
        bound = bind(Role.HUB, Seconds(), lambda: node)
        jobs = {name: bound[name] for name in ("test.hourly", "test.often")}
        for _ in range(3):
            with EmbeddedJobs(jobs, queue="q", last_successes=read_successes(node.store)):
                wait_until(lambda: "test.hourly" in runs(node.store))
                forget(node.store, "test.often")
            with EmbeddedJobs(jobs, queue="q", last_successes=read_successes(node.store)):
                wait_until(lambda: "test.often" in runs(node.store), "what is due has run")
    assert ran == ["ran"]


def forget(store: Store, name: str) -> None:
    """Forget that a job ran, so that it is due at the next start."""
    with store.transaction() as session:
        session.run("DELETE FROM job_runs WHERE name = :name", {"name": name})


@contextmanager
def declared(name: str, run: Callable[[HubNode], bool]) -> Iterator[None]:
    """Declare a job for the length of the block."""
    job(name, Role.HUB, period=lambda _: HOUR)(run)
    yield
    del JOBS[name]


def test_planted_job_then_embedded_and_separate_workers_have_it(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, role=Role.HUB, group="mills.example", broker_url=SecretStr("redis://127.0.0.1:1/0")
    )
    with declared("test.planted", lambda _: False):
        embedded = EmbeddedJobs(bind(Role.HUB, settings, lambda: None), queue="q").app
        separate = worker_app(settings)
        for app in (embedded, separate):
            ours = {name for name in app.tasks if not name.startswith("celery.")}
            assert ours == {one.name for one in JOBS.values() if one.role is Role.HUB}
            assert ours == set(app.conf.beat_schedule)
            assert "test.planted" in ours


def test_job_runs_then_its_success_is_stored_and_at_most_each_minute(group: Group) -> None:
    clock = FixedClock()
    node = replace(group.hub.node, clock=clock)
    with declared("test.quick", lambda _: False):
        quick = bind(Role.HUB, Seconds(), lambda: node)["test.quick"]
        quick.run()
        first = runs(node.store)["test.quick"]
        assert (first.succeeded, first.failures, first.period_ms) == (clock.now(), 0, 3_600_000)
        clock.advance(seconds=59)
        quick.run()
        assert runs(node.store)["test.quick"].succeeded == first.succeeded
        clock.advance(seconds=1)
        quick.run()
        assert runs(node.store)["test.quick"].succeeded == clock.now()
        clock.advance(seconds=-3600)
        quick.run()
        assert runs(node.store)["test.quick"].succeeded == clock.now(), "an instant in the future is no recent success"


def test_job_fails_then_the_failure_is_stored_and_forgotten_after_a_success(group: Group) -> None:
    node = replace(group.hub.node, clock=FixedClock())
    broken = [True]

    def run(_: HubNode) -> bool:
        if broken[0]:
            raise ValueError("no room")
        return False

    with declared("test.failing", run):
        failing = bind(Role.HUB, Seconds(), lambda: node)["test.failing"]
        for times in (1, 2):
            with pytest.raises(ValueError, match="no room"):
                failing.run()
            found = runs(node.store)["test.failing"]
            assert (found.failures, found.error, found.succeeded) == (times, "ValueError: no room", None)
        broken[0] = False
        failing.run()
        found = runs(node.store)["test.failing"]
        assert (found.failures, found.error, found.succeeded) == (0, None, node.clock.now())


@pytest.mark.parametrize(
    "period_seconds, minutes, overdue", [(5, 1.9, False), (5, 2.1, True), (300, 14.9, False), (300, 15.1, True)]
)
def test_no_success_then_overdue_after_three_periods_and_two_minutes(
    store: Store, period_seconds: float, minutes: float, *, overdue: bool
) -> None:
    with store.transaction() as session:
        record_known(session, {"job": period_seconds}, NOW)
    with store.reading() as reads:
        run = job_run(reads, "job")
        assert run is not None
        assert run.is_overdue(NOW + timedelta(minutes=minutes)) is overdue


def test_clock_was_ahead_then_a_success_in_the_future_counts_as_never(store: Store) -> None:
    ahead = NOW + timedelta(days=1)
    with store.transaction() as session:
        record_known(session, {"job": 5}, NOW - timedelta(minutes=1))
        record_succeeded(session, "job", 5, ahead)
    assert runs(store)["job"].last_success(NOW) is None
    assert not runs(store)["job"].is_overdue(NOW)
    assert runs(store)["job"].is_overdue(NOW + timedelta(minutes=2))
    assert runs(store)["job"].last_success(ahead) == ahead


def test_clock_was_ahead_when_a_job_became_known_then_it_is_overdue_until_the_node_starts_again(store: Store) -> None:
    with store.transaction() as session:
        record_known(session, {"job": 5}, NOW + timedelta(days=1))
    assert runs(store)["job"].is_overdue(NOW)
    with store.transaction() as session:
        record_known(session, {"job": 5}, NOW)
    assert not runs(store)["job"].is_overdue(NOW)
    assert runs(store)["job"].is_overdue(NOW + timedelta(minutes=3))


def test_node_and_a_worker_store_the_same_job_first_then_both_succeed(postgres_18: EmbeddedPostgres) -> None:
    with closing(Store(migrated_database(postgres_18))) as store, ThreadPoolExecutor(1) as worker:

        def succeed() -> None:
            with store.transaction() as session:
                record_succeeded(session, "job", 5, NOW + timedelta(minutes=1))

        with store.transaction() as session:
            record_known(session, {"job": 5}, NOW)
            session.flush()
            succeeded = worker.submit(succeed)
            wait_until(lambda: waits_for_a_lock(store), "the worker waits for the node's transaction")
        succeeded.result(patient(10))

        (run,) = runs(store).values()
        assert (run.known_since, run.succeeded, run.period_ms) == (NOW, NOW + timedelta(minutes=1), 5000)


def waits_for_a_lock(store: Store) -> bool:
    with store.reading() as reads:
        return bool(reads.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def test_jobs_of_a_node_change_then_the_others_are_forgotten(store: Store) -> None:
    with store.transaction() as session:
        record_known(session, {"old": 1, "kept": 1}, NOW)
        record_known(session, {"kept": 2, "new": 3}, NOW + timedelta(hours=1))
    assert {name: (one.period_ms, one.known_since) for name, one in runs(store).items()} == {
        "kept": (2000, NOW),
        "new": (3000, NOW + timedelta(hours=1)),
    }
