"""The Celery application that wakes a node's jobs: by nudges, and each on a period that heals lost ones.

A message carries the name of a job and nothing else: all that is to be done stands in the database. Losing, doubling or
reordering messages changes when a job runs, never what it does.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from celery import Celery

from sync_jobs.celery.jobs import Job

POLLING_SECONDS: Final = 0.2  # of the transport in memory
CONNECT_SECONDS: Final = 2
LOG = logging.getLogger(__name__)


def build_app(jobs: Mapping[str, Job], *, queue: str, broker_url: str | None = None) -> Celery:
    """Return the Celery application of one node, its messages in a queue of its own; without a URL in memory."""
    app = Celery("batchloom", broker=broker_url or "memory://", set_as_current=False)
    options: dict[str, Any] = {"polling_interval": POLLING_SECONDS}
    if broker_url is not None:
        options = {"global_keyprefix": f"batchloom:{queue}:", "socket_connect_timeout": CONNECT_SECONDS}
        if not broker_url.startswith("redis"):
            options = {}
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=queue,
        task_default_exchange=queue,
        task_default_routing_key=queue,
        worker_prefetch_multiplier=1,
        worker_pool="solo",
        worker_concurrency=1,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=CONNECT_SECONDS,
        # For ever: Celery would end the worker and the beat after a hundred attempts, in three quarters of an hour.
        broker_connection_max_retries=None,
        broker_transport_options=options,
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=1,
        enable_utc=True,
    )
    for name, job in jobs.items():
        _register(app, name, job)
    app.conf.beat_schedule = {
        name: {"task": name, "schedule": job.period_seconds, "options": {"expires": job.period_seconds}}
        for name, job in jobs.items()
    }
    return app


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
                LOG.warning("%s: more is left, and the broker cannot be told", name)
