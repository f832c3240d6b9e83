"""Nodes for the commands: open the node of a home, make settings, and serve until Ctrl-C."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.cli.output import CONSOLE
from api.language import _
from api.node.node import Node
from api.node.shutdown import SignalGuard
from auth.actors import Actor, Role, system_actor
from infra import garbage_collection, roles
from infra.ids import new_id
from infra.messages import Failure, message
from infra.settings import FILE_NAME, Settings, load
from infra.settings_errors import problems_of
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
    typer.Option("--home", help="Directory of a node; may be repeated.", show_default=False),
]
UntilInputEnds = Annotated[
    bool, typer.Option("--until-input-ends", hidden=True, help="Stop also when standard input is closed.")
]
Level = Annotated[str, typer.Option("--loglevel", help="DEBUG, INFO, WARNING or ERROR.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@contextmanager
def opened(home: Path, *, serving: bool = False) -> Iterator[Node]:
    """Open the node of a home for the length of the block; another process may serve it meanwhile."""
    with Node(load(home), serving=serving) as node:
        yield node


@contextmanager
def opened_hub(home: Path, *, serving: bool = False) -> Iterator[Node]:
    """Open the hub of a home as `opened` does; raises Failure at a plant."""
    check_role(home, roles.Role.HUB)
    with opened(home, serving=serving) as node:
        yield node


@contextmanager
def opened_plant(home: Path, *, serving: bool = False) -> Iterator[Node]:
    """Open the plant of a home as `opened` does; raises Failure at the hub."""
    check_role(home, roles.Role.PLANT)
    with opened(home, serving=serving) as node:
        yield node


def console_actor(*given: Role) -> Actor:
    """Return the actor of commands at the node. A reader of its private keys has these permissions anyway."""
    return system_actor("console", *given)


def new_settings(home: Path, **given: object) -> Settings:
    """Return the settings of a new home; raises Failure for invalid ones."""
    if (home / FILE_NAME).exists():
        raise Failure(
            message("HOME_TAKEN", "{home} is the home of a node already. Choose another directory, or run the node."),
            home=home,
        )
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(home=home, **chosen)
    except ValidationError as error:
        problems = problems_of(error, Settings)
        raise Failure(
            message("SETTINGS_INVALID", "These settings are invalid: {problems}."), problems=problems
        ) from None


def run_node(home: Path, role: roles.Role, *, until_input_ends: bool = False) -> None:
    """Serve a home's node of this role until Ctrl-C or SIGTERM, and finish requests in progress.

    With `until_input_ends` also until standard input is closed, which shows that the parent process has ended.
    """
    check_role(home, role)
    with garbage_collection.paused():
        from api.http.serve import serve  # noqa: PLC0415 -- commands that serve nothing start faster without it.

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("celery").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # The server handles signals itself while it runs. Before and after, this closes the node.
    with SignalGuard() as signals, opened(home, serving=True) as node:
        settings = node.settings
        scheme = "https" if settings.tls_certificate else "http"
        url, code = f"[bold]{scheme}://{settings.host}:{settings.port}[/]", settings.plant_code
        said = _("The hub is at {url}", url=url)
        if settings.role is roles.Role.PLANT:
            said = _("Plant {code} is at {url}", code=code, url=url)
        stop = _("Press Ctrl-C to stop.")
        signals.check()
        serve(
            node,
            until=_wait_for_input_to_end if until_input_ends else None,
            announce=lambda: CONSOLE.print(f"{said}  [dim]{stop}[/]", soft_wrap=True),
        )


def celery_of(home: Path) -> Any:
    """Return the module of a node's Celery application; raises SettingsInvalid for a node without a broker."""
    # Celery imports the application by name, in child processes too: the environment says which node it is of.
    os.environ["BATCHLOOM_HOME"] = str(home.resolve())
    return import_module("sync_jobs.celery.worker")


def _wait_for_input_to_end() -> None:
    # Past the buffer of sys.stdin: a thread that waits in there cannot be ended.
    while os.read(sys.stdin.fileno(), 1):
        pass


def replicating(node: Node) -> PlantNode:
    """Return the plant's side of replication, with its own lease holder; raises Failure where no hub is set."""
    try:
        return plant_node(node.settings, node.store, node.writer, node.clock, holder=f"console-{new_id()}")
    except NotConnected:
        raise Failure(
            message("HUB_NOT_SET", "This node has no hub to exchange with. At a plant, set hub_url and hub_key.")
        ) from None


def check_role(home: Path, role: roles.Role) -> None:
    """Raise Failure, before anything is opened, where a home is not of a node of this role."""
    if load(home).role is role:
        return
    if role is roles.Role.HUB:
        raise Failure(message("NOT_THE_HUB", "This node is a plant. Run this command at the hub."))
    raise Failure(message("NOT_A_PLANT", "This node is the hub. Run this command at a plant."))
