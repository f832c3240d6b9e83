"""Threads that end by themselves: started again, told of, and not ready meanwhile."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from celery.worker import WorkController

from infra.settings import hub_origin
from infra.writer import Writer
from plants.store.monitoring.alarms import AlarmKind, alarms, end_alarm, raise_alarm
from plants.store.monitoring.job_runs import record_known, record_succeeded
from sync_jobs.celery import embedded as embedded_jobs
from sync_jobs.celery import supervision
from sync_jobs.celery.app import build_app
from sync_jobs.celery.embedded import EmbeddedJobs
from sync_jobs.celery.jobs import Job
from sync_jobs.celery.monitor import JobMonitor, broker_away, workers_answer
from sync_jobs.celery.supervision import SupervisedThread
from tests.factories import Plant, plant_store
from tests.patience import patient, wait_until
from tests.sync_jobs.group import valkey

HOUR: Final = 3600.0


def test_work_raises_and_returns_then_it_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "WAIT_SECONDS_MIN", 0.01)
    begun: list[str] = []
    going = threading.Event()

    def work() -> None:
        begun.append("begun")
        if len(begun) == 1:
            raise SystemExit("the first one")
        if len(begun) == 3:
            going.set()
            thread.stopping.wait()

    thread = SupervisedThread("work", work)
    assert not thread.is_running
    thread.start()
    assert going.wait(patient(10))
    assert (begun, thread.is_running) == (["begun"] * 3, True)
    assert thread.recent_failure() == "it returned"
    thread.stop(patient(10))
    assert not thread.is_running


def test_worker_and_beat_end_inside_a_node_then_both_are_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "WAIT_SECONDS_MIN", 0.2)
    ran: list[str] = []

    def run() -> bool:
        ran.append("ran")
        return False

    jobs = {"job": Job(run, 0.2)}
    with EmbeddedJobs(jobs, queue="q") as embedded:
        wait_until(lambda: ran)
        assert all(one.is_running for one in embedded.threads)
        for end in (embedded._end_worker, embedded._end_beat):  # noqa: SLF001 -- as if it had ended by itself.
            end()
            wait_until(lambda: not all(one.is_running for one in embedded.threads), "it is noticed")
            wait_until(lambda: all(one.is_running for one in embedded.threads), "it is started again")
            ran.clear()
            wait_until(lambda: ran)


def test_job_hangs_then_stopping_waits_for_it_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_jobs, "STOP_SECONDS_MAX", 0.5)
    began, released = threading.Event(), threading.Event()

    def run() -> bool:
        began.set()
        return not released.wait(patient(60))

    jobs = EmbeddedJobs({"job": Job(run, HOUR)}, queue="q")
    jobs.start()
    try:
        assert began.wait(patient(10))
        asked = time.monotonic()
        jobs.stop()
        assert time.monotonic() - asked < patient(10)
    finally:
        released.set()
    wait_until(lambda: not any(one.is_running for one in jobs.threads))


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = plant_store(tmp_path)
    yield plant
    plant.close()


@pytest.fixture
def writer(plant: Plant) -> Iterator[Writer]:
    with closing(Writer(plant.store)) as writer:
        yield writer


def open_kinds(plant: Plant) -> set[tuple[str, str]]:
    with plant.store.reading() as reads:
        return {(one.kind, one.about) for one in alarms(reads)}


def test_job_overdue_and_thread_ended_then_alarms_that_end_with_the_reason(plant: Plant, writer: Writer) -> None:
    ended = SupervisedThread("ended", lambda: None)
    ended.start()
    wait_until(ended.recent_failure)
    monitor = JobMonitor(plant.store, writer, plant.clock, {"job": Job(lambda: False, HOUR)}, threads=[ended])
    with plant.store.transaction() as session:
        record_known(session, {"job": 1}, plant.clock.now().replace(year=2020))
    monitor.look()
    assert open_kinds(plant) == {(AlarmKind.JOB_OVERDUE, "job"), (AlarmKind.THREAD_ENDED, "ended")}
    ended.stop(patient(5))
    ended._ended = None  # noqa: SLF001 -- a minute later.
    with plant.store.transaction() as session:
        record_known(session, {}, plant.clock.now())
        record_known(session, {"job": HOUR}, plant.clock.now())
    monitor.look()
    assert open_kinds(plant) == set()


def test_store_fails_then_the_monitor_goes_on_and_raises_later(
    plant: Plant, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"job": Job(lambda: False, HOUR)}
    monitor = JobMonitor(plant.store, writer, plant.clock, given, threads=[], look_seconds=0.01)
    monitor.start()
    try:
        with plant.store.transaction() as session:
            session.run("ALTER TABLE alarms RENAME TO alarms_away")
        caplog.clear()
        wait_until(lambda: caplog.text.count("the jobs could not be looked at: OperationalError") > 2)
        assert (monitor.thread.is_running, monitor.thread.recent_failure()) == (True, None)
        plant.clock.advance(hours=4)
        with plant.store.transaction() as session:
            session.run("ALTER TABLE alarms_away RENAME TO alarms")
        wait_until(lambda: open_kinds(plant) == {(AlarmKind.JOB_OVERDUE, "job")})
    finally:
        monitor.stop()


def test_job_overdue_at_a_node_with_a_broker_then_its_alarm_names_the_beat(
    plant: Plant, writer: Writer, valkey_url: str
) -> None:
    app = build_app({}, queue=hub_origin("none.example"), broker_url=valkey_url)
    with plant.store.transaction() as session:
        record_succeeded(session, "job", 1, plant.clock.now().replace(year=2020))
    jobs = {"job": Job(lambda: False, 1)}
    for broker, named in ((app, True), (None, False)):
        with plant.store.transaction() as session:
            end_alarm(session, AlarmKind.JOB_OVERDUE, "job", plant.clock.now())
        JobMonitor(plant.store, writer, plant.clock, jobs, threads=[], app=broker).look()
        with plant.store.reading() as reads:
            (text,) = [one.text for one in alarms(reads) if one.kind == AlarmKind.JOB_OVERDUE]
        assert ("batchloom beat" in text) is named
        assert re.search(r"success: 2020-\d\d-\d\dT\d\d:\d\d:\d\dZ\.", text), text


def test_broker_without_a_worker_then_an_alarm(plant: Plant, writer: Writer, valkey_url: str) -> None:
    app = build_app({}, queue=hub_origin("none.example"), broker_url=valkey_url)
    assert workers_answer(app) is False
    monitor = JobMonitor(plant.store, writer, plant.clock, {}, threads=[], app=app)
    monitor.look()
    assert open_kinds(plant) == set(), "one unanswered ping may be a busy worker"
    monitor.look()
    assert open_kinds(plant) == {(AlarmKind.WORKERS_MISSING, "workers")}
    JobMonitor(plant.store, writer, plant.clock, {}, threads=[], app=app).look()
    assert open_kinds(plant) == {(AlarmKind.WORKERS_MISSING, "workers")}


def test_broker_away_and_back_then_only_its_own_alarm_which_ends(plant: Plant, writer: Writer) -> None:
    with valkey() as server:
        app = build_app({}, queue="q", broker_url=server.connection_url)
        monitor = JobMonitor(plant.store, writer, plant.clock, {}, threads=[], app=app)
        server.stop()
        assert workers_answer(app) is None
        for _ in range(3):
            monitor.look()
            assert open_kinds(plant) == {(AlarmKind.BROKER_FAILING, "broker")}, "nobody knows of its workers"
        server.start()
        monitor.look()
        assert open_kinds(plant) == set()


def test_broker_hangs_then_the_monitor_says_so_in_time(plant: Plant, writer: Writer) -> None:
    with valkey() as server:
        app = build_app({}, queue="q", broker_url=server.connection_url)
        monitor = JobMonitor(plant.store, writer, plant.clock, {}, threads=[], app=app)
        pid = server.client().info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            monitor.look()
            assert time.monotonic() - began < patient(30)
            assert open_kinds(plant) == {(AlarmKind.BROKER_FAILING, "broker")}
        finally:
            os.kill(pid, signal.SIGCONT)


def test_broker_failed_and_jobs_run_inside_the_node_now_then_the_alarm_ends(plant: Plant, writer: Writer) -> None:
    with plant.store.transaction() as session:
        raise_alarm(session, broker_away("OperationalError"), plant.clock.now())
    JobMonitor(plant.store, writer, plant.clock, {}, threads=[]).look()
    assert open_kinds(plant) == set()


def test_worker_of_another_node_at_the_same_broker_then_it_does_not_answer_for_this_one(valkey_url: str) -> None:
    apps = {name: build_app({}, queue=name, broker_url=valkey_url) for name in ("one", "other")}
    for app in apps.values():
        app.conf.broker_transport_options = {}  # a broker that knows no prefix of keys, as RabbitMQ.
    worker = WorkController(app=apps["other"], hostname="jobs@other", pool_cls="solo", concurrency=1)
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    try:
        wait_until(lambda: workers_answer(apps["other"]))
        assert workers_answer(apps["one"]) is False
    finally:
        worker.stop()
        thread.join(patient(20))


def test_work_ran_for_long_then_the_wait_is_short_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "WAIT_SECONDS_MIN", 0.01)
    monkeypatch.setattr(supervision, "WAIT_SECONDS_MAX", 3600.0)
    monkeypatch.setattr(supervision, "RECENT_SECONDS", 0.0)
    begun: list[str] = []

    def work() -> None:
        begun.append("begun")

    thread = SupervisedThread("work", work)
    thread.start()
    wait_until(lambda: len(begun) > 30, "thirty doublings would take a year")
    thread.stop(patient(10))
