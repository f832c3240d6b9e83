"""The command line. Folders and files are groups and commands: `plant/sync_now.py` is `batchloom plant sync-now`."""

from typing import Final

from api.cli.output import Application
from api.language import _

app: Final = Application(
    name="batchloom",
    help=_(
        "Batch (material lot) management for groups with several plants.\n\nTo see all of it at work:  batchloom demo"
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
