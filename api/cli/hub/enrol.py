"""`batchloom hub enrol`: enrol plants by their cards."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.cards import order_of_card, read_card
from api.cli.hub import app
from api.cli.nodes import Home, console_actor, opened
from api.cli.output import CONSOLE, pick
from api.node.node import Node
from auth.actors import Role
from infra.database import Session
from plants.commands.group.enrolment import Enrolment
from sync_jobs.hub.enrolment import enrol as enrol_in_group


@app.command()
def enrol(
    home: Home,
    cards: Annotated[list[Path], typer.Argument(metavar="CARD.json…", exists=True, dir_okay=False, readable=True)],
) -> None:
    """Take plants into the group, by the public cards that `batchloom plant card` printed at each of them.

    Compare the keys with what the plant shows before you do: from now on the hub believes them.

    Example:  batchloom hub enrol --home hub sh1-card.json sz2-card.json
    """
    with opened(home) as node:
        for path in cards:
            shown = read_card(path)
            _enrol(node, order_of_card(node, shown))
            CONSOLE.print(
                pick(
                    f"[green]✓[/] Plant {shown['code']} ({shown['name']}) is number {shown['number']} of the group.",
                    f"[green]✓[/] 工厂 {shown['code']}（{shown['name']}）已登记，编号 {shown['number']}。",
                )
            )


def _enrol(node: Node, order: Enrolment) -> None:
    actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

    def take_in(session: Session) -> None:
        enrol_in_group(session, order, actor=actor, now=now)

    node.writer.write(take_in)
