"""`batchloom import`: documents of other systems."""

from typing import Final

import typer

from api.language import _

app: Final = typer.Typer(help=_("Import documents of other systems."), no_args_is_help=True)


@app.callback()
def imports() -> None:
    """Keep `epcis` a word of the command line: a group with one command and no callback would be that command."""
