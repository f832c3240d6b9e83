"""The jobs beside a node's answers: inside its own process, or nudged in the workers of a broker."""

from functools import partial
from typing import Final, Self

from api.node.node import Node
from infra.database import Session
from infra.messages import message
from infra.roles import Role
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication.leases import end_all
from sync_jobs.archive.archiving import recover_at_start
from sync_jobs.assembly import NotConnected, hub_node, plant_node
from sync_jobs.celery.app import build_app
from sync_jobs.celery.embedded import EmbeddedJobs
from sync_jobs.celery.jobs import PROJECT, PUSH, Job
from sync_jobs.celery.node_jobs import jobs_of_hub, jobs_of_plant
from sync_jobs.celery.nudges import Nudges
from sync_jobs.nodes import EMBEDDED_HOLDER
from sync_jobs.projection.process import ProjectionProcess

BROKER: Final = "broker"
BROKER_AWAY: Final = message(
    "BROKER_AWAY",
    "The broker does not answer ({failure}): new work waits for it, and nothing is lost. Start it, or check "
    "broker_url.",
)


class Work:
    """A node's jobs, from entering to leaving the context; `ask` wakes the one that looks after what is new.

    With a `broker_url` they run in workers of their own (`sync_jobs.celery.worker`) and are only nudged from here;
    without, the hub's projection has a process beside (`sync_jobs.projection.process`). A plant that has no hub has
    none.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._projection = ProjectionProcess(node.store, node.clock) if node.settings.role is Role.HUB else None
        self._jobs = _jobs(node, self._projection)
        self._running: EmbeddedJobs | Nudges | None = None
        node.when_committed(self.ask)

    def ask(self, _plant: int = 0) -> None:
        """Have what was just written looked after; returns at once, and never fails."""
        if self._running is not None:
            self._running.ask(PROJECT if self._node.settings.role is Role.HUB else PUSH)

    def __enter__(self) -> Self:
        """Start."""
        settings = self._node.settings
        if settings.role is Role.HUB:
            # Before plants come back: a hub restored from an old copy would else answer them with what it lost.
            recover_at_start(hub_node(settings, self._node.store, self._node.clock))
        if self._jobs and settings.broker_url is None:
            # One process serves a home, so that leases of the embedded jobs can only be those of one that was killed.
            self._node.writer.write(partial(end_all, holder=EMBEDDED_HOLDER))
            embedded = EmbeddedJobs(self._jobs, queue=settings.origin)
            embedded.start()
            self._running = embedded
        elif self._jobs and settings.broker_url is not None:
            broker_url = settings.broker_url.get_secret_value()
            app = build_app(self._jobs, queue=settings.origin, broker_url=broker_url)
            self._running = Nudges(app, self._jobs, self._tell_broker)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a job that runs is waited for."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
        if self._projection is not None:
            self._projection.stop()

    def _tell_broker(self, failure: str | None) -> None:
        """Raise or end the alarm that the broker does not answer."""
        now = self._node.clock.now()

        def write(session: Session) -> None:
            if failure is None:
                end_alarm(session, AlarmKind.BROKER_FAILING, BROKER, now)
            else:
                raise_alarm(session, Alarm(AlarmKind.BROKER_FAILING, BROKER, BROKER_AWAY(failure=failure)), now)

        self._node.writer.write(write)


def _jobs(node: Node, projection: ProjectionProcess | None) -> dict[str, Job]:
    settings = node.settings
    if projection is not None:
        return jobs_of_hub(settings, hub_node(settings, node.store, node.clock), project=projection.project)
    try:
        return jobs_of_plant(settings, plant_node(settings, node.store, node.writer, node.clock))
    except NotConnected:
        return {}
