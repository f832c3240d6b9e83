"""`batchloom hub`: make the group's hub, show its card, take plants into the group, and serve it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.nodes import Home, UntilInputEnds, card_of, console_actor, new_settings, opened, run_node
from api.cli.output import CONSOLE, CannotDo, pick, show_json
from api.node.node import Node, make_home
from auth.actors import Role
from infra import roles
from infra.database import Session
from infra.settings import directive_origin
from plants.commands.group.enrolment import Enrolment, open_hub
from sync_jobs.hub.enrolment import enrol as enrol_in_group

app = typer.Typer(
    help="The hub: where the ledgers of all plants come together.\n\n中心节点：汇集各工厂的账本。",
    no_args_is_help=True,
)


@app.command()
def init(
    *,
    home: Home,
    group: Annotated[str, typer.Option(help="Domain name of the group; every ledger's origin begins with it.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8700,
) -> None:
    """Make the hub's home: settings, keys, the migrated store and the first entry of its ledger.

    The store is an embedded PostgreSQL in the home, or the one that BATCHLOOM_DATABASE_URL names (in the environment,
    because it holds a password).

    Example:  batchloom hub init --home hub --group weaver.example
    """
    make_home(new_settings(home, role=roles.Role.HUB, group=group, host=host, port=port))
    with opened(home) as node:
        settings = node.settings

        def begin(session: Session) -> None:
            open_hub(session, group=settings.group, origin=settings.origin, now=node.clock.now())

        node.writer.write(begin)
    CONSOLE.print(
        pick(
            f"[green]✓[/] The hub of {group} is made in {home}. Next:\n"
            f"  batchloom person add --home {home} ID --name NAME --role headquarters\n"
            f"  batchloom hub run --home {home}",
            f"[green]✓[/] {group} 的中心节点已建立于 {home}。接下来：\n"
            f"  batchloom person add --home {home} 工号 --name 姓名 --role headquarters\n"
            f"  batchloom hub run --home {home}",
        ),
        soft_wrap=True,
    )


@app.command()
def card(home: Home) -> None:
    """Print the hub's public card as JSON, for `batchloom plant init --hub-card`. It holds nothing secret.

    Example:  batchloom hub card --home hub > hub-card.json
    """
    with opened(home) as node:
        show_json(card_of(node.settings, node.keys, ""))


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


@app.command()
def run(home: Home, *, until_input_ends: UntilInputEnds = False) -> None:
    """Serve the hub until Ctrl-C: GraphQL, sign-in and replication.

    Example:  batchloom hub run --home hub
    """
    run_node(home, until_input_ends=until_input_ends)


def order_of_card(node: Node, shown: dict[str, Any]) -> Enrolment:
    """Return what a plant's card asks for; CannotDo where it is of another group than this hub."""
    group, code = node.settings.group, shown["code"]
    if shown["group"] != group:
        raise CannotDo(
            f"Plant {code} is of the group {shown['group']}, this hub of {group}.",
            f"工厂 {code} 属于 {shown['group']}，而本中心属于 {group}。",
        )
    return Enrolment(
        number=shown["number"],
        code=code,
        name=shown["name"],
        origin=shown["origin"],
        directive_origin=directive_origin(group, code),
        ledger_key=shown["ledgerKey"],
        assertion_key=shown["assertionKey"],
    )


def _enrol(node: Node, order: Enrolment) -> None:
    actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

    def take_in(session: Session) -> None:
        enrol_in_group(session, order, actor=actor, now=now)

    node.writer.write(take_in)


def read_card(path: Path) -> dict[str, Any]:
    """Return what stands on a plant's card; CannotDo where the file is none."""
    texts = ("group", "code", "name", "origin", "ledgerKey", "assertionKey")
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        shown = None
    fits = isinstance(shown, dict) and type(shown.get("number")) is int
    if not fits or not all(isinstance(shown.get(name), str) for name in texts):
        raise CannotDo(
            f"{path} is not the card of a plant. Make it with: batchloom plant card --home DIR > {path.name}",
            f"{path} 不是工厂名片，请用 batchloom plant card --home 目录 > {path.name} 生成。",
        )
    return dict(shown)
