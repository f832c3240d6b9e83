"""What the hub's and the plants' commands share: a home's node, its public card, and serving until Ctrl-C."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.cli.output import CONSOLE, CannotDo, pick
from api.node.node import Node
from api.node.shutdown import Ending
from auth.actors import Actor, Role, system_actor
from infra import garbage_collection, roles
from infra.ids import new_id
from infra.settings import FILE_NAME, Settings, load
from sync_jobs.assembly import NotConnected, plant_node
from sync_jobs.nodes import PlantNode

Home = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="BATCHLOOM_HOME",
        help="Directory of the node: settings, keys and, where it is embedded, the store.",
        show_default=False,
    ),
]
Homes = Annotated[
    list[Path],
    typer.Option("--home", help="Directory of a node; repeat it for several.", show_default=False),
]
UntilInputEnds = Annotated[
    bool, typer.Option("--until-input-ends", hidden=True, help="End when standard input is closed, too.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program, not text for a person.")]


@contextmanager
def opened(home: Path, *, serving: bool = False) -> Iterator[Node]:
    """Open the node of a home for the length of the block; another process may serve it meanwhile."""
    with Node(load(home), serving=serving) as node:
        yield node


def console_actor(*given: Role) -> Actor:
    """Return who acts on the node itself: whoever can read its private keys could do all this anyway."""
    return system_actor("console", *given)


def new_settings(home: Path, **given: object) -> Settings:
    """Return the settings of a new home; says in one sentence which of them cannot be."""
    if (home / FILE_NAME).exists():
        raise CannotDo(
            f"{home} is a node's home already. Choose another directory, or run what is there.",
            f"{home} 已是一个节点的目录，请另选目录，或直接运行该节点。",
        )
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(home=home, **chosen)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}" for one in error.errors())
        raise CannotDo(f"These settings cannot be: {wrong}.", f"设置无效：{wrong}。") from None


def run_node(home: Path, *, until_input_ends: bool = False) -> None:
    """Serve a home's node until Ctrl-C or SIGTERM, and finish what was begun before returning.

    With `until_input_ends` also until standard input is closed: whoever started the node is gone then.
    """
    with garbage_collection.paused():
        from api.http.serve import serve  # noqa: PLC0415 -- commands that serve nothing start faster without it.

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("celery").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Until the server takes signals itself, and again after it: what was opened is closed.
    with Ending() as ending, opened(home, serving=True) as node:
        settings = node.settings
        scheme = "https" if settings.tls_certificate else "http"
        plant = pick("Plant", "工厂") + f" {settings.plant_code}"
        who = plant if settings.role is roles.Role.PLANT else pick("The hub", "中心")
        is_at, end = pick("is at", "地址："), pick("Ctrl-C ends it.", "按 Ctrl-C 结束。")
        CONSOLE.print(
            f"{who} {is_at} [bold]{scheme}://{settings.host}:{settings.port}[/]  [dim]{end}[/]", soft_wrap=True
        )
        ending.check()
        serve(node, until=_wait_for_input_to_end if until_input_ends else None)


def _wait_for_input_to_end() -> None:
    # Past the buffer of sys.stdin: a thread that waits in there cannot be ended.
    while os.read(sys.stdin.fileno(), 1):
        pass


def replicating(node: Node) -> PlantNode:
    """Return the plant's side of replication, under a holder of its own; raises CannotDo where there is no hub."""
    try:
        return plant_node(node.settings, node.store, node.writer, node.clock, holder=f"console-{new_id()}")
    except NotConnected:
        raise CannotDo(
            "This node has no hub: set hub_url and hub_key, or it is the hub itself.",
            "本节点未设置中心（hub_url、hub_key），或其本身即为中心。",
        ) from None


def check_hub(node: Node) -> None:
    if node.settings.role is not roles.Role.HUB:
        raise CannotDo("This is not the hub.", "本节点不是总部。")
