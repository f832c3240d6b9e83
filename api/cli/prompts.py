"""Prompts: asking before a command does what cannot be undone, and showing how far a long one is."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.output import ERRORS
from infra.messages import Failure, message

Sure = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def confirm(asked: str, *, sure: bool = False) -> None:
    """Ask for a yes unless the caller is sure already; raises Failure on a no."""
    if not sure and not typer.confirm(asked, default=False):
        raise Failure(message("NOT_CONFIRMED", "Nothing was changed."))


def progress_bar(*, quiet: bool) -> Progress:
    """Return a progress bar on standard error, so that standard output holds the result alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=ERRORS, transient=True, disable=quiet)
