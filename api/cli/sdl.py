"""`batchloom sdl`: the GraphQL contract of each role, as text."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from api.cli import app
from api.cli.output import CONSOLE
from infra.roles import Role


@app.command()
def sdl(
    role: Annotated[Role | None, typer.Argument(help="Role: plant or hub. Default: both, one after the other.")] = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write schema/plant.graphql and schema/hub.graphql of this checkout.")
    ] = False,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Write schema/baseline/: the contract that later ones must not break.")
    ] = False,
) -> None:
    """Print the GraphQL schema of a plant or of the hub.

    Use it to generate types for a client.

    Example:  batchloom sdl hub > hub.graphql
    """
    from schema.engine.sdl import baseline_file, committed_file  # noqa: PLC0415 -- importing the schema takes long.
    from schema.engine.sdl import sdl as sdl_of  # noqa: PLC0415 -- the same.

    for one in [role] if role is not None else list(Role):
        text = sdl_of(one)
        for path in [*([committed_file(one)] if write else []), *([baseline_file(one)] if baseline else [])]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            CONSOLE.print(f"[green]✓[/] {escape(str(path))}", soft_wrap=True)
        if not write and not baseline:
            sys.stdout.write(text)
