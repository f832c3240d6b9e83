"""Goods leave for a customer, and a trace can follow them there."""

from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.production.process_records import Closing, Feed, close_process, feed_process
from plants.rules.inventory.refusals import STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import PROCESS_UNKNOWN
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD
from plants.rules.values.refusals import LINES_INVALID, TEXT_INVALID
from tests.factories import Plant


def test_shipped_then_goods_are_gone_and_the_customer_known(plant: Plant) -> None:
    milk, sugar = plant.receive(), plant.receive("RM-SUGAR")
    lines = (StockLine(milk, "100", "KGM", "A1"), StockLine(sugar, "2", "BG", "A1"))
    entry = plant.do(ship_batch, Shipment("C1", lines, "SO-9"))
    shipment = int(entry.envelope["key"])
    assert entry.type == "BatchShipped"
    assert plant.stock() == {(sugar, "A1"): "50"}
    assert plant.edges(entry) == [
        (plant.batch_id(milk), shipment, "100", "KGM", "SHIPPED"),
        (plant.batch_id(sugar), shipment, "50", "KGM", "SHIPPED"),
    ]
    row = plant.process(shipment)
    assert (row["kind"], row["state"], row["customer"], row["job_order"]) == ("SHIPMENT", "CLOSED", "C1", "SO-9")
    plant.refuses(feed_process, Feed(shipment, lines), PROCESS_UNKNOWN)
    plant.refuses(close_process, Closing(shipment), PROCESS_UNKNOWN)


def test_shipped_wrong_then_refused(here: Plant) -> None:
    milk = here.receive()
    line = StockLine(milk, "60", "KGM", "A1")
    here.refuses(ship_batch, Shipment("C9", (line,)), NOT_DEFINED)
    here.refuses(ship_batch, Shipment("C1", (line,), ""), TEXT_INVALID)
    here.refuses(ship_batch, Shipment("C1", ()), LINES_INVALID)
    here.refuses(ship_batch, Shipment("C1", (line, line)), STOCK_SHORT)
    held = here.receive(quarantine="?")
    here.refuses(ship_batch, Shipment("C1", (line, StockLine(held, "1", "KGM", "A1"))), BATCH_ON_HOLD)
    here.clock.advance(days=31)
    here.refuses(ship_batch, Shipment("C1", (line,)), BATCH_EXPIRED)
