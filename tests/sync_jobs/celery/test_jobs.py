"""The jobs for real: in threads of the node, and as separate worker and beat processes that lose their broker."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from auth.notes import save_key
from infra.roles import Role
from infra.settings import hub_origin
from plants.rules.values.scope import PlantScope
from plants.store.replication.status import replication_status
from sync_jobs.celery.app import build_app
from sync_jobs.celery.embedded import EmbeddedJobs
from sync_jobs.celery.jobs import Job, bind, has_unsent, project, push
from sync_jobs.celery.nudges import Nudges
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from tests.patience import patient, wait_until
from tests.sync_jobs.group import CLOCK, GROUP, Group, column, free_port, receive, stand, valkey

PUSH_SECONDS: Final = 0.2
CELERY: Final = ("-m", "celery", "-A", "sync_jobs.celery.worker")
# Celery's waits between two attempts on its broker, which grow to half a minute each, gone through in no time.
HURRY: Final = (
    "import sys, time, kombu.utils.functional as waits; waits.sleep = lambda seconds: time.sleep(seconds / 1000)\n"
    "from celery.__main__ import main; sys.exit(main())"
)
CELERY_IN_A_HURRY: Final = ("-c", HURRY, "-A", "sync_jobs.celery.worker")
ATTEMPTS: Final = 130  # on a broker that is away: more than an hour of them


@dataclass(frozen=True)
class Seconds:
    """Periods for a test."""

    push_seconds: float = 3600
    checkpoint_seconds: float = 3600
    archive_seconds: float = 3600


def jobs_of(node: PlantNode | HubNode, **seconds: float) -> dict[str, Job]:
    role = Role.PLANT if isinstance(node, PlantNode) else Role.HUB
    return bind(role, Seconds(**seconds), lambda: node)


def is_level(group: Group, node: PlantNode) -> bool:
    return column(node.store, node.number, "acknowledged") == stand(node.store, node.number)[0] and (
        stand(group.hub.node.store, node.number) == stand(node.store, node.number)
    )


def is_projected(group: Group, node: PlantNode) -> bool:
    with group.hub.node.store.reading() as reads:
        (status,) = replication_status(reads, PlantScope(frozenset({node.number})), now=CLOCK.now())
    return status.projected == status.size == stand(node.store, node.number)[0]


def test_embedded_jobs_then_ledgers_travel_and_are_applied(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    node = group.plant(1, "SH1")
    receive(node, 5)
    at_plant = EmbeddedJobs(jobs_of(node, push_seconds=0.5), queue=node.origin)
    at_hub = EmbeddedJobs(jobs_of(group.hub.node, push_seconds=0.5, checkpoint_seconds=1), queue=hub_origin(GROUP))
    with at_hub, at_plant:
        wait_until(lambda: is_level(group, node) and is_projected(group, node))
        receive(node, 5)
        at_plant.ask(push.name)
        wait_until(lambda: is_level(group, node))
        at_hub.ask(project.name)
        wait_until(lambda: is_projected(group, node))
        # HubOpened and PlantEnrolled, and what the hub then witnessed of the plant's ledger.
        wait_until(lambda: column(group.hub.node.store, 0, "checkpoint_size") not in {None, 0, 1, 2})
        began = time.monotonic()
    assert time.monotonic() - began < patient(10)
    receive(node, 1)
    time.sleep(1)
    assert not is_level(group, node), "stopped jobs do nothing"
    assert list(place.iterdir()) == []


def test_nudge_then_quicker_than_the_period(group: Group) -> None:
    node = group.plant(1, "SH1")
    with EmbeddedJobs(jobs_of(node, push_seconds=3600), queue=node.origin) as jobs:
        for _ in range(3):
            receive(node, 2)
            began = time.monotonic()
            jobs.ask(push.name)
            wait_until(lambda: is_level(group, node))
            assert time.monotonic() - began < patient(5)


def test_nothing_unsent_then_no_nudge_is_sent(group: Group) -> None:
    node = group.plant(1, "SH1")
    assert has_unsent(node)
    exchange(node)
    assert not has_unsent(node)
    receive(node)
    group.hub.stop()
    exchange(node)
    assert not has_unsent(node), "the wait after a failure lasts"


def test_broker_down_then_asking_fails_nobody() -> None:
    jobs = {push.name: Job(lambda: False, 1)}
    app = build_app(jobs, queue="q", broker_url=f"redis://127.0.0.1:{free_port()}/0")
    nudges = Nudges(app, jobs)
    began = time.monotonic()
    for _ in range(1000):
        nudges.ask(push.name)
    assert time.monotonic() - began < patient(1)
    wait_until(lambda: nudges.failures > 0)
    nudges.stop()


def test_broker_down_and_back_then_told_once_of_each_and_the_job_is_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_jobs.celery.nudges.RETRY_SECONDS", 0.1)
    wanted, told = [True], list[str | None]()
    jobs = {push.name: Job(lambda: False, 3600, wanted=lambda: wanted[0])}
    with valkey() as broker:
        app = build_app(jobs, queue="q", broker_url=broker.connection_url)
        broker.stop()
        nudges = Nudges(app, jobs, told.append)
        nudges.ask(push.name)
        wait_until(lambda: nudges.failures >= 3)
        assert told == ["OperationalError"]
        wanted[0] = False  # the period has healed it, and nobody asks again.
        broker.start()
        wait_until(lambda: told == ["OperationalError", None])
        nudges.stop()
        with app.connection_for_read() as connection:
            assert connection.SimpleQueue("q").get(timeout=patient(10)).headers["task"] == push.name


def process(
    home: Path, broker: str, database: str, hub_url: str, *arguments: str, celery: Sequence[str] = CELERY
) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "BATCHLOOM_HOME": str(home),
        "BATCHLOOM_BROKER_URL": broker,
        "BATCHLOOM_DATABASE_URL": database,
        "BATCHLOOM_HUB_URL": hub_url,
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    command = [sys.executable, *celery, *arguments]
    with (home / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)


def make_home(node: PlantNode, home: Path) -> None:
    """Write down a plant's keys and settings for processes of its own."""
    (home / "keys").mkdir(parents=True)
    save_key(home / "keys" / "ledger.pem", node.signer.private_key)
    save_key(home / "keys" / "assertion.pem", node.assertion_key.reveal())
    settings = f"""
        role = "plant"
        group = "{GROUP}"
        plant_number = 1
        plant_code = "SH1"
        hub_key = "{node.hub_key}"
        push_seconds = {PUSH_SECONDS}
    """
    (home / "batchloom.toml").write_text(settings)


@pytest.mark.timeout(240)
def test_broker_away_for_more_than_an_hour_then_worker_and_beat_come_back_to_it(group: Group, tmp_path: Path) -> None:
    """Celery gives up after a hundred attempts unless told otherwise, which is after 47 minutes."""
    node, home = group.plant(1, "SH1"), tmp_path / "home"
    make_home(node, home)
    with valkey() as broker:
        place = (home, broker.connection_url, f"sqlite:///{tmp_path / 'SH1.db'}", node.hub_url)
        commands = {"worker": ("--loglevel=WARNING",), "beat": (f"--pidfile={home / 'beat.pid'}",)}
        running = {name: process(*place, name, *more, celery=CELERY_IN_A_HURRY) for name, more in commands.items()}
        try:
            wait_until(lambda: is_level(group, node))
            broker.stop()
            for name, one in running.items():
                log = home / f"{name}.log"
                wait_until(partial(has_tried, one, log))
                assert one.poll() is None, f"the {name} gave up:\n{log.read_text()[-2000:]}"
            # Only now: the worker had taken messages before, and did what they ask.
            receive(node, 3)
            time.sleep(5 * PUSH_SECONDS)
            assert not is_level(group, node)
            broker.start()
            wait_until(lambda: is_level(group, node))
        finally:
            for one in running.values():
                one.terminate()
            codes = [one.wait(patient(30)) for one in running.values()]
            if not broker.is_running():
                broker.start()
    assert codes == [0, 0]


def has_tried(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    """Tell whether a process has asked its broker as often as in more than an hour, or has ended."""
    return process.poll() is not None or log.read_text().count("Connection refused") > ATTEMPTS
