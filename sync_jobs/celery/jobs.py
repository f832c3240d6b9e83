"""The jobs of a node: what each does in a slice, how often, and whether it is worth being woken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from plants.commands.directives.hold_propagation import follow_goods
from plants.store.replication.status import ReplicationState
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.backoff import is_due
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.hub.transfer_checks import check_between_plants
from sync_jobs.hub.witnessing import witness_plants
from sync_jobs.nodes import EMBEDDED_HOLDER, HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_turns

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
        check_between_plants(hub)
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
