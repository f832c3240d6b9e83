"""Goods go from one location to another, blocked ones too."""

from plants.commands.inventory.movements import Move, move_batch
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import AMOUNT_NOT_POSITIVE, NOTHING_CHANGES
from tests.factories import Plant


def test_moved_then_stock_is_elsewhere_and_genealogy_says_nothing(plant: Plant) -> None:
    milk = plant.receive()
    entry = plant.do(move_batch, Move(milk, "A1", "B1", "40500", "GRM"))
    assert (entry.type, entry.envelope["key"]) == ("BatchMoved", milk)
    assert plant.movements(entry) == [(plant.batch_id(milk), "40.5", "stock:A1", "stock:B1")]
    assert plant.edges(entry) == []
    assert plant.stock() == {(milk, "A1"): "59.5", (milk, "B1"): "40.5"}
    assert plant.batch(milk)["version"] == entry.index
    plant.do(move_batch, Move(milk, "A1", "B1", "59.5", "KGM"))
    assert plant.stock() == {(milk, "B1"): "100"}


def test_held_or_expired_then_it_can_be_moved(here: Plant) -> None:
    held = here.receive(quarantine="?")
    here.do(move_batch, Move(held, "A1", "B1", "1", "KGM"))
    here.clock.advance(days=99)
    here.do(move_batch, Move(held, "A1", "B1", "1", "KGM"))
    assert here.stock() == {(held, "A1"): "98", (held, "B1"): "2"}


def test_moved_wrong_then_refused(here: Plant) -> None:
    milk = here.receive()
    here.refuses(move_batch, Move(milk, "A1", "A1", "1", "KGM"), NOTHING_CHANGES)
    here.refuses(move_batch, Move(milk, "A1", "Z9", "1", "KGM"), NOT_DEFINED)
    here.refuses(move_batch, Move(milk, "B1", "A1", "1", "KGM"), STOCK_SHORT)
    here.refuses(move_batch, Move(milk, "A1", "B1", "100.000001", "KGM"), STOCK_SHORT)
    here.refuses(move_batch, Move(milk, "A1", "B1", "-1", "KGM"), AMOUNT_NOT_POSITIVE)
    here.refuses(move_batch, Move("nonsense", "A1", "B1", "1", "KGM"), BATCH_UNKNOWN)
