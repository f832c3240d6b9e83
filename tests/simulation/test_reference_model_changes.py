"""Rules 2 and 5 by worked examples: corrections, change requests, aliases, and request ids."""

from typing import Any

import pytest

from simulation.reference_model import HUB, Accepted, Policy, Settings
from tests.simulation.model_group import Group, kg, line, output

WRONG = {"correctionReason": "INCORRECT_DATA", "reason": "typed wrong"}


def decision(request: Accepted, **given: Any) -> dict[str, Any]:
    return {"changeRequestId": request.subject, "proposal": request.subject, "verdict": "APPROVED", **given}


def test_receipt_corrected_then_goods_are_gone_and_the_batch_is_closed() -> None:
    group = Group()
    receipt = group.does(
        "receiveBatch", materialCode="MILK", quantity=kg("100"), locationCode="A", supplierCode="S1", supplierLot="L1"
    )
    milk = receipt.made[0]
    shipped = group.does("shipGoods", customerCode="C1", lines=[line(milk, "5")])
    found = group.refuses("correctEntry", entryId=receipt.index, **WRONG)
    assert (found.code, found.entry) == ("ENTRY_BUILT_ON", shipped.index)
    correction = group.does("correctEntry", entryId=shipped.index, **WRONG)
    group.does("correctEntry", entryId=receipt.index, **WRONG)
    assert group.model.stock("WH1", milk) == {}
    assert group.code("shipGoods", customerCode="C1", lines=[line(milk, "5")]) == "BATCH_RESTRICTED"
    assert group.code("correctEntry", entryId=receipt.index, **WRONG) == "ENTRY_ALREADY_CORRECTED"
    assert group.code("correctEntry", entryId=correction.index, **WRONG) == "CORRECTION_IMPOSSIBLE"
    assert group.code("correctEntry", entryId=999, **WRONG) == "ENTRY_UNKNOWN"
    again: dict[str, Any] = {"supplierCode": "S1", "supplierLot": "L1"}
    group.receives("10", **again)


def test_move_corrected_after_goods_went_on_then_stock_is_short() -> None:
    group = Group()
    milk = group.receives("10")
    moved = group.does("moveBatch", batchCode=milk, fromLocationCode="A", toLocationCode="B", quantity=kg("4"))
    group.ships(line(milk, "1", location="B"))
    assert group.code("correctEntry", entryId=moved.index, **WRONG) == "STOCK_SHORT"


def test_feed_corrected_by_its_author_in_an_open_run_then_free_else_gated() -> None:
    group = Group()
    milk = group.receives("10")
    run = group.opens()
    fed = group.feeds(run, line(milk, "4"))
    assert group.code("correctEntry", entryId=fed, by="carla", **WRONG) == "CHANGE_REQUIRED"
    group.does("correctEntry", entryId=fed, **WRONG)
    assert group.amount(milk) == 10
    fed = group.feeds(run, line(milk, "5"))
    cheese = group.yields(run, output("5"))
    assert group.code("correctEntry", entryId=fed, **WRONG) == "CHANGE_REQUIRED"
    group.decides(group.does("requestCorrection", entryId=fed, **WRONG))
    assert group.model.ancestors(cheese) == {}
    assert group.amount(milk) == 10


def test_feed_of_a_closed_run_then_the_closing_is_corrected_first() -> None:
    group = Group()
    milk = group.receives("10")
    run = group.opens()
    fed = group.feeds(run, line(milk, "4"))
    closed = group.does("closeProcess", processId=run)
    assert group.code("correctEntry", entryId=fed, **WRONG) == "PROCESS_CLOSED"
    group.does("correctEntry", entryId=closed.index, **WRONG)
    group.does("correctEntry", entryId=fed, **WRONG)
    assert group.amount(milk) == 10


def test_opening_with_lines_then_they_are_corrected_first() -> None:
    group = Group()
    milk = group.receives("10")
    opening = group.does("openProcess")
    assert opening.subject is not None
    fed = group.feeds(opening.subject, line(milk, "4"))
    found = group.refuses("correctEntry", entryId=opening.index, **WRONG)
    assert (found.code, found.entry) == ("ENTRY_BUILT_ON", fed)
    group.does("correctEntry", entryId=fed, **WRONG)
    group.does("correctEntry", entryId=opening.index, **WRONG)
    assert group.code("addProcessInputs", processId=opening.subject, lines=[line(milk, "1")]) == "PROCESS_CLOSED"


@pytest.mark.parametrize("command", ["splitBatch", "mergeBatches", "recordProduction"])
def test_whole_run_corrected_without_the_gate_then_its_inputs_are_back(command: str) -> None:
    group = Group(Settings(genealogy_corrections_gated=False))
    milk, water = group.receives("10"), group.receives("10")
    inputs = [line(milk, "4"), line(water, "4")]
    inputs_of: dict[str, dict[str, Any]] = {
        "splitBatch": {"batchCode": milk, "locationCode": "A", "parts": [{"quantity": kg("4"), "locationCode": "A"}]},
        "mergeBatches": {"sources": inputs, "locationCode": "A"},
        "recordProduction": {"inputs": inputs, "outputs": [output("8")]},
    }
    made = group.does(command, **inputs_of[command])
    assert group.amount(milk) == 6
    group.does("correctEntry", entryId=made.index, **WRONG)
    assert [group.amount(batch) for batch in (milk, water, *made.made[:1])] == [10, 10, 0]
    assert group.model.descendants(milk) == {}


def test_return_that_needs_the_feed_then_it_is_corrected_first() -> None:
    group = Group(Settings(genealogy_corrections_gated=False))
    milk = group.receives("10")
    run = group.opens()
    fed = group.feeds(run, line(milk, "4"))
    back = group.does("addProcessOutputs", processId=run, returns=[line(milk, "3")])
    found = group.refuses("correctEntry", entryId=fed, **WRONG)
    assert (found.code, found.entry) == ("ENTRY_BUILT_ON", back.index)
    more: dict[str, Any] = {"processId": run, "returns": [line(milk, "2")]}
    assert group.code("addProcessOutputs", **more) == "STOCK_SHORT"


def test_request_decided_then_each_wrong_decision_has_its_refusal() -> None:
    group = Group()
    milk = group.receives("10", quarantine="inspect")
    request = group.does("requestRelease", batchCode=milk, reason="fine")
    assert group.code("decideChangeRequest", by="boris", **decision(request, proposal="x")) == "PROPOSAL_DIFFERS"
    unknown = decision(request, changeRequestId="WH1/999")
    assert group.code("decideChangeRequest", by="boris", **unknown) == "CHANGE_UNKNOWN"
    rejected = decision(request, verdict="REJECTED")
    assert group.code("decideChangeRequest", by="boris", **rejected) == "TEXT_INVALID"
    group.does("decideChangeRequest", by="boris", **rejected, comment="no result")
    assert group.code("decideChangeRequest", by="boris", **decision(request)) == "CHANGE_ALREADY_DECIDED"
    assert len(group.model.holds("WH1", milk)) == 1
    late = group.does("requestRelease", batchCode=milk, reason="fine")
    group.later(days=7, seconds=1)
    assert group.code("decideChangeRequest", by="boris", **decision(late)) == "CHANGE_EXPIRED"


def test_batch_changed_after_the_request_then_the_change_is_stale() -> None:
    group = Group()
    milk = group.receives("10", quarantine="inspect")
    request = group.does("requestRelease", batchCode=milk, reason="fine")
    group.does("moveBatch", batchCode=milk, fromLocationCode="A", toLocationCode="B", quantity=kg("1"))
    group.decides(request)
    change = group.model.nodes["WH1"].changes[request.index]
    assert (change.state, change.refusal) == ("REFUSED", "CHANGE_STALE")
    assert len(group.model.holds("WH1", milk)) == 1


def test_extension_then_headquarters_decides_once() -> None:
    group = Group()
    milk = group.receives("10", expiresOn="2026-06-05")
    request = group.does("requestExpiryExtension", batchCode=milk, expiresOn="2026-06-09", reason="tested")
    at_hub = {"plant": HUB, **decision(request)}
    assert group.code("decideChangeRequest", by="boris", **decision(request)) == "CHANGE_LEVEL_WRONG"
    assert group.code("decideChangeRequest", by="boris", **at_hub) == "CHANGE_UNKNOWN", "nothing has arrived there"
    group.everything_arrives()
    group.decides(request, at_hub=True)
    assert group.code("decideChangeRequest", by="carla", **at_hub) == "CHANGE_ALREADY_DECIDED"
    group.everything_arrives()
    assert str(group.model.expiry("WH1", milk)) == "2026-06-09"


def test_policy_of_two_users_and_two_levels_then_the_change_waits_for_all() -> None:
    policies = {**Settings().policies, "RELEASE": Policy(("PLANT", "HUB"), approvals=2)}
    group = Group(Settings(policies=policies))
    milk = group.receives("10", quarantine="inspect")
    request = group.does("requestRelease", batchCode=milk, reason="fine")
    group.decides(request)
    assert group.code("decideChangeRequest", by="boris", **decision(request)) == "CHANGE_OWN_REQUEST"
    group.decides(request, by="carla")
    assert group.code("decideChangeRequest", by="dora", **decision(request)) == "CHANGE_LEVEL_WRONG"
    group.everything_arrives()
    group.decides(request, at_hub=True, by="emil")
    assert len(group.model.holds("WH1", milk)) == 1
    group.everything_arrives()
    assert group.model.holds("WH1", milk) == []


def test_request_id_then_same_content_has_one_effect_and_other_content_is_refused() -> None:
    group = Group()
    given: dict[str, Any] = {"materialCode": "MILK", "quantity": kg("10"), "locationCode": "A", "requestId": "r-1"}
    first = group.does("receiveBatch", **given)
    group.later(hours=1)
    again = group.does("receiveBatch", **given)
    assert (again.index, again.made, again.effects) == (first.index, first.made, ())
    assert group.amount(first.made[0]) == 10
    assert group.code("receiveBatch", **given | {"quantity": kg("11")}) == "REQUEST_REUSED"
    refused = {"customerCode": "C1", "lines": [line(first.made[0], "11")], "requestId": "r-2"}
    assert group.code("shipGoods", **refused) == "STOCK_SHORT"
    assert group.code("shipGoods", **refused | {"customerCode": "C9"}) == "NOT_DEFINED"


def test_supplier_lot_then_double_scan_is_refused_and_second_delivery_is_a_second_batch() -> None:
    group = Group()
    delivery: dict[str, Any] = {"supplierCode": "S1", "supplierLot": "Ä-77b"}
    first = group.receives("10", **delivery)
    for lot in ("Ä-77b ", "\u3000ä-77B", "\uff21\u0308-77b"):
        scan = {"materialCode": "MILK", "quantity": kg("10"), "locationCode": "A", **delivery, "supplierLot": lot}
        assert group.code("receiveBatch", **scan) == "ALIAS_TAKEN"
    assert group.receives("10", **delivery, purchaseOrder="PO-2") != first
    group.receives("10", "CHEESE", **delivery)
    group.later(days=1)
    group.receives("10", **delivery)


def test_alias_then_it_names_one_batch_until_it_ends() -> None:
    group = Group()
    left, right = group.receives("1"), group.receives("1")
    alias = [{"scheme": "CUSTOMER_LOT", "value": "X1", "issuer": "C1"}]
    added = group.does("addBatchAliases", batchCode=left, aliases=alias)
    assert group.code("addBatchAliases", batchCode=left, aliases=alias) == "NOTHING_CHANGES"
    lower = [{**alias[0], "value": " x1"}]
    assert group.code("addBatchAliases", batchCode=right, aliases=lower) == "ALIAS_TAKEN"
    assert group.code("removeBatchAliases", batchCode=right, aliases=alias) == "NOTHING_CHANGES"
    ended = group.does("removeBatchAliases", batchCode=left, aliases=alias)
    group.does("addBatchAliases", batchCode=right, aliases=alias)
    assert group.code("correctEntry", entryId=ended.index, **WRONG) == "ALIAS_TAKEN"
    group.does("correctEntry", entryId=added.index, **WRONG)


def test_master_data_directed_then_the_plant_defines_it_or_rejects_it() -> None:
    group = Group()
    milk = group.receives("1")
    wanted: dict[str, Any] = {"plantCodes": ["WH1", "WH2"], "code": "MILK", "name": "Milk", "unitCode": "GRM"}
    group.does("saveMaterial", plant=HUB, **wanted)
    answers = [group.model.deliver(entry, group.now) for entry in group.model.on_its_way() if entry.directive]
    assert answers == ["MATERIAL_IN_USE", None]
    assert group.model.nodes["WH1"].materials["MILK"].unit == "KGM"
    assert group.model.nodes["WH2"].materials["MILK"].unit == "GRM"
    assert group.code("saveMaterial", plant=HUB, **wanted | {"plantCodes": ["WH9"]}) == "NOT_DEFINED"
    group.does("saveMaterial", plant=HUB, **wanted | {"unitCode": "XYZ"})
    answers = [group.model.deliver(entry, group.now) for entry in group.model.on_its_way() if entry.directive]
    assert answers == ["UNIT_UNKNOWN", "UNIT_UNKNOWN"]
    assert group.model.nodes["WH1"].materials["MILK"].unit == "KGM"
    assert group.amount(milk) == 1
