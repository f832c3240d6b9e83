"""Process records are opened, fed from usable stock, and closed with their mass balance."""

from datetime import timedelta

from plants.commands.execution import PlantLedgerWriter, command
from plants.commands.inventory.issues import StockLine
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.yields import Output, Yield, yield_process
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.process_records import OutputUse, RunKind
from plants.rules.production.refusals import PROCESS_CLOSED, PROCESS_UNKNOWN
from plants.rules.quality.events import BATCH_QUARANTINED
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
from plants.rules.values.refusals import AMOUNT_NOT_POSITIVE, LINES_INVALID, TEXT_INVALID, UNIT_NOT_CONVERTIBLE
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import Plant

RUN = ProcessOrder(RunKind.PRODUCTION, "Fermentation 发酵", "JO-17", "MIX1")


@command("restrict")
def restrict(writer: PlantLedgerWriter, code: str) -> Entry:
    """State a batch as restricted, as an inspection would."""
    batch = writer.batch(code).id
    payload: Outcome = {"dispositions": {str(batch): "RESTRICTED"}}
    return writer.record(BATCH_QUARANTINED, code, payload)


def opened(plant: Plant, order: ProcessOrder = RUN) -> int:
    return int(plant.do(open_process, order).envelope["key"])


def test_opened_then_record_is_there(plant: Plant) -> None:
    entry = plant.do(open_process, RUN)
    process = entry.payload["process"]["id"]
    assert (entry.type, entry.envelope["key"], process) == ("ProcessOpened", str(process), 1 << 40 | 1)
    assert plant.process(process) == {
        "id": process,
        "plant_id": 1,
        "kind": "PRODUCTION",
        "state": "OPEN",
        "job_order": "JO-17",
        "segment": "Fermentation 发酵",
        "equipment": "MIX1",
        "opened_us": 1_773_475_200_000_000,
        "closed_us": None,
        "customer": None,
        "source_plant": None,
        "destination_plant": None,
        "job_order_search": "jo-17",
        "loss": "{}",
    }
    bare = opened(plant, ProcessOrder(RunKind.REWORK))
    assert (plant.process(bare)["kind"], plant.process(bare)["job_order"]) == ("REWORK", None)


def test_opened_wrong_then_refused(here: Plant) -> None:
    here.refuses(open_process, ProcessOrder(equipment="MIX9"), NOT_DEFINED)
    here.refuses(open_process, ProcessOrder(segment="x" * 201), TEXT_INVALID)
    here.refuses(open_process, ProcessOrder(job_order=""), TEXT_INVALID)


def test_fed_then_stock_moves_and_edges_stand(plant: Plant) -> None:
    milk, sugar = plant.receive("RM-MILK", "100"), plant.receive("RM-SUGAR", "100")
    process = opened(plant)
    lines = (
        StockLine(milk, "60.5", "KGM", "A1"),
        StockLine(sugar, "1", "BG", "A1"),
        StockLine(milk, "39500", "GRM", "A1"),
    )
    entry = plant.do(feed_process, Feed(process, lines))
    milk_id, sugar_id = plant.batch_id(milk), plant.batch_id(sugar)
    assert (entry.type, entry.envelope["key"]) == ("ProcessFed", str(process))
    assert plant.movements(entry) == [
        (milk_id, "60.5", "stock:A1", f"process:{process}"),
        (sugar_id, "25", "stock:A1", f"process:{process}"),
        (milk_id, "39.5", "stock:A1", f"process:{process}"),
    ]
    assert plant.edges(entry) == [
        (milk_id, process, "60.5", "KGM", "CONSUMED"),
        (sugar_id, process, "25", "KGM", "CONSUMED"),
        (milk_id, process, "39.5", "KGM", "CONSUMED"),
    ]
    assert [line.get("entered") for line in entry.payload["movements"]] == [None, "1 BG", "39500 GRM"]
    assert plant.stock() == {(sugar, "A1"): "75"}
    assert plant.batch(milk)["version"] == plant.batch(sugar)["version"] == entry.index
    assert plant.batch(milk)["stated_idx"] < entry.index


def test_fed_more_than_there_is_over_all_lines_then_refused(plant: Plant) -> None:
    milk = plant.receive("RM-MILK", "100")
    process = opened(plant)
    lines = (StockLine(milk, "60", "KGM", "A1"), StockLine(milk, "40.000001", "KGM", "A1"))
    data = plant.refuses(feed_process, Feed(process, lines), STOCK_SHORT)
    assert data == {
        "batch": milk,
        "location": "A1",
        "available": "100",
        "wanted": "100.000001",
        "unit": "KGM",
    }
    plant.refuses(feed_process, Feed(process, (StockLine(milk, "1", "KGM", "B1"),)), STOCK_SHORT)


def test_fed_with_blocked_goods_then_refused_by_name(plant: Plant) -> None:
    process = opened(plant)

    def feed(batch: str, code: R) -> dict[str, str]:
        return dict(plant.refuses(feed_process, Feed(process, (StockLine(batch, "1", "KGM", "A1"),)), code))

    held = plant.receive(quarantine="Smells 异味")
    assert feed(held, BATCH_ON_HOLD) == {
        "batch": held,
        "hold": str(plant.entry().index),
        "kind": "QUALITY",
        "reason": "Smells 异味",
        "lifter": "quality",
    }
    restricted = plant.receive()
    plant.do(restrict, restricted)
    assert feed(restricted, BATCH_RESTRICTED) == {"batch": restricted, "disposition": "RESTRICTED"}
    old = plant.receive()
    plant.clock.advance(days=30)
    plant.do(feed_process, Feed(process, (StockLine(old, "1", "KGM", "A1"),)))
    plant.clock.advance(hours=8)  # midnight in Shanghai: the day after the expiry day begins
    assert feed(old, BATCH_EXPIRED) == {"batch": old, "expires_on": "2026-04-13"}
    feed("SH1-260314-9999X", BATCH_UNKNOWN)


def test_fed_wrong_then_refused(here: Plant) -> None:
    milk, process = here.receive(), opened(here)
    here.refuses(feed_process, Feed(process, ()), LINES_INVALID)
    here.refuses(feed_process, Feed(process, (StockLine(milk, "0.5", "KGM", "A1"),) * 101), LINES_INVALID)
    here.refuses(feed_process, Feed(process, (StockLine(milk, "-5", "KGM", "A1"),)), AMOUNT_NOT_POSITIVE)
    here.refuses(feed_process, Feed(process, (StockLine(milk, "5", "LTR", "A1"),)), UNIT_NOT_CONVERTIBLE)
    line = StockLine(milk, "5", "KGM", "A1")
    batch = here.batch_id(milk)
    for unknown in (process + 1, 0, -1, 2**63, 2**200, batch):
        here.refuses(feed_process, Feed(unknown, (line,)), PROCESS_UNKNOWN)


def test_closed_then_balance_is_stated_and_everything_refused(plant: Plant) -> None:
    milk, sugar = plant.receive("RM-MILK", "100"), plant.receive("RM-SUGAR", "10")
    process = opened(plant)
    lines = (StockLine(milk, "100", "KGM", "A1"), StockLine(sugar, "10", "KGM", "A1"))
    plant.do(feed_process, Feed(process, lines))
    made = (Output("FP-YOG", "95.25", "KGM", "B1"), Output("PK-CUP", "12", "H87", "B1", OutputUse.BY_PRODUCT))
    returned = (StockLine(sugar, "2", "KGM", "A1"),)
    plant.do(yield_process, Yield(process, made, returns=returned))
    plant.clock.advance(hours=1)
    entry = plant.do(close_process, Closing(process))
    assert entry.payload["inputs"] == {"KGM": "110"}
    assert entry.payload["outputs"] == {"KGM": "95.25", "H87": "12"}
    assert entry.payload["returned"] == {"KGM": "2"}
    assert entry.payload["process"] == {
        "id": process,
        "state": "CLOSED",
        "closed_at": "2026-03-14T09:00:00.000000Z",
        "loss": {"KGM": "12.75", "H87": "-12"},
    }
    row = plant.process(process)
    assert (row["state"], row["loss"]) == ("CLOSED", '{"H87":"-12","KGM":"12.75"}')
    assert (row["kind"], row["closed_us"] - row["opened_us"]) == ("PRODUCTION", 3_600_000_000)
    plant.refuses(feed_process, Feed(process, lines), PROCESS_CLOSED)
    plant.refuses(yield_process, Yield(process, made), PROCESS_CLOSED)
    assert plant.refuses(close_process, Closing(process), PROCESS_CLOSED) == {"process": str(process)}


def test_closed_empty_then_nothing_is_lost(plant: Plant) -> None:
    entry = plant.do(close_process, Closing(opened(plant)))
    assert (entry.payload["inputs"], entry.payload["process"]["loss"]) == ({}, {})


def test_closed_before_it_opened_then_refused(here: Plant) -> None:
    process = opened(here)
    earlier = here.clock.now() - timedelta(seconds=1)
    here.refuses(close_process, Closing(process), TEXT_INVALID, occurred_at=earlier)


def test_feed_repeated_then_stock_moves_once(plant: Plant) -> None:
    request_id = "0195a1b2-0000-7000-8000-00000000000a"
    milk, process = plant.receive(), opened(plant)
    order = Feed(process, (StockLine(milk, "40", "KGM", "A1"),))
    first = plant.do(feed_process, order, request=request_id)
    assert plant.do(feed_process, order, request=request_id).body == first.body
    assert plant.stock() == {(milk, "A1"): "60"}
