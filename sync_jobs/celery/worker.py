"""The Celery application of a separate worker or beat: `batchloom worker`, `batchloom beat`.

`celery -A sync_jobs.celery.worker status` and the other commands of Celery work on it too. The node is the one that
BATCHLOOM_HOME names, and needs a `broker_url`. The first job opens the store in the process that runs it, because
connections do not survive a fork.
"""

import os
import socket
from contextlib import ExitStack
from functools import cache, partial
from typing import Final

from celery import Celery

from infra.messages import message
from infra.settings import Settings, SettingsInvalid, load
from sync_jobs.celery.app import build_app
from sync_jobs.celery.jobs import bind
from sync_jobs.celery.node_jobs import open_node, successes_of
from sync_jobs.nodes import HubNode, PlantNode

BROKER_NEEDED: Final = message(
    "BROKER_NEEDED", "broker_url is not set, so jobs run inside the node. Set it to run separate workers."
)

_OPEN = ExitStack()
"""Closed by the end of the process."""


@cache
def _node(settings: Settings, process: int) -> PlantNode | HubNode:
    return open_node(settings, _OPEN, holder=f"{socket.gethostname()}:{process}")


def worker_app(settings: Settings) -> Celery:
    """Return the application that a worker or a beat of this node runs; raises SettingsInvalid without a broker."""
    if settings.broker_url is None:
        raise SettingsInvalid(BROKER_NEEDED)
    jobs = bind(settings.role, settings, lambda: _node(settings, os.getpid()))
    broker_url = settings.broker_url.get_secret_value()
    last_successes = partial(successes_of, settings)
    return build_app(jobs, queue=settings.origin, broker_url=broker_url, last_successes=last_successes)


def run_worker(*, concurrency: int | None, level: str) -> None:
    """Run a worker of the node until a signal ends it."""
    arguments = ["worker", f"--loglevel={level}", f"--hostname={_process_name()}@%h"]
    if concurrency is not None:
        arguments.append(f"--concurrency={concurrency}")
    app.worker_main(arguments)


def run_beat(*, level: str) -> None:
    """Run the beat of the node until a signal ends it."""
    app.start(["beat", f"--loglevel={level}", "--pidfile="])


def _process_name() -> str:
    """Return the node's name among the workers of a broker: its plant code, or `hub`."""
    return load().plant_code or "hub"


app = worker_app(load())
