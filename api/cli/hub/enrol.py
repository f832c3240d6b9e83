"""`batchloom hub enrol`: enrol plants by their cards."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.cards import order_of_card, read_card
from api.cli.hub import ENROLMENT, app
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.language import marked
from api.node.node import Node
from auth.actors import Role
from infra.database import Session
from plants.commands.group.enrolment import Enrolment
from sync_jobs.hub.enrolment import enrol as enrol_in_group


@app.command(rich_help_panel=ENROLMENT)
def enrol(
    home: Home,
    cards: Annotated[list[Path], typer.Argument(metavar="CARD.json…", exists=True, dir_okay=False, readable=True)],
) -> None:
    """Enrol plants by their public cards, which `batchloom plant card` prints at each of them.

    Use it for plants that were made with `batchloom plant init`. Compare the keys with those that the plant shows
    first: the hub trusts them from now on.

    Example:  batchloom hub enrol --home hub sh1-card.json sz2-card.json
    """
    with opened_hub(home) as node:
        for path in cards:
            shown = read_card(path)
            _enrol(node, order_of_card(node, shown))
            CONSOLE.print(
                marked(
                    "[green]✓[/] Plant {code} ({name}) is enrolled with number {number}.",
                    code=shown["code"],
                    name=shown["name"],
                    number=shown["number"],
                )
            )


def _enrol(node: Node, order: Enrolment) -> None:
    actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

    def take_in(session: Session) -> None:
        enrol_in_group(session, order, actor=actor, now=now)

    node.writer.write(take_in)
