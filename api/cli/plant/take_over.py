"""`batchloom plant take-over`: make this copy of a fenced plant the active one."""

from typing import Annotated

import typer

from api.cli.nodes import Home, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.plant import app
from api.cli.prompts import confirm
from plants.store.monitoring.alarms import AlarmKind, end_alarm
from plants.store.replication.status import ReplicationState
from sync_jobs.protocol.sessions import lift_fence


@app.command()
def take_over(
    home: Home,
    sure: Annotated[bool, typer.Option("--yes", help="The other copy is stopped: do not ask.")] = False,
) -> None:
    """Make this copy of a fenced plant the one that counts. Stop the other copy for good before you do.

    What the other copy recorded and this one does not have comes from the hub; what collides becomes a worklist.

    Example:  batchloom plant take-over --home sh1
    """
    with opened(home) as node:
        number, now = node.settings.plant_number, node.clock.now()
        with node.store.reading() as reads:
            rows = reads.rows("SELECT fenced FROM logs WHERE log_id = :log_id", {"log_id": number})
            state = reads.rows("SELECT state FROM replication WHERE log_id = :log_id", {"log_id": number})
        if not (rows and rows[0][0]) and not (state and state[0][0] == ReplicationState.FENCED):
            raise CannotDo("This plant is not fenced: nothing was changed.", "本厂未被隔离，未作任何更改。")
        asked = pick("Is every other copy of this plant stopped for good?", "本厂的其他副本是否均已永久停用？")
        confirm(asked, sure=sure)
        node.writer.write(lambda session: lift_fence(session, number, now))
        node.writer.write(lambda session: end_alarm(session, AlarmKind.PLANT_FENCED, node.settings.origin, now))
    CONSOLE.print(
        pick(
            "[green]✓[/] This copy counts from its next contact with the hub on.",
            "[green]✓[/] 下次联系中心起，以此副本为准。",
        )
    )
