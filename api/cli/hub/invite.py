"""`batchloom hub invite`: invite a plant with a one-time code."""

from shlex import quote
from typing import Annotated

import typer

from api.cli.hub import ENROLMENT, app
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.language import marked
from auth import enrolment
from auth.actors import Role
from auth.enrolment import OneTimeCode
from infra.database import Session


@app.command(rich_help_panel=ENROLMENT)
def invite(
    *,
    home: Home,
    code: Annotated[
        str, typer.Option(help="Code of the plant: 2 to 4 of A-Z and 0-9, unique in the group. It never changes.")
    ],
    name: Annotated[str, typer.Option(help="Name of the plant.")],
    number: Annotated[
        int | None,
        typer.Option(min=1, max=8191, help="Number of the plant, which never changes. Default: the next free one."),
    ] = None,
) -> None:
    """Invite a plant to the group: print a one-time code, which is valid for 24 hours.

    This is the usual way to enrol a plant. Run `batchloom plant enrol` with the code at the plant.

    Example:  batchloom hub invite --home hub --code SH1 --name "Shanghai 1"
    """
    with opened_hub(home) as node:
        actor, now, hub_key = console_actor(Role.ADMINISTRATOR), node.clock.now(), str(node.keys.ledger.key)

        def write(session: Session) -> tuple[OneTimeCode, int]:
            return enrolment.invite(session, actor=actor, code=code, number=number, name=name, hub_key=hub_key, now=now)

        made, given = node.writer.write(write)
    CONSOLE.print(
        marked(
            "[green]✓[/] Plant {code} is invited with number {number}. Run once at the plant within "
            "24 hours:\n"
            "  batchloom plant enrol --home {folder} --hub https://… --code {made}\n"
            "The code is not shown again. Then compare fingerprints and run here:\n"
            "  batchloom hub approve --home {home} {code}",
            code=code,
            number=given,
            folder=code.lower(),
            made=made,
            home=quote(str(home)),
        ),
        soft_wrap=True,
    )
