"""Commands with lines: the refusals of all lines at once, each with its place in the input."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plants.commands.execution import Command
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, FURTHER_MAX, Refusal
from tests.factories import Plant

GRAIN = "0.000001"
Place = tuple[str, ...]


def places(refusal: Refusal) -> list[Place]:
    """Return the paths of a refusal and of its further ones."""
    return [one.path for one in (refusal, *refusal.further)]


def opened(plant: Plant) -> int:
    return int(plant.do(open_process, ProcessOrder()).envelope["key"])


FAULTS: dict[str, Place] = {
    "none": (),
    "unknown": ("batchCode",),
    "held": ("batchCode",),
    "amount": ("quantity", "amount"),
    "unit": ("quantity", "unit"),
    "elsewhere": ("quantity",),
}
"""What is wrong with a line of stock, and where a refusal says so."""


def faulty(fault: str, usable: str, held: str) -> StockLine:
    return StockLine(
        batch={"unknown": "SH1-NONE", "held": held}.get(fault, usable),
        amount="x" if fault == "amount" else GRAIN,
        unit="FURLONG" if fault == "unit" else "KGM",
        location="B1" if fault == "elsewhere" else "A1",
    )


@given(faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_of_which_some_are_wrong_then_exactly_those_are_refused(plant: Plant, faults: list[str]) -> None:
    usable, held = plant.receive(), plant.receive()
    plant.do(quarantine_batch, Quarantine(held, "Seal broken"))
    lines = tuple(faulty(fault, usable, held) for fault in faults)
    wrong = [("lines", str(index), *FAULTS[fault]) for index, fault in enumerate(faults) if fault != "none"]
    # One refusal for a place with too little, at the first line that exceeds it.
    elsewhere = [index for index, fault in enumerate(faults) if fault == "elsewhere"]
    expected = sorted(set(wrong) - {("lines", str(index), "quantity") for index in elsewhere[1:]})
    order = Feed(opened(plant), lines)

    if expected:
        assert sorted(places(plant.refusal(feed_process, order))) == expected
    else:
        assert len(plant.movements(plant.do(feed_process, order))) == len(faults)


@given(
    parts=st.lists(st.sampled_from(["none", "unit", "amount", "location"]), min_size=1, max_size=12),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_of_which_some_are_wrong_then_exactly_those_are_refused(plant: Plant, parts: list[str]) -> None:
    batch = plant.receive()
    where = {"unit": ("quantity", "unit"), "amount": ("quantity", "amount"), "location": ("locationCode",)}
    wrong = [("parts", str(index), *where[fault]) for index, fault in enumerate(parts) if fault in where]
    made = tuple(
        SplitPart(
            "0" if fault == "amount" else GRAIN,
            "Z9" if fault == "location" else "B1",
            "LTR" if fault == "unit" else None,
        )
        for fault in parts
    )

    if wrong:
        assert sorted(places(plant.refusal(split_batch, Split(batch, "A1", made)))) == sorted(wrong)
    else:
        assert len(plant.do(split_batch, Split(batch, "A1", made)).payload["batches"]) == len(parts)


@pytest.mark.parametrize(
    "amounts, short",
    [
        (("60", "30", "20", "10"), 2),
        (("60", "30", "x", "20", "10"), 3),
        (("101",), 0),
        (("40", "40", "20.000001"), 2),
    ],
)
def test_lines_that_exceed_the_stock_together_then_refused_at_the_line_that_exceeds_it(
    plant: Plant, amounts: Sequence[str], short: int
) -> None:
    batch = plant.receive(amount="100")
    order = Feed(opened(plant), tuple(StockLine(batch, amount, "KGM", "A1") for amount in amounts))

    refusal = plant.refusal(feed_process, order)

    (found,) = (one for one in (refusal, *refusal.further) if one.code is STOCK_SHORT)
    assert found.path == ("lines", str(short), "quantity")
    assert found.data["available"] == "100"
    unreadable = [one.path[1] for one in (refusal, *refusal.further) if one.code is AMOUNT_NOT_A_NUMBER]
    assert unreadable == [str(index) for index, amount in enumerate(amounts) if amount == "x"]


def test_lines_that_use_up_the_stock_together_then_fed(plant: Plant) -> None:
    batch = plant.receive(amount="100")
    lines = tuple(StockLine(batch, amount, "KGM", "A1") for amount in ("60", "40"))

    plant.do(feed_process, Feed(opened(plant), lines))

    assert plant.stock() == {}


LONG = "x" * 201
NAMES = (AliasOrder("LINE_TAG", LONG), AliasOrder("LINE_TAG", "T-1"), AliasOrder("", "T-2"))
OUTPUTS = (
    Output("NOPE", "1", "KGM", "A1"),
    Output("FP-YOG", "1", "KGM", "Z9", attributes={"ph": "4.4", "🐄": "x", "note": "x" * 2001}, aliases=NAMES),
    Output("FP-YOG", "1", "KGM", "A1", aliases=NAMES[1:2]),
    Output("FP-YOG", "1", "KGM", "A1", grade=LONG, produced_at=datetime(2027, 1, 1, tzinfo=UTC)),
    Output("FP-YOG", "1", "KGM", "A1", attributes={LONG: "x"}),
)


Case = tuple[Command[Any], Any, list[str]]
OUTPUT_PLACES = [
    "outputs.0.materialCode",
    "outputs.1.aliases.0.value",
    "outputs.1.aliases.2.scheme",
    "outputs.1.attributes.1.name",
    "outputs.1.attributes.2.value",
    "outputs.1.locationCode",
    "outputs.2.aliases.0",
    "outputs.3.grade",
    "outputs.3.producedAt",
    "outputs.4.attributes.0.name",
]
ADDITION_PLACES = ["additions.0.batchCode", "additions.1.batchCode", "additions.1.locationCode"]


def cases(plant: Plant) -> dict[str, Case]:
    """Return wrong orders of commands, and the places of their refusals."""
    milk, sugar, cups = plant.receive(), plant.receive("RM-SUGAR"), plant.receive("PK-CUP")
    plant.do(alias_batch, Naming(sugar, (AliasOrder("LINE_TAG", "T-0"),)))
    return {**of_lines(opened(plant), milk), **of_merges(milk, sugar, cups), **of_names(milk, sugar)}


def of_lines(process: int, milk: str) -> dict[str, Case]:
    lines = tuple(StockLine(*line, "KGM", "A1") for line in ((milk, "x"), (milk, "1"), ("SH1-NONE", "1")))
    wrong = ["lines.0.quantity.amount", "lines.2.batchCode"]
    additions = (Addition(milk, "1", "KGM", "A1"), Addition("SH1-NONE", "1", "KGM", "Z9"))
    run = [*(place.replace("lines", "inputs") for place in wrong), *OUTPUT_PLACES]
    return {
        "feed": (feed_process, Feed(process, lines), wrong),
        "ship": (ship_batch, Shipment("C1", lines), wrong),
        "dispatch": (dispatch_transfer, Dispatch("NB1", lines), wrong),
        "yield": (
            yield_process,
            Yield(process, OUTPUTS, additions, (StockLine(milk, "1", "KGM", "A1"),)),
            [*ADDITION_PLACES, *OUTPUT_PLACES, "returns.0.quantity"],
        ),
        "run": (record_production, ProductionRun(ProcessOrder(), lines, OUTPUTS), run),
        "no lines": (feed_process, Feed(process, ()), ["lines"]),
        "of an unknown process": (feed_process, Feed(1, lines), [*wrong, "processId"]),
    }


def of_merges(milk: str, sugar: str, cups: str) -> dict[str, Case]:
    return {
        "merge": (
            merge_batches,
            Merge((MergeSource(milk, "B1"), MergeSource("SH1-NONE", "A1"), MergeSource(milk, "A1", "x")), "A1"),
            ["sources.0.locationCode", "sources.1.batchCode", "sources.2.quantity.amount"],
        ),
        "merge of different materials": (
            merge_batches,
            Merge(tuple(MergeSource(batch, "A1") for batch in (milk, sugar, cups)), "A1"),
            ["sources.1.batchCode", "sources.2.batchCode"],
        ),
        "merge of one": (merge_batches, Merge((MergeSource(milk, "A1"),), "A1"), ["sources"]),
        "split": (split_batch, Split(milk, "A1", (SplitPart("60", "A1"),) * 3), ["parts.1.quantity"]),
    }


def of_names(milk: str, sugar: str) -> dict[str, Case]:
    taken = AliasOrder("LINE_TAG", "T-0")
    delivery = Delivery("RM-SUGAR", "1", "KGM", "A1", "S1", LONG, attributes={"🐄": "x"}, aliases=(taken,))
    return {
        "aliases": (alias_batch, Naming(sugar, (*NAMES, taken)), ["aliases.0.value", "aliases.2.scheme", "aliases.3"]),
        "aliases to end": (end_alias, Naming(sugar, (taken, *NAMES[:2])), ["aliases.1", "aliases.2"]),
        "aliases of another material": (alias_batch, Naming(milk, (NAMES[0], taken)), ["aliases.0.value"]),
        "receipt": (receive_batch, delivery, ["aliases.0", "attributes.0.name", "supplierLot"]),
    }


@pytest.mark.parametrize("name", [
    "feed", "ship", "dispatch", "yield", "run", "split", "merge", "merge of different materials", "merge of one",
    "aliases", "aliases to end", "aliases of another material", "receipt", "no lines", "of an unknown process",
])  # fmt: skip
def test_wrong_values_then_each_is_refused_at_its_place(plant: Plant, name: str) -> None:
    command, order, expected = cases(plant)[name]

    refusal = plant.refusal(command, order)

    assert sorted(".".join(place) for place in places(refusal)) == expected


def test_more_refusals_than_are_said_then_the_first_of_them(plant: Plant) -> None:
    outputs = tuple(
        Output("FP-YOG", "1", "KGM", "A1", attributes={f"🐄{number}": "x" for number in range(50)}) for _ in range(5)
    )

    refusal = plant.refusal(yield_process, Yield(opened(plant), outputs))

    assert len(refusal.further) == FURTHER_MAX
    assert refusal.path == ("outputs", "0", "attributes", "0", "name")


def test_kept_data_of_a_refusal_then_without_its_place(plant: Plant) -> None:
    refusal = plant.refusal(feed_process, Feed(opened(plant), (StockLine("SH1-NONE", "1", "KGM", "A1"),)))

    assert refusal.path == ("lines", "0", "batchCode")
    assert (refusal.code, refusal.data) == (BATCH_UNKNOWN, {"batch": "SH1-NONE"})
    assert Refusal.kept(BATCH_UNKNOWN, refusal.data).path == ()
