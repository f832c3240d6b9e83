"""The hub's projection process applies stored entries, survives a kill, and ends with its parent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.database import Store
from migrations import upgrade
from plants.store.replication import leases
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection import process
from sync_jobs.projection.process import PROCESS_HOLDER, ProjectionFailed, ProjectionProcess
from sync_jobs.projection.projecting import project_behind
from tests.patience import patient, wait_until
from tests.sync_jobs.group import CLOCK, Group, receive
from tests.sync_jobs.projection.test_projecting import contents_of, faults, projected, write_raw


@pytest.fixture
def projection(group: Group) -> Iterator[ProjectionProcess]:
    running = ProjectionProcess(group.hub.node.store, CLOCK)
    yield running
    running.stop()


def pid_of(projection: ProjectionProcess) -> int:
    assert projection.process_id is not None
    return projection.process_id


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_to_apply_then_no_process(group: Group, projection: ProjectionProcess) -> None:
    assert not projection.project()
    assert projection.process_id is None
    assert group.hub.node.store.dialect == "postgresql"


def test_entries_taken_in_then_applied_beside_as_at_the_plants(group: Group, projection: ProjectionProcess) -> None:
    nodes = [group.plant(1, "SH1"), group.plant(2, "SZ2"), group.plant(3, "GZ3")]
    hub = group.hub.node.store
    served = set()
    for _ in range(2):
        for node in nodes:
            receive(node, 20 + node.number)
            exchange(node)
        assert not projection.project(), "all of it was applied"
        for node in nodes:
            assert contents_of(hub, node.number) == contents_of(node.store, node.number)
        served.add(pid_of(projection))
    assert len(served) == 1, "one process serves every turn"
    assert os.getpid() not in served


def test_poison_then_it_parks_as_it_does_in_the_hub_itself(group: Group, projection: ProjectionProcess) -> None:
    node = group.plant(1, "SH1")
    (received,) = receive(node, 1)
    batch = received.payload["batches"][0]["id"]
    broken = write_raw(node, "BatchMoved", "elsewhere", {"movements": [{"batch": batch}]})
    receive(node, 3)
    exchange(node)
    projection.project()
    assert faults(group, 1) == [(1, broken.index, True)]
    assert projected(group.hub.node.store, 1)[0] == projected(group.hub.node.store, 1)[1]


def test_process_killed_then_another_goes_on_at_once(group: Group, projection: ProjectionProcess) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node.store
    exchange(node)
    projection.project()
    first = pid_of(projection)
    receive(node, 5)
    exchange(node)
    # A process that is killed in a slice leaves its lease behind.
    with hub.transaction() as session:
        assert leases.take(session, "project/1", PROCESS_HOLDER, now=CLOCK.now()) is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ProjectionFailed):
        projection.project()
    assert projected(hub, 1) == (8, 3)
    projection.project()
    assert pid_of(projection) != first
    assert projected(hub, 1) == (8, 8)
    assert contents_of(hub, 1) == contents_of(node.store, 1)


def test_signals_of_a_stopping_service_then_it_ends_when_the_node_says_so(
    group: Group, projection: ProjectionProcess
) -> None:
    exchange(group.plant(1, "SH1"))
    projection.start()
    pid = pid_of(projection)
    for each in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, each)
    projection.project()
    assert projected(group.hub.node.store, 1) == (3, 3)
    began = time.monotonic()
    projection.stop()
    assert time.monotonic() - began < patient(10)
    assert not is_running(pid)


def stop_in_a_slice(group: Group, projection: ProjectionProcess) -> int:
    """Leave entries to apply to a process that the kernel has stopped; returns its id."""
    node = group.plant(1, "SH1")
    exchange(node)
    projection.project()
    receive(node, 2)
    exchange(node)
    os.kill(pid_of(projection), signal.SIGSTOP)
    return pid_of(projection)


def test_process_hangs_then_it_is_replaced_after_its_time(
    group: Group, projection: ProjectionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = stop_in_a_slice(group, projection)
    with monkeypatch.context() as patch:
        patch.setattr(process, "ANSWER_SECONDS_MAX", 0.5)
        with pytest.raises(ProjectionFailed):
            projection.project()
    assert not is_running(hanging)
    assert projected(group.hub.node.store, 1) == (5, 3)
    assert not projection.project()
    assert projected(group.hub.node.store, 1) == (5, 5)


def test_process_hangs_and_the_node_stops_then_it_is_killed_and_nothing_is_applied_any_more(
    group: Group, projection: ProjectionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS_MAX", 0.5)
    hanging = stop_in_a_slice(group, projection)
    with ThreadPoolExecutor(1) as job:
        waiting = job.submit(projection.project)
        wait_until(projection._turn.locked, "the job waits for an answer")  # noqa: SLF001 -- nothing else shows it.
        began = time.monotonic()
        projection.stop()
        assert time.monotonic() - began < patient(10)
        assert waiting.result(patient(10)) is False, "a stop is no failure of the job"
    assert not is_running(hanging)
    assert not projection.project()
    assert projection.process_id is None
    assert projected(group.hub.node.store, 1) == (5, 3)


STARTER = """
import sys, time
from infra.clock import SystemClock
from infra.database import Store
from sync_jobs.projection.process import ProjectionProcess
projection = ProjectionProcess(Store(sys.stdin.readline().strip()), SystemClock())
projection.start()
print(projection.process_id, flush=True)
time.sleep(600)
"""


def test_node_killed_then_the_process_beside_ends_with_it(group: Group) -> None:
    url = group.hub.node.store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        node.stdin.write(url + "\n")
        node.stdin.flush()
        pid = int(node.stdout.readline())
        assert is_running(pid)
        assert url not in _arguments(pid)
        node.kill()
    wait_until(lambda: not is_running(pid) or _is_zombie(pid), "the process has ended")


def test_node_killed_while_it_waits_for_an_answer_then_one_line_in_the_log(group: Group) -> None:
    url = group.hub.node.store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-P", "-m", "sync_jobs.projection.process"]
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{json.dumps({'url': url})}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        process.stdin.write(b"project\n")
        process.stdin.close()
        said = process.stderr.read().decode()
    assert [line.partition(" WARNING ")[2] for line in said.splitlines()] == [
        "__main__ the node of this projection process was killed, so the process ends"
    ]


def test_several_plants_at_once_then_the_tables_are_those_of_one_by_one(group: Group) -> None:
    nodes = [group.plant(number, f"P{number:02d}") for number in range(1, 6)]
    for node in nodes:
        receive(node, 10 * node.number)
        exchange(node)
    hub = group.hub.node.store
    assert project_behind(hub, CLOCK, "test", at_once=3) == sum(10 * node.number + 3 for node in nodes)
    for node in nodes:
        assert contents_of(hub, node.number) == contents_of(node.store, node.number)


def test_hub_on_sqlite_then_applied_in_its_own_process(group: Group) -> None:
    node = group.plant(1, "SH1")
    with closing(Store(f"sqlite:///{group.folder / 'hub.db'}")) as store:
        upgrade(store)
        projection = ProjectionProcess(store, CLOCK)
        assert not projection.project()
        assert projection.process_id is None
    assert node.store.dialect == "sqlite"


def _arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
