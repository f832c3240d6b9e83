"""Jobs: each is declared once, with its role, its name and its period, and bound to the node that runs it.

A run succeeds when it ends without an unexpected error. An unreachable hub, archive or broker is no failure of a job,
because it has an alarm of its own.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from auth.authors import check_definer
from infra.database import Session
from infra.roles import Role
from plants.commands.directives import hold_propagation
from plants.commands.directives.saves import advance_directed_save
from plants.commands.materials.saves import advance_save
from plants.rules.identification.codes import HUB
from plants.store.ledger.logs import log_size
from plants.store.materials.saves import unfinished_save
from plants.store.monitoring.job_runs import job_run, record_failed, record_succeeded
from plants.store.replication.status import ReplicationState, known
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.backoff import is_due
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.hub.transfer_checks import check_between_plants
from sync_jobs.hub.witnessing import witness_plants
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_turns

FOLLOW_GOODS_SECONDS: Final = 60.0
BETWEEN_PLANTS_SECONDS: Final = 300.0
SAVE_ROWS_SECONDS: Final = 2.0
LOG = logging.getLogger(__name__)

Side = TypeVar("Side", PlantNode, HubNode)


class Periods(Protocol):
    """The settings that periods are taken from, in seconds."""

    @property
    def push_seconds(self) -> float: ...
    @property
    def checkpoint_seconds(self) -> float: ...
    @property
    def archive_seconds(self) -> float: ...


def _always(_node: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Declaration(Generic[Side]):
    """A job as it is declared. `run` does a slice and returns whether more is left.

    `wanted` tells whether a nudge is worth sending. A job with `apart` has a queue of its own at a broker, so that
    workers can be reserved for it.
    """

    name: str
    role: Role
    period_seconds: Callable[[Periods], float]
    run: Callable[[Side], bool]
    wanted: Callable[[Side], bool]
    apart: bool


@dataclass(slots=True)
class Unstored:
    """Failures of a job since its last success in this process, as far as the store did not take them."""

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job bound to a node."""

    run: Callable[[], bool]
    period_seconds: float
    wanted: Callable[[], bool] = lambda: True
    apart: bool = False
    unstored: Unstored = field(default_factory=Unstored)


JOBS: Final[dict[str, Declaration[Any]]] = {}
"""Every declared job, by name."""


def job(
    name: str,
    role: Role,
    *,
    period: Callable[[Periods], float],
    wanted: Callable[[Any], bool] = _always,
    apart: bool = False,
) -> Callable[[Callable[[Side], bool]], Declaration[Side]]:
    """Declare a job of a role. Its name is that of its Celery task and is never used twice."""

    def declare(run: Callable[[Side], bool]) -> Declaration[Side]:
        assert name not in JOBS, name
        JOBS[name] = declared = Declaration(name, role, period, run, wanted, apart)
        return declared

    return declare


def bind(role: Role, periods: Periods, node: Callable[[], Any]) -> dict[str, Job]:
    """Return the jobs of a role for the node that `node` returns; it is called by the first job that runs."""
    return {one.name: _bound(one, one.period_seconds(periods), node) for one in JOBS.values() if one.role is role}


def _bound(declared: Declaration[Any], seconds: float, node: Callable[[], Any]) -> Job:
    unstored = Unstored()
    return Job(
        lambda: _run(declared, seconds, node(), unstored),
        seconds,
        lambda: declared.wanted(node()),
        apart=declared.apart,
        unstored=unstored,
    )


def _run(declared: Declaration[Any], seconds: float, node: PlantNode | HubNode, unstored: Unstored) -> bool:
    """Run a slice of a job and store how it ended; raises what the job or the store raised."""
    try:
        more = declared.run(node)
        _succeed(declared.name, seconds, node)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        try:
            _write(node, lambda session: record_failed(session, declared.name, seconds, text, node.clock.now()))
        except Exception:
            unstored.failures += 1
            LOG.exception("%s: its failure could not be stored", declared.name)
        raise
    unstored.failures = 0
    return more


def _succeed(name: str, seconds: float, node: PlantNode | HubNode) -> None:
    now = node.clock.now()
    with node.store.reading() as reads:
        last = job_run(reads, name)
        recorded = last is not None and last.is_recorded(now)
    if not recorded:
        _write(node, partial(record_succeeded, name=name, period_seconds=seconds, now=now))


def _write(node: PlantNode | HubNode, work: Callable[[Session], None]) -> None:
    if isinstance(node, PlantNode):
        node.writer.write(work)
    else:
        with node.store.transaction() as session:
            work(session)


def has_unsent(node: PlantNode) -> bool:
    """Tell whether the ledger is longer than its last receipt, and the wait after a failure is over."""
    with node.store.reading() as reads:
        size, status = log_size(reads, node.number), known(reads, node.number)
    due = is_due(status.next_attempt_at, node.clock.now(), began_at=status.attempted_at)
    return due and status.state is not ReplicationState.FENCED and size > status.acknowledged


@job("sync.push", Role.PLANT, period=lambda given: given.push_seconds, wanted=has_unsent)
def push(node: PlantNode) -> bool:
    """Send entries that the hub has not acknowledged."""
    return has_unsent(node) and exchange(node).more


@job("sync.pull", Role.PLANT, period=lambda given: given.push_seconds)
def pull(node: PlantNode) -> bool:
    """Fetch directives."""
    return exchange(node).more


@job("sync.sign", Role.PLANT, period=lambda given: given.checkpoint_seconds)
def sign(node: PlantNode) -> bool:
    """Sign a checkpoint although nothing happened, so that the hub knows how far the plant was heard."""
    return exchange(node).more


@job("save.rows", Role.PLANT, period=lambda _: SAVE_ROWS_SECONDS)
def save_rows(node: PlantNode) -> bool:
    """Run the next rows of a save of many rows that is not finished."""
    with node.store.reading() as reads:
        waits = unfinished_save(reads, node.number)
    check = partial(check_definer, plant_number=node.number)
    return waits and node.writer.write(
        lambda session: advance_save(session, node.number, node.clock.now(), check=check)
    )


@job("save.directed-rows", Role.HUB, period=lambda _: SAVE_ROWS_SECONDS)
def save_directed_rows(hub: HubNode) -> bool:
    """Direct the next rows of a save of many rows that is not finished."""
    with hub.store.reading() as reads:
        if not unfinished_save(reads, HUB):
            return False
    with hub.store.transaction() as session:
        return advance_directed_save(session, hub.clock.now(), check=partial(check_definer, plant_number=HUB))


@job("sync.project", Role.HUB, period=lambda given: given.push_seconds, apart=True)
def project(hub: HubNode) -> bool:
    """Apply received entries to the tables, in this process unless the node has another for it."""
    return hub.project() if hub.project is not None else project_turns(hub.store, hub.clock, hub.holder)


@job("sync.checkpoint", Role.HUB, period=lambda given: given.checkpoint_seconds)
def checkpoint(hub: HubNode) -> bool:
    """Witness the plants' ledgers and sign checkpoints of the hub's own."""
    witness_plants(hub)
    sign_own_ledgers(hub)
    return False


@job("sync.follow-goods", Role.HUB, period=lambda _: FOLLOW_GOODS_SECONDS)
def follow_goods(hub: HubNode) -> bool:
    """Send holds of headquarters to plants that goods have reached since."""
    with hub.store.transaction() as session:
        hold_propagation.follow_goods(session, now=hub.clock.now())
    return False


@job("sync.between-plants", Role.HUB, period=lambda _: BETWEEN_PLANTS_SECONDS)
def between_plants(hub: HubNode) -> bool:
    """Report overdue transfers, labels that differ and clocks that are wrong."""
    check_between_plants(hub)
    return False


@job("sync.archive", Role.HUB, period=lambda given: given.archive_seconds)
def archive(hub: HubNode) -> bool:
    """Write a slice of the ledgers to the archive."""
    return archive_behind(hub, hub.holder)
