"""The intents of all users, and how often each is chosen."""

from collections.abc import Callable
from typing import Final

from simulation import goods_intents, headquarters_intents, master_data_intents, quality_intents
from simulation.workload import Intent, View

INTENTS: Final[tuple[tuple[int, Callable[[View], Intent | None]], ...]] = (
    (18, goods_intents.receive), (5, goods_intents.open_run), (10, goods_intents.feed),
    (9, goods_intents.add_outputs), (3, goods_intents.close_run), (5, goods_intents.produce),
    (5, goods_intents.split), (4, goods_intents.merge), (6, goods_intents.move), (9, goods_intents.dispatch),
    (12, goods_intents.arrive), (5, goods_intents.ship), (4, goods_intents.count),
    (5, quality_intents.hold), (8, quality_intents.ask), (9, quality_intents.decide), (4, quality_intents.correct),
    (2, quality_intents.name), (2, quality_intents.unname), (2, quality_intents.settle),
    (3, master_data_intents.save), (2, master_data_intents.save_many),
    (10, headquarters_intents.direct), (2, headquarters_intents.retry),
)  # fmt: skip


def next_intent(view: View) -> Intent:
    """Return the next intent of a user; a receipt where the view does not allow the one that was drawn."""
    drawn = view.chance.choices([one for _, one in INTENTS], [weight for weight, _ in INTENTS])[0]
    return drawn(view) or goods_intents.receive(view)
