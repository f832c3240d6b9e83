"""The jobs of a node, opened from its settings in the process that runs them."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime

from infra.clock import SystemClock
from infra.database import Store
from infra.roles import Role
from infra.settings import Settings
from infra.stores import open_store
from infra.writer import Writer
from plants.store.monitoring.job_runs import job_runs
from sync_jobs.assembly import hub_node, plant_node
from sync_jobs.celery.scheduler import successes
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.restore_detection import check_restored


def open_node(settings: Settings, opening: ExitStack, *, holder: str) -> PlantNode | HubNode:
    """Open the node's store in this process, to be closed with the stack; return the node's side of replication."""
    clock = SystemClock()
    store = open_store(settings, opening)
    if settings.role is Role.HUB:
        return hub_node(settings, store, clock, holder=holder)
    check_restored(settings, store, clock)
    writer = opening.enter_context(closing(Writer(store)))
    return plant_node(settings, store, writer, clock, holder=holder)


def read_successes(store: Store) -> Callable[[], dict[str, datetime]]:
    """Return a function that reads the last success of each job from an open store."""

    def read() -> dict[str, datetime]:
        with store.reading() as reads:
            return successes(job_runs(reads))

    return read


def successes_of(settings: Settings) -> dict[str, datetime]:
    """Return the last success of each job of a node whose store is not open in this process."""
    with ExitStack() as opening:
        return read_successes(open_store(settings, opening))()
