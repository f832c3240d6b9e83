"""`batchloom worker`: a process that takes the jobs of a node from its broker."""

from typing import Annotated

import typer

from api.cli import app
from api.cli.nodes import Home, Level, celery_of


@app.command()
def worker(
    home: Home,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, help="Number of processes; one for each queue unless given."),
    ] = None,
    queues: Annotated[
        str | None, typer.Option("--queues", help="Names of queues to take, with commas; all unless given.")
    ] = None,
    level: Level = "INFO",
) -> None:
    """Run a Celery worker for a node that has a broker_url. Ctrl-C ends it after the job that runs.

    Start as many as you like, on any machine that reaches the node's database. `batchloom beat` must run once.

    Example:  batchloom worker --home hub
    """
    raise typer.Exit(celery_of(home).run_worker(concurrency=concurrency, queues=queues, level=level))
