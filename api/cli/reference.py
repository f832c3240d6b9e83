"""`batchloom reference`: the reference pages that are generated from the declarations."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from api.cli import app
from api.cli.output import CONSOLE


@app.command()
def reference(
    *, write: Annotated[bool, typer.Option("--write", help="Write docs/reference/*.md of this checkout.")] = False
) -> None:
    """Print the generated reference pages: permissions, refusals, alarms, event types and settings.

    Example:  batchloom reference > reference.md
    """
    from api.reference import FOLDER, PAGES  # noqa: PLC0415 -- importing the schema takes time no other command needs.

    for name, page in PAGES.items():
        if write:
            (FOLDER / name).write_text(page(), encoding="utf-8")
            CONSOLE.print(f"[green]✓[/] {escape(str(FOLDER / name))}", soft_wrap=True)
        else:
            sys.stdout.write(page())
