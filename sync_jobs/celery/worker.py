"""A separate worker or beat of the node that BATCHLOOM_HOME names: `batchloom worker`, `batchloom beat`.

`celery -A sync_jobs.celery.worker status` and the other commands of Celery work on it too. The first job opens the
store in the process that runs it, because connections do not survive a fork.
"""

from infra.settings import load
from sync_jobs.celery.node_jobs import successes_of
from sync_jobs.celery.worker_app import worker_app


def run_worker(*, concurrency: int | None, queues: str | None, level: str) -> None:
    """Run a worker of the node until a signal ends it."""
    _check_store()
    arguments = ["worker", f"--loglevel={level}", f"--hostname={_process_name()}@%h"]
    if concurrency is not None:
        arguments.append(f"--concurrency={concurrency}")
    if queues is not None:
        arguments.append(f"--queues={queues}")
    app.worker_main(arguments)


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
