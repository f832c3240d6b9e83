"""Real processes that are suspended, lose their database, or have a wrong clock: late, never lost."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest

from infra.messages import StoredMessage
from tests.patience import Limit, wait_until
from tests.scenarios.faults.clocks import wrong_clock
from tests.scenarios.preparing import PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import HUB, Group, Person, Process
from tests.scenarios.shop_floor import check_equal, has_receipt, receive, wait_level
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(400)

CELERY: Final = (sys.executable, "-m", "celery", "-A", "sync_jobs.celery.worker")
LEASE_SECONDS: Final = 30
DAY_SECONDS: Final = 86_400


@pytest.fixture(scope="module")
def floor(prepared: Prepared, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A group that runs; the jobs of SH1 are in a worker and a beat of their own."""
    more = {"SH1": {"BATCHLOOM_BROKER_URL": f"{valkey_url}/5"}}
    with copy_group(prepared, tmp_path_factory.mktemp("faults"), more) as group:
        group.start()
        schedule = f"--schedule={group.nodes['SH1'].home / 'beat'}"
        group.aside("worker", "SH1", *CELERY, "worker", "--loglevel=WARNING")
        group.aside("beat", "SH1", *CELERY, "beat", schedule, "--pidfile=")
        yield group


def test_worker_and_plant_stand_still_then_go_on_with_a_stale_lease(floor: Group) -> None:
    """The worker is stopped for longer than its lease; another does its work, which the first must not undo."""
    wang = floor.at("SH1", WANG)
    wait_level(floor)
    stopped = floor.others["worker"]
    for _ in range(30):
        receive(wang)
    stand_still(floor, stopped)
    began = time.monotonic()
    try:
        stale_lease(floor, wang, began)
    finally:
        stopped.tell(signal.SIGCONT)
    size = stand(floor.store("SH1"), PLANTS["SH1"])[0]
    for _ in range(5):
        receive(wang)
    wait_until(partial(has_receipt, floor, "SH1", size + 5), "both workers live together")
    floor.others["second worker"].stop()
    wait_level(floor)
    check_equal(floor)


def stand_still(group: Group, worker: Process) -> None:
    """Stop a worker of SH1 at a moment at which it does not write: one that does holds the store, which is no lease."""
    path = str(group.nodes["SH1"].home / "plant.db")
    while True:
        worker.tell(signal.SIGSTOP)
        with closing(sqlite.connect(path, timeout=1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite.OperationalError:
                worker.tell(signal.SIGCONT)
                time.sleep(0.2)
            else:
                return


def stale_lease(floor: Group, wang: Person, began: float) -> None:
    """Write on, have the plant stand still too, and a second worker take over before the first one's lease is old."""
    for _ in range(10):
        receive(wang)
    plant = floor.nodes["SH1"].process
    plant.tell(signal.SIGSTOP)
    time.sleep(1)
    plant.tell(signal.SIGCONT)
    receive(wang)
    size = stand(floor.store("SH1"), PLANTS["SH1"])[0]
    floor.aside("second worker", "SH1", *CELERY, "worker", "--loglevel=WARNING", "--hostname=second@%h")
    wait_until(partial(has_receipt, floor, "SH1", size), "the second worker takes over")
    time.sleep(max(0.0, LEASE_SECONDS + 1 - (time.monotonic() - began)))


def test_hub_loses_its_connections_in_the_middle_then_nothing_is_lost_or_doubled(
    floor: Group, prepared: Prepared
) -> None:
    database = floor.nodes[HUB].database_url.rpartition("/")[2].partition("?")[0]
    people = [floor.at(code, WANG) for code in PLANTS]
    cut = 0
    with psycopg.connect(prepared.server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        limit = Limit(4)
        while limit.left() > 0:
            for person in people:
                receive(person)
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [database],
            ).fetchone()
            cut += ended[0] if ended else 0
    assert cut > 5
    floor.forget_store(HUB)
    wait_level(floor)
    check_equal(floor)


@pytest.mark.parametrize("days", [-1, 400])
def test_clock_of_a_plant_is_wrong_then_it_works_on_and_says_so_until_it_is_right(floor: Group, days: int) -> None:
    wrong = wrong_clock(floor.folder, days * DAY_SECONDS)
    wait_level(floor)
    node, before = floor.nodes["SZ2"], dict(floor.nodes["SZ2"].process.environment)
    floor.stop("SZ2")
    node.process.environment |= wrong
    try:
        floor.start("SZ2")
        person = fresh(floor)
        size = stand(floor.store("SZ2"), PLANTS["SZ2"])[0]
        receive(person)
        assert stand(floor.store("SZ2"), PLANTS["SZ2"])[0] >= size + 1
        wait_until(partial(says_clock, floor), "the plant says that its clock is wrong")
    finally:
        floor.stop("SZ2")
        node.process.environment = before
    floor.start("SZ2")
    person = fresh(floor)
    receive(person)
    wait_level(floor)
    check_equal(floor)


def fresh(group: Group) -> Person:
    """Sign in again at SZ2: a token of another time is worth nothing."""
    group.forget_person("SZ2", WANG)
    return group.at("SZ2", WANG)


def says_clock(group: Group) -> bool:
    with group.store("SZ2").transaction() as session:
        rows = session.rows(
            "SELECT alarm, alarm_code, alarm_data FROM replication WHERE log_id = 2 AND alarm IS NOT NULL"
        )
    alarms = [StoredMessage(text, code, json.loads(data)) for text, code, data in rows]
    return any("clock" in alarm.word("en") and "时钟" in alarm.word("zh") for alarm in alarms)
