"""`batchloom end-alarm`: end an alarm by hand."""

from typing import Annotated

import typer

from api.cli import app
from api.cli.alarms import node_alarms, subject
from api.cli.nodes import Home, opened
from api.cli.output import CONSOLE
from api.language import _
from infra.messages import Failure, message
from plants.store.monitoring.alarms import AlarmKind, end_alarm


@app.command("end-alarm")
def end(
    home: Home,
    kind: Annotated[AlarmKind, typer.Argument(help="Kind of the alarm, as `batchloom alarms` lists it.")],
    about: Annotated[str, typer.Argument(help="Subject of the alarm, as `batchloom alarms` lists it.")],
) -> None:
    """End an active alarm after its cause was removed.

    Most alarms end by themselves. This is for those that cannot detect it. The alarm returns if its cause does.

    Example:  batchloom end-alarm --home hub REPLICATION_REFUSED "not recognised"
    """
    with opened(home) as node:
        now = node.clock.now()
        named = [one.about for one in node_alarms(node) if one.kind == kind and subject(one.about) == about]
        key = named[0] if named else about
        if not node.writer.write(lambda session: end_alarm(session, kind, key, now)):
            raise Failure(
                message("ALARM_NOT_ACTIVE", "There is no active alarm {kind} about {about}. See: batchloom alarms"),
                kind=kind,
                about=about,
            )
    CONSOLE.print(_("[green]✓[/] The alarm has ended."))
