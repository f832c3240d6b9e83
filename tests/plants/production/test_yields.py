"""Output becomes new batches, adds to earlier ones, and inputs not used up come back."""

from datetime import UTC, date, datetime, timedelta

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
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.process_records import OutputUse
from plants.rules.production.refusals import BATCH_OF_OTHER_PROCESS, PROCESS_UNKNOWN
from plants.rules.values.refusals import (
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    LINES_INVALID,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    UNIT_NOT_CONVERTIBLE,
)
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import Plant


def fed(plant: Plant, amount: str = "80") -> tuple[int, str]:
    """Return an open process record and the milk that was fed to it, of 100 on hand."""
    milk = plant.receive()
    process = int(plant.do(open_process, ProcessOrder()).envelope["key"])
    plant.do(feed_process, Feed(process, (StockLine(milk, amount, "KGM", "A1"),)))
    return process, milk


def test_yielded_then_each_output_is_a_batch(plant: Plant) -> None:
    process, milk = fed(plant)
    outputs = (
        Output("FP-YOG", "70", "KGM", "B1", aliases=(AliasOrder("LINE_TAG", "T-1"),)),
        Output(
            "FP-YOG",
            "500",
            "GRM",
            "A1",
            OutputUse.SAMPLE,
            produced_at=datetime(2026, 3, 10, tzinfo=UTC),
            expires_on=date(2026, 3, 18),
            grade="LAB",
            attributes={"ph": "4.4"},
        ),
        Output("RM-SUGAR", "1", "KGM", "A1", OutputUse.BY_PRODUCT),
        Output("PK-CUP", "3", "H87", "A1", OutputUse.CO_PRODUCT),
    )
    entry = plant.do(yield_process, Yield(process, outputs))
    first = (1 << 40) + 3
    assert (entry.type, entry.envelope["key"]) == ("ProcessYielded", str(process))
    assert plant.edges(entry) == [
        (process, first, "70", "KGM", "PRODUCED"),
        (process, first + 1, "0.5", "KGM", "SAMPLE"),
        (process, first + 2, "1", "KGM", "BY_PRODUCT"),
        (process, first + 3, "3", "H87", "CO_PRODUCT"),
    ]
    assert plant.movements(entry)[1] == (first + 1, "0.5", f"process:{process}", "stock:A1")
    codes = [batch["code"] for batch in entry.payload["batches"]]
    assert plant.stock() == {
        (milk, "A1"): "20",
        (codes[0], "B1"): "70",
        (codes[1], "A1"): "0.5",
        (codes[2], "A1"): "1",
        (codes[3], "A1"): "3",
    }
    yoghurt, sample = plant.batch(codes[0]), plant.batch(codes[1])
    assert (yoghurt["expires_on"], yoghurt["retest_on"]) == ("2026-04-04", "2026-03-28")
    assert (yoghurt["made"], yoghurt["disposition"]) == (70_000_000, "UNRESTRICTED")
    assert (sample["expires_on"], sample["retest_on"]) == ("2026-03-18", "2026-03-24")
    assert (sample["grade"], sample["attributes"]) == ("LAB", '{"ph":"4.4"}')
    assert plant.batch(codes[2])["expires_on"] is None
    assert plant.rows("SELECT scheme, issuer, value, batch_id FROM aliases") == [("LINE_TAG", "", "T-1", first)]


def test_more_of_an_output_then_batch_and_amount_made_grow(plant: Plant) -> None:
    process, _ = fed(plant)
    made = plant.do(yield_process, Yield(process, (Output("FP-YOG", "30", "KGM", "B1"),)))
    code = made.payload["batches"][0]["code"]
    more = (Addition(code, "10", "KGM", "B1"), Addition(code, "5000", "GRM", "A1", OutputUse.CO_PRODUCT))
    entry = plant.do(yield_process, Yield(process, additions=more))
    batch = plant.batch_id(code)
    assert entry.payload["made"] == {str(batch): "45"}
    assert plant.edges(entry) == [
        (process, batch, "10", "KGM", "PRODUCED"),
        (process, batch, "5", "KGM", "CO_PRODUCT"),
    ]
    row = plant.batch(code)
    assert (row["made"], row["version"], row["stated_idx"]) == (45_000_000, entry.index, made.index)
    assert (plant.stock()[code, "B1"], plant.stock()[code, "A1"]) == ("40", "5")


def test_more_of_what_another_process_made_then_refused(plant: Plant) -> None:
    process, milk = fed(plant)
    other, _ = fed(plant)
    made = plant.do(yield_process, Yield(process, (Output("FP-YOG", "30", "KGM", "B1"),)))
    code = made.payload["batches"][0]["code"]
    for run, batch in ((other, code), (process, milk)):
        order = Yield(run, additions=(Addition(batch, "1", "KGM", "B1"),))
        data = plant.refuses(yield_process, order, BATCH_OF_OTHER_PROCESS)
        assert data == {"batch": batch, "process": str(run)}


def test_more_than_a_batch_can_count_then_refused(here: Plant) -> None:
    process, _ = fed(here)
    most = Output("FP-YOG", "1000000000000", "KGM", "B1")
    code = here.do(yield_process, Yield(process, (most,))).payload["batches"][0]["code"]
    order = Yield(process, additions=(Addition(code, "0.000001", "KGM", "A1"),))
    here.refuses(yield_process, order, AMOUNT_TOO_LARGE)


def test_returned_then_stock_is_back_and_no_more_than_was_fed(plant: Plant) -> None:
    process, milk = fed(plant)
    line = StockLine(milk, "30", "KGM", "B1")
    entry = plant.do(yield_process, Yield(process, returns=(line, StockLine(milk, "20000", "GRM", "A1"))))
    batch = plant.batch_id(milk)
    assert plant.edges(entry) == [
        (process, batch, "30", "KGM", "RETURNED"),
        (process, batch, "20", "KGM", "RETURNED"),
    ]
    assert plant.stock() == {(milk, "A1"): "40", (milk, "B1"): "30"}
    data = plant.refuses(yield_process, Yield(process, returns=(line, line)), STOCK_SHORT)
    assert data == {
        "batch": milk,
        "location": "this process record",
        "available": "0",
        "wanted": "30",
        "unit": "KGM",
    }
    plant.do(yield_process, Yield(process, returns=(line,)))
    assert plant.do(close_process, Closing(process)).payload["process"]["loss"] == {"KGM": "0"}


def test_returned_though_expired_then_it_comes_back(here: Plant) -> None:
    process, milk = fed(here)
    here.clock.advance(days=60)
    here.do(yield_process, Yield(process, returns=(StockLine(milk, "80", "KGM", "A1"),)))
    assert here.stock() == {(milk, "A1"): "100"}


def test_returned_though_never_fed_then_refused(here: Plant) -> None:
    process, _ = fed(here)
    other = here.receive()
    order = Yield(process, returns=(StockLine(other, "1", "KGM", "A1"),))
    assert here.refuses(yield_process, order, STOCK_SHORT)["available"] == "0"


def test_yielded_wrong_then_refused(here: Plant) -> None:
    process, milk = fed(here)

    def refused(output: Output, code: R) -> None:
        here.refuses(yield_process, Yield(process, (Output("FP-YOG", "1", "KGM", "A1"), output)), code)

    here.refuses(yield_process, Yield(process), LINES_INVALID)
    here.refuses(yield_process, Yield(process + 9, (Output("FP-YOG", "1", "KGM", "A1"),)), PROCESS_UNKNOWN)
    refused(Output("FP-NONE", "1", "KGM", "A1"), NOT_DEFINED)
    refused(Output("FP-YOG", "1", "KGM", "Z9"), NOT_DEFINED)
    refused(Output("FP-YOG", "0", "KGM", "A1"), AMOUNT_NOT_POSITIVE)
    refused(Output("FP-YOG", "1", "LTR", "A1"), UNIT_NOT_CONVERTIBLE)
    refused(Output("FP-YOG", "1", "KGM", "A1", grade=""), TEXT_INVALID)
    refused(Output("FP-YOG", "1", "KGM", "A1", attributes={"": "x"}), TEXT_INVALID)
    refused(Output("FP-YOG", "1", "KGM", "A1", attributes={"🐄": "x"}), TEXT_INVALID)
    refused(Output("FP-YOG", "1", "KGM", "A1", aliases=(AliasOrder("TAG", ""),)), TEXT_INVALID)
    late = here.clock.now() + timedelta(hours=1)
    refused(Output("FP-YOG", "1", "KGM", "A1", produced_at=late), TIME_IN_FUTURE)
    here.refuses(yield_process, Yield(process, returns=(StockLine(milk, "1", "KGM", "Z9"),)), NOT_DEFINED)
    order = Yield(process, additions=(Addition("SH1-260314-9999X", "1", "KGM", "A1"),))
    here.refuses(yield_process, order, BATCH_UNKNOWN)


def test_one_alias_for_two_outputs_of_a_material_then_refused(here: Plant) -> None:
    process, _ = fed(here)
    tag = AliasOrder("TAG", "T-1")
    twice = (Output("FP-YOG", "1", "KGM", "A1", aliases=(tag, tag)),) * 2
    here.refuses(yield_process, Yield(process, twice), ALIAS_TAKEN)
    both = (twice[0], Output("RM-SUGAR", "1", "KGM", "A1", aliases=(tag,)))
    here.do(yield_process, Yield(process, both))
    assert here.rows("SELECT COUNT(*) FROM aliases") == [(2,)]
