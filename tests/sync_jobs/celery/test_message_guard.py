"""Messages that no node sent, at a real broker: a real worker rejects each, tells of it once, and goes on."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from kombu.connection import Connection

from sync_jobs.celery.app import build_app, nudge
from sync_jobs.celery.jobs import Job, push
from sync_jobs.celery.monitor import JobMonitor
from sync_jobs.nodes import PlantNode
from tests.patience import patient, wait_until
from tests.scenarios.processes import BATCHLOOM
from tests.sync_jobs.celery.test_jobs import is_level, make_home, process
from tests.sync_jobs.group import Group, receive, valkey

Change = Callable[[dict[str, Any]], object]
BODY: Final = [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
CHAINED: Final = {"chain": [{"task": push.name, "args": [], "kwargs": {}, "options": {}}]}


@contextmanager
def raw_access(url: str) -> Iterator[Any]:
    """Yield a client of the broker's own protocol, as Kombu has it."""
    with Connection(url) as connection:  # type: ignore[no-untyped-call]  # Kombu has no types.
        yield connection.default_channel.client


def well_formed(queue: str) -> dict[str, Any]:
    """Return a message as a node sends it, in the form of Kombu's Redis transport."""
    headers: dict[str, Any] = {
        "lang": "py", "task": push.name, "id": "an-id", "root_id": "an-id", "parent_id": None, "group": None,
        "shadow": None, "eta": None, "expires": None, "retries": 0, "timelimit": [None, None], "argsrepr": "()",
        "kwargsrepr": "{}", "origin": "test", "ignore_result": True, "stamped_headers": None, "stamps": {},
    }  # fmt: skip
    return {
        "body": encoded(BODY), "content-type": "application/json", "content-encoding": "utf-8", "headers": headers,
        "properties": {
            "correlation_id": "an-id", "reply_to": "a-reply", "delivery_mode": 2, "priority": 0,
            "delivery_info": {"exchange": queue, "routing_key": queue}, "body_encoding": "base64",
            "delivery_tag": "a-tag",
        },
    }  # fmt: skip


def encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def with_body(body: Any) -> Change:
    return lambda message: message.update(body=encoded(body))


def with_header(name: str, value: Any) -> Change:
    return lambda message: message["headers"].update({name: value})


def with_property(name: str, value: Any) -> Change:
    return lambda message: message["properties"].update({name: value})


def with_part(name: str, value: Any) -> Change:
    return lambda message: message.update({name: value})


BODIES: Final[tuple[Any, ...]] = (
    None, 7, "x", {}, [], [[], {}], [[1, 2], {}, {}], [[], {"a": 1}, {}], [[], {}, 5],
)  # fmt: skip
CHANGES: Final[dict[str, Change]] = {
    **{f"body {body!r}": with_body(body) for body in BODIES},
    "chained": with_body([[], {}, CHAINED]),
    "body is no base64": with_part("body", "@@@"),
    "body is no text": with_part("body", {"a": 1}),
    "body is no JSON": with_part("body", base64.b64encode(b"{").decode()),
    "body of pickle": with_part("content-type", "application/x-python-serialize"),
    "content type": with_part("content-type", ["x"]),
    "headers are a list": with_part("headers", [1]),
    "no headers": with_part("headers", None),
    "compression": with_header("compression", ["x"]),
    **{f"id {one!r}": with_header("id", one) for one in (None, 5, [1])},
    **{f"task {one!r}": with_header("task", one) for one in (None, ["a"], "os.system", "celery.backend_cleanup")},
    **{f"timelimit {one!r}": with_header("timelimit", one) for one in (["x", "y"], [0.001, 0.001], 5, [1])},
    **{f"{name} is a list": with_header(name, [[1]]) for name in ("root_id", "shadow", "group", "stamps", "expires")},
    "expires": with_header("expires", "never"),
    "eta": with_header("eta", "2999-01-01T00:00:00"),
    "retries": with_header("retries", "x"),
    "no properties": with_part("properties", None),
    "body encoding": with_property("body_encoding", "rot13"),
    "correlation": with_property("correlation_id", [1]),
    "delivery tag": with_property("delivery_tag", [1]),
    "delivery info": with_property("delivery_info", None),
    "exchange": with_property("delivery_info", {"exchange": [1], "routing_key": {}}),
}
RAW: Final[tuple[str | bytes, ...]] = (
    "garbage", "5", "null", "[]", "", b"\xff\xfe", "[" * 100_000, '{"__type__": ["a"], "__value__": 1}',
)  # fmt: skip


@contextmanager
def worker(node: PlantNode, folder: Path, broker_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of a plant, started by the command, that takes messages; its output goes to `worker.log`."""
    database_url = f"sqlite:///{folder.parent / 'SH1.db'}"
    running = process(
        folder, broker_url, database_url, node.hub_url, "worker", "--loglevel=INFO", celery=(str(BATCHLOOM),)
    )
    try:
        wait_until(lambda: running.poll() is not None or "ready." in log_of(folder), "the worker is ready")
        yield running
    finally:
        running.kill()
        running.wait()


def log_of(home: Path) -> str:
    return (home / "worker.log").read_text(errors="replace")


@pytest.mark.timeout(240)
def test_messages_of_strangers_then_each_is_rejected_once_and_the_worker_goes_on(group: Group, tmp_path: Path) -> None:
    node, home = group.plant(1, "SH1"), tmp_path / "home"
    make_home(node, home)
    with valkey() as broker, raw_access(broker.connection_url) as redis:
        key = f"batchloom:{node.origin}:{node.origin}"
        messages = [well_formed(node.origin) for _ in CHANGES]
        for change, message in zip(CHANGES.values(), messages, strict=True):
            change(message)
        strange = [*RAW, *map(json.dumps, messages)]
        with worker(node, home, broker.connection_url) as running:
            for count, one in enumerate(strange, 1):
                redis.lpush(key, one)
                told = f"rejected ({count} so far)"
                wait_until(partial(has_told, running, home, told), f"{one[:300]!r} is rejected", seconds=10)
                assert running.poll() is None, f"{one[:300]!r} ended the worker:\n{log_of(home)[-3000:]}"
            assert redis.hlen(f"batchloom:{node.origin}:unacked") == 0, "none of them returns to the queue"
            receive(node, 3)
            jobs = {push.name: Job(lambda: False, 3600)}
            app = build_app(jobs, queue=node.origin, broker_url=broker.connection_url)
            nudge(app, push.name, jobs[push.name])
            wait_until(lambda: is_level(group, node))
            monitor = JobMonitor(node.store, node.writer, node.clock, {}, threads=[], app=app)
            for _ in range(2):
                wait_until(partial(has_counted, monitor), "the node counts them")
                assert monitor.messages_rejected == len(strange)
            running.terminate()
            assert running.wait(patient(60)) == 0
    log = log_of(home)
    assert log.count("was rejected") == len(strange)
    assert "Traceback" not in log


def has_counted(monitor: JobMonitor) -> bool:
    monitor.look()
    return monitor.messages_rejected > 0


def has_told(running: "subprocess.Popen[bytes]", home: Path, told: str) -> bool:
    return running.poll() is not None or told in log_of(home)


@pytest.mark.timeout(120)
def test_worker_ends_by_an_error_then_its_exit_status_says_so(group: Group, tmp_path: Path) -> None:
    node, home = group.plant(1, "SH1"), tmp_path / "home"
    make_home(node, home)
    with valkey() as broker, raw_access(broker.connection_url) as redis:
        redis.set(f"batchloom:{node.origin}:{node.origin}", "a text where a list is needed")
        with worker(node, home, broker.connection_url) as running:
            assert running.wait(patient(60)) == 1, log_of(home)[-2000:]
    assert "Unrecoverable error" in log_of(home)
