"""Rules 3 and 8 by worked examples: blocked uses, the reach of holds, and releases."""

from typing import Any

import pytest

from tests.simulation.model_group import DAY, HUB, Group, kg, line, output

REASON = "salmonella"


def held(group: Group, batch: str, plant: str = "WH1") -> list[tuple[str, str | None]]:
    """Return the kind and the ancestor of each open hold."""
    return [(hold.kind, hold.ancestor) for hold in group.model.holds(plant, batch)]


def blocked(group: Group, batch: str, plant: str = "WH1") -> bool:
    return not group.model.usable(plant, batch, DAY)


def releases(group: Group, batch: str, **given: Any) -> None:
    group.decides(group.does("requestRelease", batchCode=batch, reason="result is fine", **given))


def at_hub(group: Group, command: str, **given: Any) -> str:
    subject = group.does(command, plant=HUB, reason=REASON, **given).subject
    assert subject is not None
    return subject


def test_milk_held_while_it_is_processed_then_cheese_is_held() -> None:
    group = Group()
    milk = group.receives("10")
    run = group.opens()
    group.feeds(run, line(milk, "10"))
    first = group.yields(run, output("4"))
    group.does("placeHold", batchCode=milk, reason=REASON)
    second = group.yields(run, output("4"))
    group.does("closeProcess", processId=run)
    for cheese in (first, second):
        assert held(group, cheese) == [("UPSTREAM", milk)]
        found = group.refuses("shipGoods", customerCode="C1", lines=[line(cheese, "1")])
        assert (found.code, found.ancestor) == ("BATCH_ON_HOLD", milk)
        assert found.hold == group.model.holds("WH1", cheese)[0].id


def test_hold_of_reach_goods_then_descendants_are_free() -> None:
    group = Group()
    milk = group.receives("10")
    cheese = group.makes("5", line(milk, "5"))
    group.does("placeHold", batchCode=milk, kind="MISSING_INSPECTION", reason="no result yet")
    assert blocked(group, milk)
    assert not blocked(group, cheese)
    assert group.code("recordProduction", inputs=[line(milk, "1")], outputs=[output("1")]) == "BATCH_ON_HOLD"


def test_hold_lifted_then_its_upstream_holds_go_and_no_others() -> None:
    group = Group()
    milk, water = group.receives("10"), group.receives("10")
    cheese = group.makes("5", line(milk, "5"), line(water, "5"))
    for batch in (milk, water):
        group.does("placeHold", batchCode=batch, reason=REASON)
    assert held(group, cheese) == [("UPSTREAM", milk), ("UPSTREAM", water)]
    releases(group, milk)
    assert held(group, cheese) == [("UPSTREAM", water)]
    releases(group, water)
    assert not blocked(group, cheese)


def test_descendant_released_then_path_ends_there_until_a_later_held_input() -> None:
    group = Group()
    milk = group.receives("10")
    run = group.opens()
    group.feeds(run, line(milk, "5"))
    cheese = group.yields(run, output("5"))
    group.does("placeHold", batchCode=milk, reason=REASON)
    releases(group, cheese, holdId=group.model.holds("WH1", cheese)[0].id)
    sliced = group.makes("5", line(cheese, "1"))
    assert held(group, cheese) == held(group, sliced) == []
    part = group.does(
        "splitBatch", batchCode=milk, locationCode="A", parts=[{"quantity": kg("1"), "locationCode": "A"}]
    ).made[0]
    assert held(group, part) == [("UPSTREAM", milk)]
    assert held(group, cheese) == []
    group.does("addProcessOutputs", processId=run, additions=[line(cheese, "1")])
    assert held(group, cheese) == [("UPSTREAM", milk)]
    assert held(group, sliced) == []


def test_hold_below_carry_over_limit_then_path_ends_once_run_is_closed() -> None:
    group = Group()
    group.does("saveMaterial", code="CHEESE", name="Cheese", unitCode="KGM", shelfLifeDays=30, holdCarryOverLimit=5)
    salt, milk = group.receives("1"), group.receives("99")
    run = group.opens()
    group.feeds(run, line(salt, "1"), line(milk, "99"))
    cheese = group.yields(run, output("100"))
    group.does("placeHold", batchCode=salt, reason=REASON)
    assert held(group, cheese) == [("UPSTREAM", salt)], "while the run is open"
    releases(group, salt)
    group.does("closeProcess", processId=run)
    group.does("placeHold", batchCode=salt, reason=REASON)
    assert held(group, cheese) == [], "1 kg of 100 kg is below 5 %"
    group.does("placeHold", batchCode=salt, kind="RECALL", reason=REASON)
    assert held(group, cheese) == [("UPSTREAM", salt)], "a recall does not end at the limit"


def test_blocked_split_then_parts_carry_each_hold() -> None:
    group = Group()
    milk = group.receives("10")
    group.does("placeHold", batchCode=milk, kind="EXPIRY", reason="stored warm")
    part: dict[str, Any] = {"quantity": kg("4"), "locationCode": "B"}
    made = group.does("splitBatch", batchCode=milk, locationCode="A", parts=[part]).made[0]
    assert held(group, made) == [("UPSTREAM", milk)]
    group.does("moveBatch", batchCode=made, fromLocationCode="B", toLocationCode="A", quantity=kg("4"))
    sources = [{"batchCode": one, "locationCode": "A"} for one in (milk, made)]
    assert group.code("mergeBatches", sources=sources, locationCode="A") == "BATCH_ON_HOLD"
    releases(group, milk, holdId=group.model.holds("WH1", milk)[0].id)
    assert not blocked(group, made)


def test_hold_on_one_location_then_the_rest_is_free() -> None:
    group = Group()
    milk = group.receives("10")
    group.does("moveBatch", batchCode=milk, fromLocationCode="A", toLocationCode="B", quantity=kg("4"))
    group.does("placeHold", batchCode=milk, locationCode="B", reason="pallet fell")
    group.ships(line(milk, "6"))
    assert group.code("shipGoods", customerCode="C1", lines=[line(milk, "1", location="B")]) == "BATCH_ON_HOLD"


def test_returned_by_customer_then_hold_placed_meanwhile_blocks() -> None:
    group = Group()
    milk = group.receives("20")
    shipment = group.ships(line(milk, "20"))
    group.does("placeHold", batchCode=milk, reason=REASON)
    group.does("receiveCustomerReturn", shipmentId=shipment, lines=[line(milk, "5")])
    assert group.model.stock("WH1", milk) == {"A": 5}
    assert group.code("shipGoods", customerCode="C1", lines=[line(milk, "5")]) == "BATCH_ON_HOLD"
    again: dict[str, Any] = {"shipmentId": shipment, "lines": [line(milk, "16")]}
    assert group.code("receiveCustomerReturn", **again) == "STOCK_SHORT"


def test_quarantine_at_receipt_then_release_needs_another_user() -> None:
    group = Group()
    milk = group.receives("20", quarantine="awaits inspection")
    assert blocked(group, milk)
    request = group.does("requestRelease", batchCode=milk, reason="inspected")
    decision: dict[str, Any] = {"changeRequestId": request.subject, "proposal": request.subject, "verdict": "APPROVED"}
    assert group.code("decideChangeRequest", **decision) == "CHANGE_OWN_REQUEST"
    group.decides(request)
    assert not blocked(group, milk)
    assert group.code("requestRelease", batchCode=milk, reason="again") == "HOLD_UNKNOWN"


def test_directed_hold_then_it_is_in_force_where_goods_are_and_only_the_hub_lifts_it() -> None:
    group = Group()
    milk = group.receives("20")
    cheese = group.makes("5", line(milk, "5"))
    transfer = group.sends(line(milk, "5"))
    group.everything_arrives()
    hold = at_hub(group, "placeHold", batchCode=milk)
    assert not blocked(group, milk), "not before the plant has applied it"
    group.everything_arrives()
    assert held(group, milk) == [("QUALITY", None)]
    assert held(group, cheese) == [("UPSTREAM", milk)]
    for batch in (milk, cheese):
        given = {"batchCode": batch, "holdId": group.model.holds("WH1", batch)[0].id, "reason": "x"}
        assert group.code("requestRelease", **given) == "HOLD_DIRECTED"
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    assert held(group, milk, "WH2") == [("QUALITY", None)], "the hold waited for its batch"
    at_hub(group, "liftHold", holdId=hold)
    group.everything_arrives()
    assert not any(blocked(group, batch) for batch in (milk, cheese))
    assert not blocked(group, milk, "WH2")
    assert group.code("liftHold", plant=HUB, holdId=hold, reason="again") == "DIRECTED_HOLD_UNKNOWN"


def test_goods_sent_on_after_the_hold_was_directed_then_the_hub_follows_them() -> None:
    group = Group()
    milk = group.receives("20")
    group.everything_arrives()
    at_hub(group, "openRecall", batchCodes=[milk])
    transfer = group.sends(line(milk, "5"))
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    group.everything_arrives()
    assert held(group, milk, "WH2") == held(group, milk) == [("RECALL", None)]


def test_hold_at_one_plant_then_what_became_of_it_elsewhere_is_held_and_released_with_it() -> None:
    group = Group()
    milk = group.receives("20")
    cheese = group.makes("5", line(milk, "5"))
    transfer = group.sends(line(cheese, "5"))
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    sliced = group.makes("4", line(cheese, "4"), plant="WH2")
    group.does("placeHold", batchCode=milk, reason=REASON)
    group.everything_arrives()
    assert held(group, sliced, "WH2") == [("UPSTREAM", cheese)]
    releases(group, milk)
    group.everything_arrives()
    assert not blocked(group, sliced, "WH2")


def test_recall_release_then_headquarters_decides() -> None:
    group = Group()
    milk = group.receives("20")
    group.does("placeHold", batchCode=milk, kind="RECALL", reason=REASON)
    hold = group.model.holds("WH1", milk)[0].id
    request = group.does("requestRelease", batchCode=milk, holdId=hold, reason="fine")
    decision: dict[str, Any] = {"changeRequestId": request.subject, "proposal": request.subject, "verdict": "APPROVED"}
    assert group.code("decideChangeRequest", by="boris", **decision) == "CHANGE_LEVEL_WRONG"
    group.everything_arrives()
    group.decides(request, at_hub=True)
    assert blocked(group, milk)
    group.everything_arrives()
    assert not blocked(group, milk)


@pytest.mark.parametrize("kind", ["QUALITY", "PARAMETER_BREACH", "RECALL"])
def test_kind_with_reach_genealogy_then_a_chain_is_held_to_its_end(kind: str) -> None:
    group = Group()
    chain = [group.receives("10")]
    for _ in range(4):
        chain.append(group.makes("10", line(chain[-1], "10")))
    group.does("placeHold", batchCode=chain[0], kind=kind, reason=REASON)
    assert [held(group, batch) for batch in chain[1:]] == [[("UPSTREAM", chain[0])]] * 4
