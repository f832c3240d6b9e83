"""`batchloom sdl`: the GraphQL contract of each role, as text."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli import app
from api.cli.output import CONSOLE
from infra.roles import Role


@app.command()
def sdl(
    role: Annotated[Role | None, typer.Argument(help="plant or hub; both, one after the other, unless given.")] = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write schema/plant.graphql and schema/hub.graphql of this checkout.")
    ] = False,
) -> None:
    """Print the GraphQL schema that a plant or the hub answers with.

    Example:  batchloom sdl hub > hub.graphql
    """
    import schema  # noqa: PLC0415 -- building the contract takes time that no other command needs.
    from schema.engine.sdl import sdl as sdl_of  # noqa: PLC0415 -- the same.

    for one in [role] if role is not None else list(Role):
        if write:
            path = Path(schema.__file__).with_name(f"{one.value}.graphql")
            path.write_text(sdl_of(one), encoding="utf-8")
            CONSOLE.print(f"[green]✓[/] {path}", soft_wrap=True)
        else:
            sys.stdout.write(sdl_of(one))
