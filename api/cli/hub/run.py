"""`batchloom hub run`: serve the hub."""

from api.cli.hub import SET_UP, app
from api.cli.nodes import Home, UntilInputEnds, run_node
from infra.roles import Role


@app.command(rich_help_panel=SET_UP)
def run(home: Home, *, until_input_ends: UntilInputEnds = False) -> None:
    """Serve the hub until Ctrl-C: GraphQL, sign-in and replication.

    Example:  batchloom hub run --home hub
    """
    run_node(home, Role.HUB, until_input_ends=until_input_ends)
