"""Commands with any set of independent faults: each fault is refused at its own place, and nothing else is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plants.commands.approvals.change_requests import AdjustmentRequest, ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.execution import Command
from plants.commands.inventory.aliases import Naming, alias_batch
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import Refusal
from tests.factories import MANAGER, Plant

LATE: Final = datetime(2099, 1, 1, tzinfo=UTC)
BLANK: Final = "\u200b"  # not printable
NOWHERE: Final = "Z9"
NO_BATCH: Final = "SH1-NONE"


@dataclass(frozen=True)
class Case:
    """An order that is accepted, and values that make it wrong: the place of the refusal, and the changed fields."""

    command: Command[Any]
    order: Any
    faults: Mapping[str, Mapping[str, object]]
    circumstances: Mapping[str, object]


CALL_FAULTS: Final[Mapping[str, Mapping[str, object]]] = {
    "occurredAt": {"occurred_at": LATE},
    "reason": {"reason": BLANK},
}
LINE: Final = {
    "batchCode": {"batch": NO_BATCH},
    "locationCode": {"location": NOWHERE},
    "quantity.amount": {"amount": "x"},
    "quantity.unit": {"unit": "FURLONG"},
}


def case(
    command: Command[Any], order: Any, faults: Mapping[str, Mapping[str, object]], **circumstances: object
) -> Case:
    return Case(command, order, {**faults, **CALL_FAULTS}, circumstances)


WRONG_NAMES: Final = (AliasOrder(BLANK, BLANK),)


def cases(plant: Plant) -> dict[str, Case]:
    """Return a case for each command whose input holds several values, without lists."""
    milk = plant.receive()
    return {**cases_of_goods(milk), **cases_of_decisions(plant, milk)}


def cases_of_goods(milk: str) -> dict[str, Case]:
    delivery = Delivery("RM-SUGAR", "1", "KGM", "A1", "S1", "L1", "PO-1")
    return {
        "receipt": case(
            receive_batch,
            delivery,
            {
                "materialCode": {"material": "NOPE"},
                "quantity.amount": {"amount": "x"},
                "quantity.unit": {"unit": "FURLONG"},
                "locationCode": {"location": NOWHERE},
                "supplierCode": {"supplier": "NOPE"},
                "supplierLot": {"supplier_lot": BLANK},
                "purchaseOrder": {"order": BLANK},
                "producedAt": {"produced_at": LATE},
                "grade": {"grade": BLANK},
                "holdReason": {"quarantine": BLANK},
                "attributes.0.name attributes.0.value": {"attributes": {BLANK: "x" * 2001}},
                "aliases.0.scheme aliases.0.value": {"aliases": WRONG_NAMES},
            },
        ),
        "move": case(
            move_batch,
            Move(milk, "A1", "B1", "1", "KGM"),
            {
                "batchCode": {"batch": NO_BATCH},
                "fromLocationCode": {"from_location": NOWHERE},
                "toLocationCode": {"to_location": "Z8"},
                "quantity.amount": {"amount": "x"},
                "quantity.unit": {"unit": "FURLONG"},
            },
        ),
        "count": case(
            adjust_stock,
            Count(milk, "A1", "99", "KGM"),
            {
                "batchCode": {"batch": NO_BATCH},
                "locationCode": {"location": NOWHERE},
                "counted.amount": {"counted": "x"},
                "counted.unit": {"unit": "FURLONG"},
            },
            reason="Counted",
        ),
        "hold": case(
            quarantine_batch, Quarantine(milk, "Seal"), {"batchCode": {"batch": NO_BATCH}, "reason": {"reason": BLANK}}
        ),
        "opening": case(
            open_process,
            ProcessOrder(segment="S", job_order="J", equipment="MIX1"),
            {
                "segment": {"segment": BLANK},
                "jobOrder": {"job_order": BLANK},
                "equipmentCode": {"equipment": "NOPE"},
            },
        ),
        "aliases": case(
            alias_batch,
            Naming(milk, (AliasOrder("LINE_TAG", "T-1"),)),
            {"batchCode": {"batch": NO_BATCH}, "aliases.0.scheme aliases.0.value": {"aliases": WRONG_NAMES}},
        ),
    }  # fmt: skip


def cases_of_decisions(plant: Plant, milk: str) -> dict[str, Case]:
    entry = plant.entry().index
    held = plant.receive()
    plant.do(quarantine_batch, Quarantine(held, "Seal"))
    asked = plant.do(request_change, ReleaseRequest(held, "Test passed"))
    decided = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.REJECTED, "No")
    return {
        "adjustment request": case(
            request_change,
            AdjustmentRequest(milk, "Counted", "A1", "50", "KGM"),
            {
                "batchCode": {"batch": NO_BATCH},
                "reason": {"reason": BLANK},
                "locationCode": {"location": NOWHERE},
                "counted.amount": {"counted": "x"},
                "counted.unit": {"unit": "FURLONG"},
            },
        ),
        "decision": case(
            decide_change, decided, {"changeRequestId": {"change": 999}, "comment": {"comment": BLANK}}, actor=MANAGER
        ),
        "correction": case(
            correct_entry,
            Correction(entry, next(iter(CorrectionReason)), "Typed wrong"),
            {"entryId": {"entry": 999}, "reason": {"reason": BLANK}},
        ),
    }  # fmt: skip


def places(refusal: Refusal) -> list[str]:
    """Return the paths of a refusal and of its further ones."""
    return sorted(".".join(one.path) for one in (refusal, *refusal.further))


def expect(plant: Plant, one: Case, faults: set[str]) -> None:
    """Check that the case with these faults is refused for each of them."""
    order, circumstances = one.order, dict[str, Any](one.circumstances)
    for fault in faults:
        fields = {name for name in one.faults[fault] if hasattr(order, name)}
        if fields:
            order = replace(order, **one.faults[fault])
        else:
            circumstances |= one.faults[fault]
    refusal = plant.refusal(one.command, order, **circumstances)
    assert places(refusal) == sorted({place for fault in faults for place in fault.split()})


NAMES: Final = (
    "receipt", "move", "count", "hold", "opening", "adjustment request", "decision", "correction", "aliases",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_independent_faults_then_each_is_refused(plant: Plant, name: str, data: st.DataObject) -> None:
    one = cases(plant)[name]

    expect(plant, one, data.draw(st.sets(st.sampled_from(sorted(one.faults)), min_size=1)))


@pytest.mark.parametrize("name", NAMES)
def test_all_faults_then_each_is_refused(plant: Plant, name: str) -> None:
    one = cases(plant)[name]

    expect(plant, one, set(one.faults))


def bad(prefix: str, *names: str) -> list[str]:
    return [f"{prefix}.{name}" for name in names or LINE]


def test_wrong_header_and_lines_then_each_is_refused(plant: Plant) -> None:
    milk = plant.receive()
    line = StockLine(NO_BATCH, "x", "FURLONG", NOWHERE)
    output = Output("NOPE", "x", "FURLONG", NOWHERE, produced_at=LATE, grade=BLANK)
    output_places = ("materialCode", "quantity.amount", "quantity.unit", "locationCode", "producedAt", "grade")
    addition = Addition(NO_BATCH, "x", "FURLONG", NOWHERE)
    opened_at = plant.clock.now() + timedelta(hours=1)
    run = ProductionRun(ProcessOrder(segment=BLANK, equipment="NOPE"), (line,), (output,), opened_at)
    received = TransferReceipt("no label", NOWHERE, (ReceiptLine(milk, "x", NOWHERE, "FURLONG"),))
    wrong: dict[str, tuple[Command[Any], Any, list[str]]] = {
        "feed": (feed_process, Feed(7, (line, line)), ["processId", *bad("lines.0"), *bad("lines.1")]),
        "ship": (ship_batch, Shipment("NOPE", (line,), BLANK), ["customerCode", "customerOrder", *bad("lines.0")]),
        "dispatch": (dispatch_transfer, Dispatch("SH1", (line,)), ["destinationCode", *bad("lines.0")]),
        "yield": (
            yield_process,
            Yield(7, (output,), (addition,), (line,)),
            ["processId", *bad("outputs.0", *output_places), *bad("additions.0"), *bad("returns.0")],
        ),
        "run": (
            record_production,
            run,
            ["segment", "equipmentCode", "openedAt", *bad("inputs.0"), *bad("outputs.0", *output_places)],
        ),
        "split": (
            split_batch,
            Split(NO_BATCH, NOWHERE, (SplitPart("x", NOWHERE, "FURLONG"),)),
            ["batchCode", "locationCode", *bad("parts.0", "locationCode", "quantity.amount", "quantity.unit")],
        ),
        "merge": (
            merge_batches,
            Merge((MergeSource(NO_BATCH, NOWHERE, "x", "FURLONG"), MergeSource(NO_BATCH, NOWHERE, "x")), NOWHERE),
            ["locationCode", *bad("sources.0"), *bad("sources.1", "batchCode", "locationCode", "quantity.amount")],
        ),
        "receive": (
            receive_transfer,
            received,
            ["manifest", "locationCode", *bad("lines.0", "locationCode", "quantity.amount", "quantity.unit")],
        ),
    }  # fmt: skip
    for name, (command, order, expected) in wrong.items():
        refusal = plant.refusal(command, order, reason=BLANK)
        assert places(refusal) == sorted([*expected, "reason"]), name


def test_undefined_location_of_usable_goods_then_not_defined_and_no_shortage(plant: Plant) -> None:
    milk, more = plant.receive(), plant.receive()
    process = int(plant.do(open_process, ProcessOrder()).envelope["key"])
    line = StockLine(milk, "1", "KGM", NOWHERE)
    orders: list[tuple[Command[Any], Any, str]] = [
        (feed_process, Feed(process, (line,)), "lines.0.locationCode"),
        (ship_batch, Shipment("C1", (line,)), "lines.0.locationCode"),
        (dispatch_transfer, Dispatch("NB1", (line,)), "lines.0.locationCode"),
        (record_production, ProductionRun(ProcessOrder(), (line,)), "inputs.0.locationCode"),
        (move_batch, Move(milk, NOWHERE, "A1", "1", "KGM"), "fromLocationCode"),
        (split_batch, Split(milk, NOWHERE, (SplitPart("1", "A1"),)), "locationCode"),
        (merge_batches, Merge((MergeSource(milk, NOWHERE), MergeSource(more, "A1")), "A1"), "sources.0.locationCode"),
        (
            merge_batches,
            Merge((MergeSource(milk, NOWHERE, "1", "KGM"), MergeSource(more, "A1")), "A1"),
            "sources.0.locationCode",
        ),
    ]
    for command, order, place in orders:
        refusal = plant.refusal(command, order)
        assert refusal.code is NOT_DEFINED, command.name
        assert places(refusal) == [place], command.name
        assert refusal.data["code"] == NOWHERE
