"""`batchloom hub`: commands that run at the hub."""

from typing import Final

import typer

from api.language import _

app: Final = typer.Typer(
    help=_("Commands for the hub, which collects the ledgers of all plants."),
    no_args_is_help=True,
)
