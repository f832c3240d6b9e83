"""The jobs of a node, and the Celery application that wakes them: by nudges, and each on a period that heals lost ones.

A message carries the name of a job and nothing else: all that is to be done stands in the database. Losing, doubling or
reordering messages changes when a job runs, never what it does.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery

from plants.commands.follow_goods import follow_goods
from plants.store.positions import ReplicationState
from sync_jobs.archiving import archive_behind
from sync_jobs.attempts import is_due
from sync_jobs.between_plants import look_between_plants
from sync_jobs.exchange import exchange
from sync_jobs.nodes import EMBEDDED_HOLDER, HubNode, PlantNode
from sync_jobs.projecting import project_turns
from sync_jobs.tails import sign_own_ledgers
from sync_jobs.witnessing import witness_plants

PUSH: Final = "sync.push"
PULL: Final = "sync.pull"
PROJECT: Final = "sync.project"
CHECKPOINT: Final = "sync.checkpoint"
ARCHIVE: Final = "sync.archive"
ARCHIVE_SECONDS: Final = 300.0
FOLLOW_GOODS: Final = "sync.follow-goods"
FOLLOW_GOODS_SECONDS: Final = 60.0  # between two looks for goods that a hold of headquarters has to go after
BETWEEN_PLANTS: Final = "sync.between-plants"
BETWEEN_PLANTS_SECONDS: Final = 300.0  # between two looks for transfers that do not arrive
POLLING_SECONDS: Final = 0.2  # of the transport in memory
CONNECT_SECONDS: Final = 2
LOG = logging.getLogger(__name__)


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work: `run` does a slice and says whether more is left, `wanted` whether a nudge is worth sending."""

    run: Callable[[], bool]
    period_seconds: float
    wanted: Callable[[], bool] = _always


def plant_jobs(node: PlantNode, *, push_seconds: float) -> dict[str, Job]:
    """Return the jobs of a plant: send what the hub has no receipt for, fetch directives, sign checkpoints."""

    def push() -> bool:
        return has_unsent(node) and exchange(node).more

    def pull() -> bool:
        return exchange(node).more

    return {
        PUSH: Job(push, push_seconds, lambda: has_unsent(node)),
        PULL: Job(pull, push_seconds),
        CHECKPOINT: Job(pull, node.checkpoint_seconds),
    }


def hub_jobs(
    hub: HubNode,
    *,
    project_seconds: float,
    checkpoint_seconds: float,
    archive_seconds: float = ARCHIVE_SECONDS,
    project: Callable[[], bool] | None = None,
) -> dict[str, Job]:
    """Return the jobs of the hub: apply what came in, sign the checkpoints of its own ledgers, archive all of them.

    What came in is applied by `project`, or in this process.
    """

    def project_here() -> bool:
        return project_turns(hub.store, hub.clock, EMBEDDED_HOLDER)

    def checkpoint() -> bool:
        witness_plants(hub)
        sign_own_ledgers(hub)
        return False

    def archive() -> bool:
        return archive_behind(hub, EMBEDDED_HOLDER)

    def follow() -> bool:
        with hub.store.transaction() as session:
            follow_goods(session, now=hub.clock.now())
        return False

    def between_plants() -> bool:
        look_between_plants(hub)
        return False

    return {
        PROJECT: Job(project or project_here, project_seconds),
        CHECKPOINT: Job(checkpoint, checkpoint_seconds),
        FOLLOW_GOODS: Job(follow, FOLLOW_GOODS_SECONDS),
        BETWEEN_PLANTS: Job(between_plants, BETWEEN_PLANTS_SECONDS),
        ARCHIVE: Job(archive, archive_seconds),
    }


def has_unsent(node: PlantNode) -> bool:
    """Tell whether the ledger is longer than its last receipt, and the wait after a failure is over."""
    with node.store.reading() as reads:
        rows = reads.rows(
            "SELECT logs.size, replication.acknowledged, replication.next_attempt_us, replication.attempted_us, state"
            " FROM logs LEFT JOIN replication ON replication.log_id = logs.log_id WHERE logs.log_id = :log_id",
            {"log_id": node.number},
        )
    if not rows:
        return False
    size, acknowledged, next_us, began_us, state = rows[0]
    due = is_due(next_us or 0, node.clock.now(), began_us=began_us) and state != ReplicationState.FENCED
    return due and size > (acknowledged or 0)


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
