"""`batchloom beat`: the process that puts the jobs of a node on its broker when they are due."""

from api.cli import app
from api.cli.nodes import Home, Level, celery_of


@app.command()
def beat(home: Home, level: Level = "INFO") -> None:
    """Run the Celery beat of a node that has a broker_url. Run one for each node. Ctrl-C ends it.

    Jobs are due by their last success in the node's database, so a restart delays none of them.

    Example:  batchloom beat --home hub
    """
    celery_of(home).run_beat(level=level)
