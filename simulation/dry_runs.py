"""Validation of an operation before it is sent: the command runs and is rolled back."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from infra.database import Session
from plants.commands.execution import CommandContext
from plants.rules.values.refusals import Refusal
from plants.store.projection.rebuilding import projection_tables
from simulation.disks import Disk
from simulation.run_log import Violation
from simulation.workload import Operation
from simulation.world import HUB

SELECT_HEADS: Final = "SELECT log_id, size FROM logs ORDER BY log_id"


class Ended(Exception):
    """Ends a validation that met no refusal."""


def context(operation: Operation, now: datetime) -> CommandContext:
    """Return the circumstances under which an operation is done."""
    plant = HUB if operation.of_hub else operation.plant
    return CommandContext(plant, now, request=operation.request, reason=operation.reason)


def validate(operation: Operation, disk: Disk, now: datetime) -> Refusal | None:
    """Return the refusal that an operation would get now. Raises Violation where the validation writes anything."""
    before = _content(disk)
    refused = None
    try:
        with disk.transaction() as session:
            _run_and_end(session, operation, now)
    except Ended:
        pass
    except Refusal as refusal:
        refused = refusal
    if _content(disk) != before:
        raise Violation("I3", f"#{operation.number} {operation.command.name} was validated, and wrote")
    return refused


def _run_and_end(session: Session, operation: Operation, now: datetime) -> None:
    operation.command(session, operation.order, actor=operation.author, call=context(operation, now))
    raise Ended


def _content(disk: Disk) -> list[object]:
    """Return all rows of the projection tables, and the sizes of the ledgers."""
    rows: Callable[[str], object] = disk.peek
    tables = [rows(f"SELECT * FROM {table.name}") for table in projection_tables()]  # noqa: S608 -- names of our own tables.
    return [rows(SELECT_HEADS), *tables]
