"""`batchloom plant`: make a plant's node, show its card, and serve it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.nodes import Home, UntilInputEnds, card_of, new_settings, opened, run_node
from api.cli.output import CONSOLE, CannotDo, pick, show_json
from api.node.node import Node, make_home
from infra import roles
from infra.database import Session
from plants.commands.group.plants import NewPlant, open_plant
from plants.store.materials.plants import Plant

app = typer.Typer(
    help="A plant: writes to its own store and keeps working when the network is down.\n\n"
    "工厂节点：写入本地数据库，断网时照常工作。",
    no_args_is_help=True,
)


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
    hub = _read_hub_card(hub_card) if hub_card else {}
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


@app.command()
def card(home: Home) -> None:
    """Print the plant's public card as JSON, for `batchloom hub enrol`. It holds nothing secret.

    Example:  batchloom plant card --home sh1 > sh1-card.json
    """
    with opened(home) as node, node.store.reading() as reads:
        plant = reads.get(Plant, node.settings.plant_number)
        show_json(card_of(node.settings, node.keys, "" if plant is None else plant.name))


@app.command()
def run(home: Home, *, until_input_ends: UntilInputEnds = False) -> None:
    """Serve the plant until Ctrl-C: GraphQL, sign-in, and the jobs that replicate.

    Example:  batchloom plant run --home sh1
    """
    run_node(home, until_input_ends=until_input_ends)


def begin_ledger(node: Node, name: str, time_zone: str) -> None:
    """Write the first entry of a new plant's ledger; raises Refusal for a name or time zone that cannot be one."""
    settings = node.settings
    order = NewPlant(settings.plant_number, settings.plant_code, name, time_zone, settings.origin)

    def begin(session: Session) -> None:
        open_plant(session, order, now=node.clock.now())

    node.writer.write(begin)


def _read_hub_card(path: Path) -> dict[str, Any]:
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and shown.get("role") == roles.Role.HUB.value
    if not fits or not all(isinstance(shown.get(name), str) for name in ("group", "ledgerKey")):
        raise CannotDo(
            f"{path} is not the card of a hub. Make it with: batchloom hub card --home DIR > {path.name}",
            f"{path} 不是中心名片，请用 batchloom hub card --home 目录 > {path.name} 生成。",
        )
    return dict(shown)
