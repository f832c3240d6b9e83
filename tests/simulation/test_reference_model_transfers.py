"""Rule 11 and transfers by worked examples: parts, differences, surplus, turning back, and what each plant knows."""

from typing import Any

from tests.simulation.model_group import DAY, Group, line


def label(transfer: str, plant: str = "WH2", **given: Any) -> dict[str, Any]:
    return {"plant": plant, "manifest": transfer, **given}


def test_receipt_in_parts_then_the_rest_stays_on_the_road() -> None:
    group = Group()
    milk = group.receives("50")
    transfer = group.sends(line(milk, "50"))
    assert group.amount(milk) == 0
    group.does("receiveTransfer", **label(transfer, lines=[line(milk, "30")]))
    assert group.amount(milk, "WH2") == 30
    assert group.model.recall_scope([milk]).in_transit == {("WH1", transfer, milk): 20}
    group.later(days=1)
    group.does("receiveTransfer", **label(transfer, lines=[line(milk, "20", location="B")]))
    assert group.model.stock("WH2", milk) == {"A": 30, "B": 20}
    again = label(transfer, locationCode="A", all=True)
    assert group.code("receiveTransfer", **again) == "TRANSFER_RECEIVED"


def test_nothing_said_then_nothing_is_received() -> None:
    group = Group()
    milk, water = group.receives("50"), group.receives("50")
    transfer = group.sends(line(milk, "50"), line(water, "50"))
    assert group.code("receiveTransfer", **label(transfer, locationCode="A")) == "LINES_INVALID"
    group.does("receiveTransfer", **label(transfer, lines=[line(milk, "0")]))
    assert group.amount(milk, "WH2") == group.amount(water, "WH2") == 0
    group.does("receiveTransfer", **label(transfer, lines=[line(milk, "49")], locationCode="B", all=True))
    assert group.model.stock("WH2", water) == {"B": 50}
    assert group.model.stock("WH2", milk) == {"A": 49}


def test_more_received_than_sent_then_the_surplus_is_held_until_approved() -> None:
    group = Group()
    milk = group.receives("10")
    transfer = group.sends(line(milk, "10"))
    group.does("receiveTransfer", **label(transfer, lines=[line(milk, "12")]))
    assert group.model.stock("WH2", milk) == {"A": 10, "SURPLUS": 2}
    group.ships(line(milk, "10"), plant="WH2")
    rest: dict[str, Any] = {"plant": "WH2", "customerCode": "C1", "lines": [line(milk, "2", location="SURPLUS")]}
    assert group.code("shipGoods", **rest) == "BATCH_ON_HOLD"
    hold = group.model.holds("WH2", milk)[0]
    assert (hold.kind, hold.reach, hold.location) == ("SURPLUS", "GOODS", "SURPLUS")
    group.decides(group.does("requestRelease", plant="WH2", batchCode=milk, holdId=hold.id, reason="weighed again"))
    group.does("shipGoods", **rest)


def test_wrong_label_then_each_fault_has_its_refusal() -> None:
    group = Group()
    group.model.enrol("WH3")
    group.does("saveLocation", plant="WH3", code="A", name="A")
    milk, other = group.receives("10"), group.receives("10")
    transfer = group.sends(line(milk, "10"))
    given: dict[str, Any] = {"locationCode": "A", "all": True}
    assert group.code("receiveTransfer", **label("none", **given)) == "TRANSFER_MANIFEST_INVALID"
    assert group.code("receiveTransfer", **label(transfer, "WH3", **given)) == "TRANSFER_NOT_FOR_THIS_PLANT"
    foreign = label(transfer, lines=[line(other, "1")])
    assert group.code("receiveTransfer", **foreign) == "BATCH_NOT_IN_TRANSFER"
    twice = label(transfer, lines=[line(milk, "1"), line(milk, "2")])
    assert group.code("receiveTransfer", **twice) == "LINES_INVALID"
    early = label(transfer, **given, occurredAt="2026-06-01T11:00:00+00:00")
    assert group.code("receiveTransfer", **early) == "TIME_OUT_OF_ORDER"


def test_wrong_destination_then_refused() -> None:
    group = Group()
    milk = group.receives("10")
    for destination, code in (("WH1", "NOTHING_CHANGES"), ("ZZ9", "NOT_DEFINED"), ("x", "CODE_INVALID")):
        given = {"destinationCode": destination, "lines": [line(milk, "1")]}
        assert group.code("dispatchTransfer", **given) == code


def test_material_unknown_at_the_receiver_then_refused_until_defined() -> None:
    group = Group()
    group.does("saveMaterial", code="RENNET", name="Rennet", unitCode="KGM")
    rennet = group.receives("1", "RENNET")
    transfer = group.sends(line(rennet, "1"))
    given = label(transfer, locationCode="A", all=True)
    assert group.code("receiveTransfer", **given) == "NOT_DEFINED"
    group.does("saveMaterial", plant="WH2", code="RENNET", name="Rennet", unitCode="KGM")
    group.does("receiveTransfer", **given)


def test_truck_that_turns_back_then_the_sender_takes_the_goods_in_again() -> None:
    group = Group()
    milk = group.receives("10")
    transfer = group.sends(line(milk, "10"))
    group.does("receiveTransfer", **label(transfer, "WH1", locationCode="B", all=True))
    assert group.model.stock("WH1", milk) == {"B": 10}
    assert group.model.recall_scope([milk]).in_transit == {}


def test_there_and_back_under_a_hold_then_it_still_blocks() -> None:
    group = Group()
    milk = group.receives("10")
    there = group.sends(line(milk, "10"))
    group.does("receiveTransfer", **label(there, locationCode="A", all=True))
    group.does("placeHold", batchCode=milk, kind="EXPIRY", reason="warm truck")
    back = group.sends(line(milk, "10"), plant="WH2", to="WH1")
    group.does("receiveTransfer", **label(back, "WH1", locationCode="A", all=True))
    assert group.model.blocked_by("WH1", milk, DAY) == "BATCH_ON_HOLD"
    assert group.model.usable("WH2", milk, DAY)


def test_both_plants_have_the_goods_then_the_hub_lists_the_difference() -> None:
    group = Group()
    milk = group.receives("10")
    transfer = group.sends(line(milk, "10"))
    group.does("receiveTransfer", **label(transfer, locationCode="A", all=True))
    group.does("receiveTransfer", **label(transfer, "WH1", locationCode="A", all=True))
    assert group.model.double_receipts() == {}
    group.everything_arrives()
    assert group.model.double_receipts() == {(transfer, milk): 10}
