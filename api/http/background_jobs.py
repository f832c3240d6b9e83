"""The background jobs of a node: inside its own process, or in the workers of a broker, which it nudges."""

import logging
from functools import partial
from typing import Self

from api.node.node import Node
from infra.database import Session
from infra.roles import Role
from plants.store.monitoring.alarms import AlarmKind, end_alarm, raise_alarm
from plants.store.replication.leases import end_all
from sync_jobs.archive.archiving import recover_at_start
from sync_jobs.assembly import NotConnected, hub_node, plant_node
from sync_jobs.celery.app import build_app
from sync_jobs.celery.embedded import EmbeddedJobs
from sync_jobs.celery.jobs import Job, bind, project, push
from sync_jobs.celery.monitor import BROKER, JobMonitor, broker_away
from sync_jobs.celery.node_jobs import read_successes
from sync_jobs.celery.nudges import Nudges
from sync_jobs.celery.supervision import SupervisedThread
from sync_jobs.nodes import EMBEDDED_HOLDER
from sync_jobs.projection.process import ProjectionProcess

LOG = logging.getLogger(__name__)


class BackgroundJobs:
    """A node's jobs, from entering to leaving the context; `ask` wakes the job that handles new entries.

    With a `broker_url` they run in separate workers (`sync_jobs.celery.worker`), and the node sends nudges. Without one
    they run in threads of the node, and the hub's projection in another process. A plant without a hub has no jobs.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._projection = ProjectionProcess(node.store, node.clock) if node.settings.role is Role.HUB else None
        self._jobs = _jobs(node, self._projection)
        self._running: EmbeddedJobs | Nudges | None = None
        self._monitor: JobMonitor | None = None
        node.when_committed(self.ask)

    def ask(self, _plant: int = 0) -> None:
        """Have new entries handled; returns at once and never fails."""
        if self._running is not None:
            self._running.ask(project.name if self._node.settings.role is Role.HUB else push.name)

    @property
    def threads(self) -> tuple[SupervisedThread, ...]:
        """The threads that must run: those of the jobs, and their monitor's."""
        running = () if self._running is None else self._running.threads
        return running if self._monitor is None else (*running, self._monitor.thread)

    def unstored_failures(self) -> dict[str, int]:
        """Return how often each job failed since its last success without the store taking it."""
        return {name: job.unstored.failures for name, job in self._jobs.items()}

    @property
    def messages_rejected(self) -> int:
        """The number of messages that separate workers rejected, as reported to the monitor since the start."""
        return 0 if self._monitor is None else self._monitor.messages_rejected

    def __enter__(self) -> Self:
        """Start."""
        node, settings = self._node, self._node.settings
        if settings.role is Role.HUB:
            # Before plants come back: a hub restored from an old copy would else answer them with what it lost.
            recover_at_start(hub_node(settings, node.store, node.clock))
        app = None
        if not self._jobs:
            LOG.info("the node has no hub, so it has no jobs")
        elif settings.broker_url is None:
            # One process serves a home, so that leases of the embedded jobs can only be those of one that was killed.
            node.writer.write(partial(end_all, holder=EMBEDDED_HOLDER))
            successes = read_successes(node.store)
            self._running = EmbeddedJobs(self._jobs, queue=settings.origin, last_successes=successes)
            self._running.start()
        else:
            app = build_app(self._jobs, queue=settings.origin, broker_url=settings.broker_url.get_secret_value())
            self._running = Nudges(app, self._jobs, self._report_broker)
        threads = () if self._running is None else self._running.threads
        self._monitor = JobMonitor(node.store, node.writer, node.clock, self._jobs, threads=threads, app=app)
        try:
            self._monitor.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; waits for a job that runs."""
        if self._monitor is not None:
            self._monitor.stop()
        # First: the thread of the jobs may be waiting for an answer of the projection process.
        if self._projection is not None:
            self._projection.stop()
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _report_broker(self, failure: str | None) -> None:
        """Raise or end the alarm that the broker does not answer."""
        now = self._node.clock.now()

        def write(session: Session) -> None:
            if failure is None:
                end_alarm(session, AlarmKind.BROKER_FAILING, BROKER, now)
            else:
                raise_alarm(session, broker_away(failure), now)

        self._node.writer.write(write)


def _jobs(node: Node, projection: ProjectionProcess | None) -> dict[str, Job]:
    settings = node.settings
    if projection is not None:
        hub = hub_node(settings, node.store, node.clock, project=projection.project)
        return bind(Role.HUB, settings, lambda: hub)
    try:
        plant = plant_node(settings, node.store, node.writer, node.clock)
    except NotConnected:
        return {}
    return bind(Role.PLANT, settings, lambda: plant)
