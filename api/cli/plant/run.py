"""`batchloom plant run`: serve the plant."""

from api.cli.nodes import Home, UntilInputEnds, run_node
from api.cli.plant import SET_UP, app
from infra.roles import Role


@app.command(rich_help_panel=SET_UP)
def run(home: Home, *, until_input_ends: UntilInputEnds = False) -> None:
    """Serve the plant until Ctrl-C: GraphQL, sign-in, and the jobs that replicate.

    Example:  batchloom plant run --home sh1
    """
    run_node(home, Role.PLANT, until_input_ends=until_input_ends)
