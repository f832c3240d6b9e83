"""`batchloom alarms`: the active alarms of a node."""

from typing import Annotated, Final

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Home, console_actor, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.language import _, language
from api.node.node import Node
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra.messages import translate
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant
from plants.store.materials.plants import known_plants
from plants.store.monitoring.overview import AlarmSeen, alarms_seen

LISTED_MAX: Final = 1_000


@app.command()
def alarms(
    home: Home,
    ended: Annotated[bool, typer.Option("--all", help="List ended alarms too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the active alarms of a node, newest first.

    Run it when `doctor` or a monitor reports an alarm. Exit status 1 while an alarm is active.

    Example:  batchloom alarms --home sh1
    """
    with opened(home) as node:
        seen = node_alarms(node, over=ended)
    lasting = [one for one in seen if one.over_at is None]
    if as_json:
        show_json([_as_object(one) for one in seen])
    for one in () if as_json else seen:
        mark = "[bold red]✗[/]" if one.over_at is None else "[green]✓[/]"
        when = format_instant(one.last_at)
        times = _("{times} times, last {when}", times=one.times, when=when)
        CONSOLE.print(f"{mark} [bold]{one.kind}[/] {escape(subject(one.about))}  [dim]{times}[/]", soft_wrap=True)
        CONSOLE.print(f"  {escape(one.said.word(language()))}", soft_wrap=True)
    if not as_json and not seen:
        CONSOLE.print(_("[green]✓[/] There is no active alarm."))
    if lasting:
        raise typer.Exit(EXIT_REFUSED)


def node_alarms(node: Node, *, over: bool = False) -> list[AlarmSeen]:
    """Return the active alarms of a node, with `over` the ended ones too, newest first."""
    actor = console_actor(Role.ADMINISTRATOR)
    with node.store.reading() as reads:
        scope = plants_for(actor, Permission.REPLICATION_READ, {HUB, *known_plants(reads)})
        return alarms_seen(reads, scope, over=over, first=LISTED_MAX)


def subject(about: str) -> str:
    """Return the subject of an alarm in the language of the terminal."""
    return translate(about, language(), context="about")


def _as_object(one: AlarmSeen) -> dict[str, object]:
    over = None if one.over_at is None else format_instant(one.over_at)
    return {
        "kind": one.kind,
        "about": one.about,
        "text": one.said.word(language()),
        "firstAt": format_instant(one.first_at),
        "lastAt": format_instant(one.last_at),
        "times": one.times,
        "overAt": over,
    }
