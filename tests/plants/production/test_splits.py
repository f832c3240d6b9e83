"""A part of a batch becomes a batch of its own and keeps what the batch was."""

from datetime import date

from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD
from plants.rules.values.refusals import AMOUNT_NOT_POSITIVE, LINES_INVALID, UNIT_NOT_CONVERTIBLE
from tests.factories import Plant

MILK = Delivery(
    "RM-MILK", "100", "KGM", "A1", "S1", "L-1", expires_on=date(2026, 3, 20), grade="A", attributes={"fat": "3.8"}
)


def test_split_then_parts_are_batches_and_the_rest_stays(plant: Plant) -> None:
    source = plant.do(receive_batch, MILK).envelope["key"]
    plant.clock.advance(days=2)
    order = Split(source, "A1", (SplitPart("30", "B1"), SplitPart("10500", "A1", "GRM")))
    entry = plant.do(split_batch, order)
    assert (entry.type, entry.envelope["key"]) == ("BatchSplit", source)
    process = entry.payload["process"]["id"]
    first, second = (batch["code"] for batch in entry.payload["batches"])
    assert plant.stock() == {(source, "A1"): "59.5", (first, "B1"): "30", (second, "A1"): "10.5"}
    assert plant.edges(entry) == [
        (plant.batch_id(source), process, "40.5", "KGM", "CONSUMED"),
        (process, plant.batch_id(first), "30", "KGM", "PRODUCED"),
        (process, plant.batch_id(second), "10.5", "KGM", "PRODUCED"),
    ]
    own = {"id", "code", "made", "version", "stated_idx"}
    kept = {name: value for name, value in plant.batch(source).items() if name not in own}
    for code, made in ((first, 30_000_000), (second, 10_500_000)):
        part = plant.batch(code)
        assert {name: value for name, value in part.items() if name not in own} == kept
        assert (part["made"], part["version"]) == (made, entry.index)
    assert (kept["expires_on"], kept["grade"], kept["supplier"]) == ("2026-03-20", "A", "S1")
    row = plant.process(process)
    assert (row["kind"], row["state"], row["loss"]) == ("SPLIT", "CLOSED", "{}")
    assert row["opened_us"] == row["closed_us"]


def test_split_whole_then_nothing_stays(plant: Plant) -> None:
    source = plant.receive()
    entry = plant.do(split_batch, Split(source, "A1", (SplitPart("100", "A1"),)))
    assert plant.stock() == {(entry.payload["batches"][0]["code"], "A1"): "100"}


def test_split_wrong_then_refused(here: Plant) -> None:
    source = here.receive()
    parts = (SplitPart("60", "A1"), SplitPart("40.000001", "A1"))
    assert here.refuses(split_batch, Split(source, "A1", parts), STOCK_SHORT)["wanted"] == "100.000001"
    here.refuses(split_batch, Split(source, "B1", parts[:1]), STOCK_SHORT)
    here.refuses(split_batch, Split(source, "A1", ()), LINES_INVALID)
    here.refuses(split_batch, Split(source, "A1", (SplitPart("0.1", "A1"),) * 101), LINES_INVALID)
    here.refuses(split_batch, Split(source, "A1", (SplitPart("1", "Z9"),)), NOT_DEFINED)
    here.refuses(split_batch, Split(source, "A1", (SplitPart("0", "A1"),)), AMOUNT_NOT_POSITIVE)
    here.refuses(split_batch, Split(source, "A1", (SplitPart("1", "A1", "LTR"),)), UNIT_NOT_CONVERTIBLE)
    here.refuses(split_batch, Split("SH1-260314-9999X", "A1", parts), BATCH_UNKNOWN)
    held = here.receive(quarantine="?")
    here.refuses(split_batch, Split(held, "A1", parts[:1]), BATCH_ON_HOLD)
    here.clock.advance(days=31)
    here.refuses(split_batch, Split(source, "A1", parts[:1]), BATCH_EXPIRED)
