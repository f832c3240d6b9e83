"""The Celery application of a node: its jobs as tasks, and the schedule on which each of them runs.

A message carries the name of a job and nothing else: the database holds all that is to be done. A lost, doubled or
reordered message changes when a job runs, never what it does.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from celery import Celery
from kombu.entity import Queue

from sync_jobs.celery.jobs import Job
from sync_jobs.celery.message_guard import GuardedConsumer
from sync_jobs.celery.scheduler import SCHEDULER, LastSuccesses

POLLING_SECONDS: Final = 0.2  # of the transport in memory
CONNECT_SECONDS: Final = 2
ANSWER_SECONDS: Final = 5  # of a broker
LOG = logging.getLogger(__name__)


def no_successes() -> dict[str, datetime]:
    """Return nothing: every job is due at once."""
    return {}


def build_app(
    jobs: Mapping[str, Job],
    *,
    queue: str,
    broker_url: str | None = None,
    last_successes: LastSuccesses = no_successes,
) -> Celery:
    """Return the Celery application of one node. Without a broker its messages stay in memory.

    `queue` is the node's own queue; a job that is declared `apart` has the queue `<queue>.<job>`. With a
    broker, workers send events and answer remote control, so that `celery status` and `celery inspect` work.
    """
    app = Celery("batchloom", broker=broker_url or "memory://localhost/", set_as_current=False)
    apart = {name: f"{queue}.{name}" for name, job in jobs.items() if job.apart and broker_url is not None}
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=queue,
        task_default_exchange=queue,
        task_default_routing_key=queue,
        task_queues=[Queue(one, routing_key=one) for one in (queue, *apart.values())],
        task_routes={name: {"queue": one, "routing_key": one} for name, one in apart.items()},
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=CONNECT_SECONDS,
        # For ever: Celery would end the worker and the beat after a hundred attempts, in three quarters of an hour.
        broker_connection_max_retries=None,
        beat_scheduler=SCHEDULER,
        beat_max_loop_interval=1,
        enable_utc=True,
        **(_in_memory() if broker_url is None else _brokered(broker_url, queue, len(apart) + 1)),
    )
    for name, job in jobs.items():
        _register(app, name, job)
    app.conf.beat_schedule = {
        name: {"task": name, "schedule": job.period_seconds, "options": {"expires": job.period_seconds}}
        for name, job in jobs.items()
    }
    app.last_successes = last_successes
    return app


def _in_memory() -> dict[str, Any]:
    """Return the configuration of jobs inside the node: one thread, and nobody outside to look at it."""
    return {
        "broker_transport_options": {"polling_interval": POLLING_SECONDS},
        "worker_pool": "solo",
        "worker_concurrency": 1,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
    }


def _brokered(broker_url: str, queue: str, queues: int) -> dict[str, Any]:
    """Return the configuration of worker processes; by default a worker has as many as there are queues."""
    options = transport_options(broker_url)
    if options:
        options["global_keyprefix"] = f"batchloom:{queue}:"
    return {
        "broker_transport_options": options,
        "worker_concurrency": queues,
        # Of this node alone: by default every worker at a broker answers every application.
        # Kombu's Redis transport separates the exchange from the routing key by a slash.
        "control_exchange": f"{queue}.control".replace("/", "."),
        "event_exchange": f"{queue}.events".replace("/", "."),
        "worker_consumer": GuardedConsumer,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "worker_enable_remote_control": True,
    }


def transport_options(broker_url: str) -> dict[str, Any]:
    """Return the limits of a connection; a broker that hangs would else hold up who asks it for ever."""
    if not broker_url.startswith("redis"):
        return {}
    return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}


def nudge(app: Celery, name: str, job: Job) -> None:
    """Send the message that wakes a job; raises whatever the broker's library raises when it is down."""
    app.send_task(name, expires=max(job.period_seconds, 1), ignore_result=True, retry=False)


def _register(app: Celery, name: str, job: Job) -> None:
    @app.task(name=name, ignore_result=True, shared=False)
    def run() -> None:
        if job.run():
            try:
                nudge(app, name, job)
            except Exception:  # noqa: BLE001 -- the next period comes anyway.
                LOG.warning("%s: more is left, and the broker cannot be reached", name)
