"""`batchloom hub init`: make the group's hub."""

from shlex import quote
from typing import Annotated

import typer

from api.cli.hub import SET_UP, app
from api.cli.nodes import Home, new_settings, opened
from api.cli.output import CONSOLE
from api.language import marked
from api.node.node import make_home
from infra import roles
from infra.database import Session
from plants.commands.group.enrolment import open_hub


@app.command(rich_help_panel=SET_UP)
def init(
    *,
    home: Home,
    group: Annotated[str, typer.Option(help="Domain name of the group. The origin of every ledger begins with it.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8700,
) -> None:
    """Make the hub's home: settings, keys, the migrated store and the first entry of its ledger.

    Run it once for a group. The store is an embedded PostgreSQL in the home, or the one that the environment variable
    BATCHLOOM_DATABASE_URL names.

    Example:  batchloom hub init --home hub --group weaver.example
    """
    make_home(new_settings(home, role=roles.Role.HUB, group=group, host=host, port=port))
    with opened(home) as node:
        settings = node.settings

        def begin(session: Session) -> None:
            open_hub(session, group=settings.group, origin=settings.origin, now=node.clock.now())

        node.writer.write(begin)
    CONSOLE.print(
        marked(
            "[green]✓[/] The hub of {group} was made in {home}. Next:\n"
            "  batchloom person add --home {home} ID --name NAME --role headquarters\n"
            "  batchloom hub run --home {home}",
            group=group,
            home=quote(str(home)),
        ),
        soft_wrap=True,
    )
