"""The Celery application of a separate worker or beat: `celery -A sync_jobs.celery.worker worker` and `… beat`.

The node is the one that BATCHLOOM_HOME names, and needs a `broker_url`. The store is opened by the first job, in the
process that runs it: connections do not survive a fork.
"""

import os
import socket
from contextlib import ExitStack
from functools import cache
from typing import Final

from celery import Celery

from infra.messages import message
from infra.roles import Role
from infra.settings import Settings, SettingsInvalid, load
from sync_jobs.celery.app import build_app
from sync_jobs.celery.jobs import (
    ARCHIVE,
    BETWEEN_PLANTS,
    BETWEEN_PLANTS_SECONDS,
    CHECKPOINT,
    FOLLOW_GOODS,
    FOLLOW_GOODS_SECONDS,
    PROJECT,
    PULL,
    PUSH,
    Job,
)
from sync_jobs.celery.node_jobs import open_jobs

BROKER_NEEDED: Final = message(
    "BROKER_NEEDED", "broker_url is not set, so jobs run inside the node. Set it to run separate workers."
)

_OPEN = ExitStack()
"""Closed by the end of the process."""


@cache
def _jobs(process: int) -> dict[str, Job]:
    return open_jobs(load(), _OPEN, holder=f"{socket.gethostname()}:{process}")


def _lazily(name: str, period_seconds: float) -> Job:
    def run() -> bool:
        return _jobs(os.getpid())[name].run()

    return Job(run, period_seconds)


def worker_app(settings: Settings) -> Celery:
    """Return the application that a worker or a beat of this node runs; raises SettingsInvalid without a broker."""
    if settings.broker_url is None:
        raise SettingsInvalid(BROKER_NEEDED)
    names = (PROJECT,) if settings.role is Role.HUB else (PUSH, PULL)
    jobs = {name: _lazily(name, settings.push_seconds) for name in names}
    jobs[CHECKPOINT] = _lazily(CHECKPOINT, settings.checkpoint_seconds)
    if settings.role is Role.HUB:
        jobs[FOLLOW_GOODS] = _lazily(FOLLOW_GOODS, FOLLOW_GOODS_SECONDS)
        jobs[BETWEEN_PLANTS] = _lazily(BETWEEN_PLANTS, BETWEEN_PLANTS_SECONDS)
        jobs[ARCHIVE] = _lazily(ARCHIVE, settings.archive_seconds)
    return build_app(jobs, queue=settings.origin, broker_url=settings.broker_url.get_secret_value())


app = worker_app(load())
