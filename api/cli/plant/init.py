"""`batchloom plant init`: make a plant for which the number and code are known."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.cards import read_hub_card
from api.cli.nodes import Home, new_settings, opened
from api.cli.output import CONSOLE, pick
from api.cli.plant import app
from api.node.node import Node, make_home
from infra import roles
from infra.database import Session
from plants.commands.group.plants import NewPlant, open_plant


@app.command()
def init(
    *,
    home: Home,
    number: Annotated[int, typer.Option(min=1, max=8191, help="The plant's number, as the hub gives it, for good.")],
    code: Annotated[str, typer.Option(help="The plant's code: 2 to 4 of A-Z and 0-9, unique in the group, for good.")],
    name: Annotated[str, typer.Option(help="What people call the plant.")],
    time_zone: Annotated[str, typer.Option(help="IANA time zone: expiry and code dates go by the local day.")] = "UTC",
    hub_card: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Card of the hub (`batchloom hub card`): group and key."),
    ] = None,
    hub_url: Annotated[str | None, typer.Option(help="Where the plant finds the hub: https://hub.example.")] = None,
    group: Annotated[str | None, typer.Option(help="Domain name of the group, where there is no hub's card.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8701,
) -> None:
    """Make a plant's home: settings, keys, the migrated store and the first entry of its ledger.

    The store is a SQLite file in the home, or the PostgreSQL that BATCHLOOM_DATABASE_URL names.

    Example:  batchloom plant init --home sh1 --number 1 --code SH1 --name "Shanghai 1"
    --time-zone Asia/Shanghai --hub-card hub-card.json --hub-url https://hub.example
    """
    hub = read_hub_card(hub_card) if hub_card else {}
    if not (group or hub):
        raise typer.BadParameter(pick("give --hub-card or --group", "请给出 --hub-card 或 --group"))
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
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {code} is made in {home}. Next:\n"
            f"  batchloom plant card --home {home} > {code.lower()}-card.json   (for `batchloom hub enrol`)\n"
            f"  batchloom person add --home {home} ID --name NAME --role operator\n"
            f"  batchloom plant run --home {home}",
            f"[green]✓[/] 工厂 {code} 已建立于 {home}。接下来：\n"
            f"  batchloom plant card --home {home} > {code.lower()}-card.json   （供 batchloom hub enrol 使用）\n"
            f"  batchloom person add --home {home} 工号 --name 姓名 --role operator\n"
            f"  batchloom plant run --home {home}",
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
