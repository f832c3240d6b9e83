"""`batchloom end-alarm`: end an alarm by hand."""

from typing import Annotated

import typer

from api.cli import app
from api.cli.nodes import Home, opened
from api.cli.output import CONSOLE, CannotDo, pick
from plants.store.monitoring.alarms import AlarmKind, end_alarm


@app.command("end-alarm")
def end(
    home: Home,
    kind: Annotated[AlarmKind, typer.Argument(help="Kind of the alarm, as it is listed.")],
    about: Annotated[str, typer.Argument(help="What it is about, as it is listed.")],
) -> None:
    """End an alarm that was dealt with and cannot notice so itself; it comes back if the reason does.

    Example:  batchloom end-alarm --home hub REPLICATION_REFUSED "not recognised"
    """
    with opened(home) as node:
        now = node.clock.now()
        if not node.writer.write(lambda session: end_alarm(session, kind, about, now)):
            raise CannotDo(f"No alarm {kind} about {about} lasts.", f"没有关于 {about} 的告警 {kind}。")
    CONSOLE.print(pick("[green]✓[/] It is ended.", "[green]✓[/] 告警已结束。"))
