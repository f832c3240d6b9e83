"""The Celery application of a node's separate workers and beat."""

import os
import socket
from contextlib import ExitStack
from functools import cache, partial
from typing import Final

from celery import Celery
from celery.signals import worker_process_shutdown

from infra.messages import message
from infra.settings import Settings, SettingsInvalid
from sync_jobs.celery.app import build_app
from sync_jobs.celery.jobs import bind
from sync_jobs.celery.node_jobs import open_node, successes_of
from sync_jobs.nodes import HubNode, PlantNode

BROKER_NEEDED: Final = message(
    "BROKER_NEEDED", "broker_url is not set, so jobs run inside the node. Set it to run separate workers."
)

_OPEN = ExitStack()
"""What this process of the pool has opened."""


@worker_process_shutdown.connect
def _close(**_: object) -> None:
    _OPEN.close()


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
