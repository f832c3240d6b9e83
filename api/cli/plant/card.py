"""`batchloom plant card`: the plant's public card."""

from api.cli.cards import card_of
from api.cli.nodes import Home, opened_plant
from api.cli.output import show_json
from api.cli.plant import SET_UP, app
from plants.store.materials.plants import Plant


@app.command(rich_help_panel=SET_UP)
def card(home: Home) -> None:
    """Print the plant's public card as JSON, for `batchloom hub enrol` and `batchloom hub readmit`. It holds no secret.

    Example:  batchloom plant card --home sh1 > sh1-card.json
    """
    with opened_plant(home) as node, node.store.reading() as reads:
        plant = reads.get(Plant, node.settings.plant_number)
        show_json(card_of(node.settings, node.keys, "" if plant is None else plant.name))
