"""`batchloom plant init`: make a plant for which the number and code are known."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from api.cli.cards import read_hub_card
from api.cli.nodes import Home, new_settings, opened
from api.cli.output import CONSOLE
from api.cli.plant import SET_UP, app
from api.language import _, marked
from api.node.node import Node, make_home
from infra import roles
from infra.database import Session
from plants.commands.group.plants import NewPlant, open_plant


@app.command(rich_help_panel=SET_UP)
def init(
    *,
    home: Home,
    number: Annotated[
        int, typer.Option(min=1, max=8191, help="Number of the plant, as the hub assigned it. It never changes.")
    ],
    code: Annotated[
        str, typer.Option(help="Code of the plant: 2 to 4 of A-Z and 0-9, unique in the group. It never changes.")
    ],
    name: Annotated[str, typer.Option(help="Name of the plant.")],
    time_zone: Annotated[
        str, typer.Option(help="IANA time zone. Expiry dates and dates in codes use its local day.")
    ] = "UTC",
    hub_card: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with the card of the hub, from `batchloom hub card`."),
    ] = None,
    hub_url: Annotated[str | None, typer.Option(help="URL of the hub: https://hub.example.")] = None,
    group: Annotated[str | None, typer.Option(help="Domain name of the group, if --hub-card is not given.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8701,
) -> None:
    """Make a plant's home: settings, keys, the migrated store and the first entry of its ledger.

    Use it for a plant without a hub, or one that is enrolled by its card. With a one-time code use `batchloom plant
    enrol`. The store is a SQLite file in the home, or the PostgreSQL that BATCHLOOM_DATABASE_URL names.

    Example:  batchloom plant init --home sh1 --number 1 --code SH1 --name "Shanghai 1"
    --time-zone Asia/Shanghai --hub-card hub-card.json --hub-url https://hub.example
    """
    hub = read_hub_card(hub_card) if hub_card else {}
    if not (group or hub):
        raise typer.BadParameter(_("give --hub-card or --group"))
    settings = new_settings(
        home,
        role=roles.Role.PLANT,
        group=hub.get("group") or group,
        plant_number=number,
        plant_code=code,
        hub_url=hub_url,
        hub_key=hub.get("ledgerKey"),
        host=host,
        port=port,
    )
    make_home(settings)
    with opened(home) as node:
        begin_ledger(node, name, time_zone)
    file = f"{code.lower()}-card.json"
    CONSOLE.print(
        marked(
            "[green]✓[/] Plant {code} was made in {home}. Next:\n"
            "  batchloom plant card --home {home} > {file}   (for `batchloom hub enrol`)\n"
            "  batchloom person add --home {home} ID --name NAME --role operator\n"
            "  batchloom plant run --home {home}",
            code=code,
            home=quote(str(home)),
            file=file,
        ),
        soft_wrap=True,
    )


def begin_ledger(node: Node, name: str, time_zone: str) -> None:
    """Write the first entry of a new plant's ledger; raises Refusal for a name or time zone that cannot be one."""
    settings = node.settings
    order = NewPlant(settings.plant_number, settings.plant_code, name, time_zone, settings.origin)

    def begin(session: Session) -> None:
        open_plant(session, order, now=node.clock.now())

    node.writer.write(begin)
