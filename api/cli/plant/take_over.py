"""`batchloom plant take-over`: make this copy of a fenced plant the active one."""

from typing import Annotated

import typer

from api.cli.nodes import Home, opened_plant
from api.cli.output import CONSOLE
from api.cli.plant import REPAIR, app
from api.cli.prompts import confirm
from api.language import _
from infra.messages import Failure, message
from plants.store.ledger.entries import Log
from plants.store.monitoring.alarms import AlarmKind, end_alarm
from plants.store.replication.status import ReplicationState, known
from sync_jobs.protocol.sessions import lift_fence


@app.command(rich_help_panel=REPAIR)
def take_over(
    home: Home,
    sure: Annotated[
        bool, typer.Option("--yes", help="The other copy is stopped. Do not ask for confirmation.")
    ] = False,
) -> None:
    """Make this copy of a fenced plant the active one. Stop the other copy for good first.

    A plant is fenced when two copies of it ran. Entries that only the other copy recorded come from the hub; those that
    conflict become a worklist.

    Example:  batchloom plant take-over --home sh1
    """
    with opened_plant(home) as node:
        number, now = node.settings.plant_number, node.clock.now()
        with node.store.reading() as reads:
            log, state = reads.get(Log, number), known(reads, number).state
        if not (log and log.fenced) and state is not ReplicationState.FENCED:
            raise Failure(message("NOT_FENCED", "This plant is not fenced. Nothing was changed."))
        asked = _("Have all other copies of this plant stopped for good?")
        confirm(asked, sure=sure)
        node.writer.write(lambda session: lift_fence(session, number, now))
        node.writer.write(lambda session: end_alarm(session, AlarmKind.PLANT_FENCED, node.settings.origin, now))
    CONSOLE.print(_("[green]✓[/] This copy is the active one from its next contact with the hub."))
