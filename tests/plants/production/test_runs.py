"""A run that is over is recorded in one entry, with the same checks and the same rows as step by step."""

from datetime import timedelta

from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Output, Yield, yield_process
from plants.rules.inventory.refusals import STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.process_records import OutputUse, RunKind
from plants.rules.production.refusals import PROCESS_CLOSED
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.rules.values.refusals import LINES_INVALID, TEXT_INVALID
from tests.factories import Plant

RUN = ProcessOrder(RunKind.REPACK, "Filling 灌装", "JO-1", "MIX1")


def test_recorded_then_one_entry_says_it_all(plant: Plant) -> None:
    milk = plant.receive()
    size = len(plant.entries())
    opened_at = plant.clock.now() - timedelta(hours=3)
    output = Output("FP-YOG", "38", "KGM", "B1", aliases=(AliasOrder("TAG", "T-9"),))
    order = ProductionRun(RUN, (StockLine(milk, "40", "KGM", "A1"),), (output,), opened_at)
    entry = plant.do(record_production, order)
    assert len(plant.entries()) == size + 1
    process = int(entry.envelope["key"])
    code = entry.payload["batches"][0]["code"]
    assert (entry.type, entry.payload["inputs"], entry.payload["outputs"], entry.payload["returned"]) == (
        "ProductionRecorded",
        {"KGM": "40"},
        {"KGM": "38"},
        {},
    )
    row = plant.process(process)
    assert (row["kind"], row["state"], row["job_order"], row["loss"]) == ("REPACK", "CLOSED", "JO-1", '{"KGM":"2"}')
    assert row["closed_us"] - row["opened_us"] == 3 * 3_600_000_000
    assert plant.edges(entry) == [
        (plant.batch_id(milk), process, "40", "KGM", "CONSUMED"),
        (process, plant.batch_id(code), "38", "KGM", "PRODUCED"),
    ]
    assert plant.stock() == {(milk, "A1"): "60", (code, "B1"): "38"}
    assert plant.rows("SELECT value, batch_id FROM aliases") == [("T-9", plant.batch_id(code))]
    plant.refuses(feed_process, Feed(process, order.inputs), PROCESS_CLOSED)


def test_step_by_step_then_edges_and_balance_are_the_same(here: Plant) -> None:
    milk, sugar = here.receive(), here.receive("RM-SUGAR")
    inputs = (StockLine(milk, "40", "KGM", "A1"), StockLine(sugar, "1", "BG", "A1"))
    outputs = (Output("FP-YOG", "60.000001", "KGM", "B1"), Output("PK-CUP", "7", "H87", "B1", OutputUse.CO_PRODUCT))
    at_once = here.do(record_production, ProductionRun(RUN, inputs, outputs))
    process = int(here.do(open_process, RUN).envelope["key"])
    fed = here.do(feed_process, Feed(process, inputs))
    yielded = here.do(yield_process, Yield(process, outputs))
    closed = here.do(close_process, Closing(process))
    for name in ("inputs", "outputs", "returned"):
        assert at_once.payload[name] == closed.payload[name]
    assert at_once.payload["process"]["loss"] == closed.payload["process"]["loss"] == {"KGM": "4.999999", "H87": "-7"}
    amounts = [edge[2:] for edge in here.edges(at_once)]
    assert amounts == [edge[2:] for edge in here.edges(fed) + here.edges(yielded)]


def test_only_inputs_or_only_outputs_then_taken(here: Plant) -> None:
    milk = here.receive()
    lost = here.do(record_production, ProductionRun(RUN, (StockLine(milk, "40", "KGM", "A1"),)))
    assert lost.payload["process"]["loss"] == {"KGM": "40"}
    grown = here.do(record_production, ProductionRun(RUN, outputs=(Output("RM-MILK", "5", "KGM", "A1"),)))
    assert grown.payload["process"]["loss"] == {"KGM": "-5"}


def test_recorded_wrong_then_refused(here: Plant) -> None:
    milk = here.receive()
    line, output = StockLine(milk, "40", "KGM", "A1"), Output("FP-YOG", "38", "KGM", "B1")
    here.refuses(record_production, ProductionRun(RUN), LINES_INVALID)
    here.refuses(record_production, ProductionRun(RUN, (line, line, line), (output,)), STOCK_SHORT)
    here.refuses(record_production, ProductionRun(RUN, (line,) * 60, (output,) * 60), LINES_INVALID)
    here.refuses(record_production, ProductionRun(RUN, (line,), (Output("X", "1", "KGM", "B1"),)), NOT_DEFINED)
    here.refuses(record_production, ProductionRun(ProcessOrder(equipment="X"), (line,), (output,)), NOT_DEFINED)
    late = here.clock.now() + timedelta(seconds=1)
    here.refuses(record_production, ProductionRun(RUN, (line,), (output,), late), TEXT_INVALID)
    held = here.receive(quarantine="?")
    inputs = (line, StockLine(held, "1", "KGM", "A1"))
    here.refuses(record_production, ProductionRun(RUN, inputs, (output,)), BATCH_ON_HOLD)
