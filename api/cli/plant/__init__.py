"""`batchloom plant`: commands that run at a plant."""

from typing import Final

import typer

from api.language import _

app: Final = typer.Typer(
    help=_("Commands for a plant, which writes to its own store and keeps working when the network is down."),
    no_args_is_help=True,
)

SET_UP: Final = _("Set up")
OPERATION: Final = _("Operate")
KEYS: Final = _("Keys")
REPAIR: Final = _("Repair")
"""The panels of the help, by the purpose of the commands."""
