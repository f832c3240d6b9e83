"""A separate worker or beat of the node that BATCHLOOM_HOME names: `batchloom worker`, `batchloom beat`.

`celery -A sync_jobs.celery.worker status` and the other commands of Celery work on it too. The first job opens the
store in the process that runs it, because connections do not survive a fork.
"""

import socket
from contextlib import ExitStack
from typing import Final

from infra.messages import Failure, message
from infra.settings import load
from infra.stores import run_server
from sync_jobs.celery.node_jobs import successes_of
from sync_jobs.celery.worker_app import worker_app

QUEUE_UNKNOWN: Final = message(
    "QUEUE_UNKNOWN", "{unknown} is no queue of this node, so the worker would take nothing. Its queues are: {queues}."
)


def run_worker(*, concurrency: int | None, queues: str | None, level: str) -> int:
    """Run a worker of the node until a signal ends it; returns its exit status, not 0 after an error.

    `queues` are names with commas, or None for all. Raises Failure for an unknown one.
    """
    if queues is not None:
        known = [queue.name for queue in app.conf.task_queues]
        for one in queues.split(","):
            if one not in known:
                raise Failure(QUEUE_UNKNOWN, unknown=one, queues=", ".join(known))
    name = f"{_process_name()}@{socket.gethostname()}"
    with ExitStack() as opening:
        # In this process, so that an embedded server outlives a process of the pool, and ends with the worker.
        run_server(load(), opening)
        _check_store()
        # Not `worker_main` of the application, which drops the exit status.
        worker = app.Worker(hostname=name, loglevel=level, concurrency=concurrency, queues=queues)
        worker.start()
    return worker.exitcode or 0


def run_beat(*, level: str) -> None:
    """Run the beat of the node until a signal ends it."""
    _check_store()
    app.start(["beat", f"--loglevel={level}", "--pidfile="])


def _check_store() -> None:
    """Raise the store's error before Celery starts, which would log it with a traceback."""
    successes_of(load())


def _process_name() -> str:
    """Return the node's name among the workers of a broker: its plant code, or `hub`."""
    return load().plant_code or "hub"


app = worker_app(load())
