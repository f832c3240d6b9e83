"""`batchloom hub`: commands that run at the hub."""

from typing import Final

import typer

from api.language import _

app: Final = typer.Typer(
    help=_("Commands for the hub, which collects the ledgers of all plants."),
    no_args_is_help=True,
)

SET_UP: Final = _("Set up")
ENROLMENT: Final = _("Enrol plants")
KEYS: Final = _("Keys")
"""The panels of the help, by the purpose of the commands."""
