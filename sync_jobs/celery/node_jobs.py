"""The jobs of a node, built from its settings, keys and store."""

from collections.abc import Callable
from contextlib import ExitStack, closing

from infra.clock import SystemClock
from infra.roles import Role
from infra.settings import Settings
from infra.stores import open_store
from infra.writer import Writer
from sync_jobs.assembly import hub_node, plant_node
from sync_jobs.celery.jobs import Job, hub_jobs, plant_jobs
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.restore_detection import check_restored


def open_jobs(settings: Settings, opening: ExitStack, *, holder: str) -> dict[str, Job]:
    """Open the node's store in this process, to be closed with the stack, and return its jobs."""
    clock = SystemClock()
    store = open_store(settings, opening)
    if settings.role is Role.HUB:
        hub = hub_node(settings, store, clock)
        return jobs_of_hub(settings, hub)
    check_restored(settings, store, clock)
    writer = opening.enter_context(closing(Writer(store)))
    return jobs_of_plant(settings, plant_node(settings, store, writer, clock, holder=holder))


def jobs_of_hub(settings: Settings, hub: HubNode, *, project: Callable[[], bool] | None = None) -> dict[str, Job]:
    """Return the hub's jobs with the periods of its settings; `project` as `hub_jobs` has it."""
    return hub_jobs(
        hub,
        project_seconds=settings.push_seconds,
        checkpoint_seconds=settings.checkpoint_seconds,
        archive_seconds=settings.archive_seconds,
        project=project,
    )


def jobs_of_plant(settings: Settings, node: PlantNode) -> dict[str, Job]:
    """Return the plant's jobs with the periods of its settings."""
    return plant_jobs(node, push_seconds=settings.push_seconds)
