"""`batchloom hub card`: the hub's public card."""

from api.cli.cards import card_of
from api.cli.hub import SET_UP, app
from api.cli.nodes import Home, opened_hub
from api.cli.output import show_json


@app.command(rich_help_panel=SET_UP)
def card(home: Home) -> None:
    """Print the hub's public card as JSON. It holds no secret.

    A plant that is made with `batchloom plant init --hub-card` needs it.

    Example:  batchloom hub card --home hub > hub-card.json
    """
    with opened_hub(home) as node:
        show_json(card_of(node.settings, node.keys, ""))
