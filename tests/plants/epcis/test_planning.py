"""Planning an EPCIS import: the seafood chain worked out by hand, one scenario per rule, and random documents."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.messages import word
from plants.rules.epcis.documents import read_epcis
from plants.rules.epcis.planning import plan_epcis
from plants.rules.epcis.problems import EpcisRefusal
from plants.rules.epcis.sites import propose_plants
from plants.rules.epcis.steps import (
    AddAliases,
    Adjust,
    AdjustReason,
    DefineLocation,
    DefineMaterial,
    Discrepancy,
    DiscrepancyKind,
    DispatchTransfer,
    EndAliases,
    EpcisPlan,
    Move,
    Outcome,
    PlanStep,
    Produce,
    ReceiveBatch,
    ReceiveTransfer,
    Ship,
    Why,
)
from plants.rules.epcis.wording import adjust_text, discrepancy_text, step_text, why_text
from tests.plants.epcis.documents import CORPUS, EVENT_HASH, GDST, NOW, check, event, plan, read, some

LOT = "urn:gdst:example.org:product:lot:class:"
FRY, FEED = LOT + "hatchery.1u.tf12012021", LOT + "feedmill.1u.ff11252021"
TUNA, CATCH = LOT + "fishfarm.1u.farmed-tuna-01192022", LOT + "fisherman01.tunau.v1-0122-2022"
MIXED, CANS = LOT + "processor.10u.commingle-01232022", LOT + "processor.2u.v1-0122-2022"
INNER, OUTER = "urn:epc:id:sscc:08600031303.0004", "urn:epc:id:sscc:08600031303.0005"
VESSEL_LOCATION, PORT_LOCATION, TRANSSHIPMENT_LOCATION = "0860003130315.1", "0860003130322.1", "0860003130339.1"

# Every step for every event of the document, worked out from it by hand, in the order in which they can be done.
EXPECTED = [
    (14, "FEED", "material", "FEEDMILL.1U", "Fish Feed"),
    (14, "FEED", "location", "FEEDMILL.1U", "Feedmill"),
    (14, "FEED", "receive", "FEEDMILL.1U", [(FEED, 10000)]),
    (1, "HATC", "material", "HATCHERY.1U", "Tuna Fryling"),
    (1, "HATC", "location", "HATCHERY.1U", "Hatchery"),
    (1, "HATC", "receive", "HATCHERY.1U", [(FRY, 1000)]),
    (2, "HATC", "dispatch", "FISH", [(FRY, 1000)]),
    (3, "FISH", "location", "FISHFARM.1U", "Fish Farm"),
    (3, "FISH", "material", "HATCHERY.1U", "Tuna Fryling"),
    (3, "FISH", "arrive", "HATC", [(FRY, 1000)]),
    (3, "FISH", "alias", FRY, [FRY, "TF12012021"]),
    (6, "VESS", "material", "FISHERMAN01.TUNAU", "Whole Yellowfin Tuna"),
    (6, "VESS", "location", VESSEL_LOCATION, "Vessel #1"),
    (6, "VESS", "receive", VESSEL_LOCATION, [(CATCH, 9876)]),
    (7, "VESS", "dispatch implied", "TRAN", [(CATCH, 9876)]),
    (7, "TRAN", "location", TRANSSHIPMENT_LOCATION, "Transshipment #1"),
    (7, "TRAN", "material", "FISHERMAN01.TUNAU", "Whole Yellowfin Tuna"),
    (7, "TRAN", "arrive implied", "VESS", [(CATCH, 9876)]),
    (7, "TRAN", "alias", CATCH, [CATCH, "V1-0122-2022"]),
    (8, "TRAN", "dispatch implied", "PORT", [(CATCH, 9876)]),
    (8, "PORT", "location", PORT_LOCATION, "Port of San Diago"),
    (8, "PORT", "material", "FISHERMAN01.TUNAU", "Whole Yellowfin Tuna"),
    (8, "PORT", "arrive implied", "TRAN", [(CATCH, 9876)]),
    (8, "PORT", "alias", CATCH, [CATCH, "V1-0122-2022"]),
    (9, "PORT", "dispatch implied", "PROC", [(CATCH, 9876)]),
    (9, "PROC", "location", "PROCESSOR.PLANT1U", "Processing Plant"),
    (9, "PROC", "material", "FISHERMAN01.TUNAU", "Whole Yellowfin Tuna"),
    (9, "PROC", "arrive", "PORT", [(CATCH, 9876)]),
    (9, "PROC", "alias", CATCH, [CATCH, "V1-0122-2022"]),
    (12, "FEED", "dispatch", "FISH", [(FEED, 10000)]),
    (13, "FISH", "material", "FEEDMILL.1U", "Fish Feed"),
    (13, "FISH", "arrive", "FEED", [(FEED, 10000)]),
    (13, "FISH", "alias", FEED, [FEED, "FF11252021"]),
    (15, "FISH", "material", "FISHFARM.1U", "Farmed Tuna"),
    (15, "FISH", "produce", [(FEED, 10000), (FRY, 1000)], [(TUNA, 12000)]),
    (4, "FISH", "dispatch", "PROC", [(TUNA, 12000)]),
    (5, "PROC", "material", "FISHFARM.1U", "Farmed Tuna"),
    (5, "PROC", "arrive", "FISH", [(TUNA, 12000)]),
    (5, "PROC", "alias", TUNA, [TUNA, "FARMED-TUNA-01192022"]),
    (16, "PROC", "adjust implied", CATCH, 124),
    (16, "PROC", "material", "PROCESSOR.10U", "Tuna"),
    (16, "PROC", "produce", [(TUNA, 12000), (CATCH, 10000)], [(MIXED, 22000)]),
    (17, "PROC", "material", "PROCESSOR.2U", "Can of Tuna"),
    (17, "PROC", "produce", [(MIXED, 9876)], [(CANS, 5000)]),
    (18, "PROC", "alias", CANS, [INNER]),
    (19, "PROC", "alias", CANS, [OUTER]),
    (10, "PROC", "end", CANS, [INNER, OUTER]),
    (10, "PROC", "dispatch", "IMPO", [(CANS, 5000)]),
    (11, "IMPO", "location", "IMPORTER.123U", "Importer Warehouse"),
    (11, "IMPO", "material", "PROCESSOR.2U", "Can of Tuna"),
    (11, "IMPO", "arrive", "PROC", [(CANS, 5000)]),
    (11, "IMPO", "alias", CANS, [CANS, "V1-0122-2022"]),
    (11, "IMPO", "alias", CANS, [INNER, OUTER]),
    (20, "IMPO", "end", CANS, [OUTER]),
    (21, "IMPO", "end", CANS, [INNER]),
]


def brief(step: PlanStep) -> tuple[Any, ...]:  # noqa: C901 -- one line per kind of step.
    """Return a step as the table above writes it."""
    head, mark = (step.event, step.plant), " implied" if step.implied else ""

    def lines(these: Any) -> list[tuple[str, Decimal]]:
        assert all(line.unit == "KGM" for line in these)
        return [(line.lot, line.quantity) for line in these]

    match step:
        case DefineMaterial():
            return (*head, "material", step.code, step.name)
        case DefineLocation():
            return (*head, "location", step.code, step.name)
        case ReceiveBatch():
            return (*head, "receive" + mark, step.location, lines([step.batch]))
        case DispatchTransfer():
            return (*head, "dispatch" + mark, step.destination, lines(step.lines))
        case ReceiveTransfer():
            return (*head, "arrive" + mark, step.source, lines(step.lines))
        case Produce():
            return (*head, "produce", lines(step.inputs), lines(step.outputs))
        case AddAliases():
            return (*head, "alias", step.lot, [alias.value for alias in step.aliases])
        case EndAliases():
            return (*head, "end", step.lot, [alias.value for alias in step.aliases])
        case Adjust():
            return (*head, "adjust" + mark, step.lot, step.change)
    raise AssertionError(step)


def kinds(found: EpcisPlan) -> list[str]:
    """Return what a plan does, without the definitions."""
    names = [type(step).__name__ for step in found.steps]
    return [name for name in names if not name.startswith("Define")]


def row(found: EpcisPlan, number: int) -> tuple[Outcome, Why | None, list[DiscrepancyKind]]:
    report = found.report[number - 1]
    return report.outcome, report.why, [one.kind for one in report.discrepancies]


@pytest.fixture(scope="module")
def seafood() -> EpcisPlan:
    if not GDST.is_file():
        pytest.skip("the seafood document is not here")
    document = read_epcis(GDST.read_bytes(), now=NOW)
    return plan_epcis(document, propose_plants(document))


def test_given_the_seafood_document_then_the_plan_is_the_one_worked_out_by_hand(seafood: EpcisPlan) -> None:
    assert [brief(step) for step in seafood.steps] == EXPECTED


def test_given_the_seafood_document_then_the_end_is_right_per_site_and_plant(seafood: EpcisPlan) -> None:
    location = "urn:gdst:example.org:location:loc:"
    assert {key: (line.quantity, line.unit) for key, line in seafood.on_hand.items()} == {
        (location + "processor.plant1u", MIXED): (Decimal(22000 - 9876), "KGM"),
        (location + "importer.123u", CANS): (Decimal(5000), "KGM"),
    }
    check(seafood)
    assert Counter(step.plant for step in seafood.steps) == {
        "FEED": 4,
        "HATC": 4,
        "FISH": 10,
        "VESS": 4,
        "TRAN": 5,
        "PORT": 5,
        "PROC": 16,
        "IMPO": 7,
    }
    assert [step.event for step in seafood.of_plant("VESS")] == [6, 6, 6, 7]


def test_given_the_seafood_document_then_its_contradictions_are_reported(seafood: EpcisPlan) -> None:
    assert [row.event for row in seafood.report] == list(range(1, 22))
    assert {row.outcome for row in seafood.report} == {Outcome.DONE}
    assert {row.event: row.discrepancies for row in seafood.report if row.discrepancies} == {
        14: (Discrepancy(DiscrepancyKind.PRODUCED_LATER, FEED, detail="2022-02-03T03:00:00+00:00"),),
        15: (Discrepancy(DiscrepancyKind.USED_BEFORE_ARRIVAL, FEED, other_event=13),),
        16: (Discrepancy(DiscrepancyKind.SHORT, CATCH, Decimal(124), "KGM"),),
    }
    late, short = seafood.report[14].discrepancies[0], seafood.report[15].discrepancies[0]
    assert word(discrepancy_text(late), "en") == "feedmill.1u.ff11252021 is used before it arrived (event 13)"
    assert "more than was there" in word(discrepancy_text(short), "en")
    assert (
        word(discrepancy_text(short), "zh") == "fisherman01.tunau.v1-0122-2022 用量超出库存 124 KGM，已按盘点差异补入"
    )


def test_given_the_seafood_document_then_batches_keep_times_dates_and_names(seafood: EpcisPlan) -> None:
    feed = next(step for step in seafood.steps if isinstance(step, ReceiveBatch) and step.event == 14)
    assert feed.occurred_at == datetime(2021, 2, 3, 11, 10, tzinfo=UTC)
    assert feed.batch.expires_on == date(2022, 2, 3)
    assert feed.batch.produced_at == datetime(2022, 2, 3, 3, tzinfo=UTC)
    assert feed.batch.attributes["gdst:proteinSource"] == "wild caught"
    owner = "urn:gdst:example.org:party:feedmill.1u"
    assert [(name.scheme, name.issuer, name.value) for name in feed.batch.aliases] == [
        ("EPC_CLASS", owner, FEED),
        ("LOT_NUMBER", owner, "FF11252021"),
    ]
    canning = next(step for step in seafood.steps if isinstance(step, Produce) and step.event == 17)
    assert canning.transformation_id == canning.process == "transform-1-22-2022-17:24"
    assert (canning.opens, canning.closes, canning.segment) == (True, True, "commissioning")
    assert canning.outputs[0].expires_on == date(2023, 1, 22)
    assert canning.occurred_at == datetime(2022, 1, 28, 8, tzinfo=UTC)
    dispatch = next(step for step in seafood.steps if isinstance(step, DispatchTransfer) and step.event == 10)
    assert dispatch.handling_units == (INNER, OUTER)
    adjust = next(step for step in seafood.steps if isinstance(step, Adjust))
    assert "event 16 (urn:uuid:08a9005f-" in word(adjust_text(adjust), "en")


def test_given_the_same_document_twice_then_requests_have_the_same_names(seafood: EpcisPlan) -> None:
    document = read_epcis(GDST.read_bytes(), now=NOW)
    again = plan_epcis(document, propose_plants(document))
    assert again == seafood
    assert len({step.request_name for step in again.steps}) == len(again.steps)


def test_given_sites_in_one_plant_then_goods_move_instead_of_being_transferred() -> None:
    document = read_epcis(GDST.read_bytes(), now=NOW) if GDST.is_file() else pytest.skip("no seafood document")
    every = dict.fromkeys(propose_plants(document), "ONE")
    found = plan_epcis(document, every)
    check(found)
    assert not [step for step in found.steps if isinstance(step, DispatchTransfer | ReceiveTransfer)]
    moves = [step for step in found.steps if isinstance(step, Move)]
    assert [step.event for step in moves] == [3, 7, 8, 9, 13, 5, 11]
    assert row(found, 2) == (Outcome.NOTED, Why.WITHIN_PLANT, [])


def test_given_a_site_without_a_plant_then_the_plan_is_refused() -> None:
    document = read(event(0, action="ADD", quantityList=[some("a.1", 5)]))
    with pytest.raises(EpcisRefusal) as refused:
        plan_epcis(document, {})
    assert "urn:example:loc:mill" in word(refused.value, "en")


def documents() -> list[Path]:
    corpus = [*CORPUS.glob("Capture/Documents/*.json"), *CORPUS.glob("Capture/Events/*.json")]
    return sorted([*corpus, *CORPUS.glob("Query/*.json"), *EVENT_HASH.glob("*.jsonld")])


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the conformance corpus is not here")
@pytest.mark.parametrize("path", documents(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_given_a_document_of_others_then_each_event_is_done_or_has_a_reason(path: Path) -> None:
    document = read_epcis(path.read_bytes(), now=NOW)
    found = plan_epcis(document, propose_plants(document))
    check(found)
    assert [one.event for one in found.report] == [one.number for one in document.events]
    for one in found.report:
        assert (one.outcome is Outcome.DONE) == (one.why is None)
        for language in ("en", "zh"):
            assert one.why is None or word(why_text(one.why), language)
            assert all(word(discrepancy_text(odd), language) for odd in one.discrepancies)
            assert all(word(step_text(found.steps[position]), language) for position in one.steps)


def begun(lot: str = "a.1", quantity: float = 100, minute: int = 0, **fields: Any) -> dict[str, Any]:
    return event(minute, action="ADD", bizStep="commissioning", quantityList=[some(lot, quantity)], **fields)


def test_given_a_destination_party_without_a_site_then_goods_are_shipped_to_a_customer() -> None:
    party = [{"type": "owning_party", "destination": "urn:example:party:grocer"}]
    found = plan(begun(), event(9, bizStep="shipping", quantityList=[some("a.1", 30)], destinationList=party))
    assert kinds(found) == ["ReceiveBatch", "Ship"]
    ship = found.steps[-1]
    assert isinstance(ship, Ship)
    assert (ship.customer, ship.lines[0].quantity) == ("GROCER", Decimal(30))
    assert check(found).on_hand["MILL", "MILL", "urn:example:product:lot:class:a.1"] == 70


def test_given_shipping_to_nowhere_then_goods_stay_and_the_event_is_left_out() -> None:
    found = plan(begun(), event(9, bizStep="shipping", quantityList=[some("a.1", 30)]))
    assert kinds(found) == ["ReceiveBatch"]
    assert row(found, 2) == (Outcome.LEFT_OUT, Why.NO_DESTINATION, [])


def test_given_one_shipment_received_at_two_sites_then_it_is_two_transfers() -> None:
    found = plan(
        begun(),
        event(9, bizStep="shipping", quantityList=[some("a.1", 100)]),
        event(20, "north", bizStep="receiving", quantityList=[some("a.1", 60)]),
        event(30, "south", bizStep="receiving", quantityList=[some("a.1", 40)]),
    )
    account = check(found)
    sent = [(step.destination, step.lines[0].quantity) for step in found.steps if isinstance(step, DispatchTransfer)]
    assert sent == [("NORT", Decimal(60)), ("SOUT", Decimal(40))]
    assert sorted(quantity for quantity in account.on_hand.values() if quantity) == [40, 60]


@pytest.mark.parametrize("came, kind", [(95, DiscrepancyKind.RECEIVED_LESS), (103, DiscrepancyKind.RECEIVED_MORE)])
def test_given_a_receipt_that_differs_then_the_difference_stands_on_its_line(came: int, kind: DiscrepancyKind) -> None:
    found = plan(
        begun(),
        event(9, bizStep="shipping", quantityList=[some("a.1", 100)]),
        event(20, "north", bizStep="receiving", quantityList=[some("a.1", came)]),
    )
    check(found)
    receipt = next(step for step in found.steps if isinstance(step, ReceiveTransfer))
    assert (receipt.lines[0].sent, receipt.lines[0].quantity) == (Decimal(100), Decimal(came))
    assert row(found, 3) == (Outcome.DONE, None, [kind])
    assert found.report[2].discrepancies[0].quantity == abs(came - 100)


def test_given_goods_sent_to_a_known_site_and_never_received_then_they_stay_on_the_road() -> None:
    place = [{"type": "location", "destination": "urn:example:loc:north"}]
    found = plan(
        begun(),
        begun("b.1", 1, 1) | {"bizLocation": {"id": "urn:example:loc:north"}},
        event(9, bizStep="shipping", quantityList=[some("a.1", 100)], destinationList=place),
    )
    assert check(found).roads
    assert row(found, 3) == (Outcome.DONE, None, [DiscrepancyKind.NOT_RECEIVED])


def test_given_a_receipt_from_outside_then_the_batch_comes_from_its_supplier() -> None:
    source = [{"type": "possessing_party", "source": "urn:example:party:grower"}]
    found = plan(event(0, bizStep="receiving", quantityList=[some("a.1", 12)], sourceList=source))
    check(found)
    receipt = found.steps[-1]
    assert isinstance(receipt, ReceiveBatch)
    assert (receipt.supplier, receipt.implied) == ("GROWER", False)
    assert row(found, 1) == (Outcome.DONE, None, [])


def test_given_more_of_a_lot_at_its_plant_then_the_batch_grows() -> None:
    found = plan(begun(), begun(quantity=20, minute=5))
    check(found)
    more = found.steps[-1]
    assert isinstance(more, Adjust)
    assert (more.change, more.reason) == (Decimal(20), AdjustReason.MORE_OF_LOT)


def test_given_goods_destroyed_then_they_are_taken_out() -> None:
    found = plan(begun(), event(5, action="DELETE", bizStep="destroying", quantityList=[some("a.1", 25)]))
    out = found.steps[-1]
    assert isinstance(out, Adjust)
    assert (out.change, out.reason, out.biz_step) == (Decimal(-25), AdjustReason.TAKEN_OUT, "destroying")
    assert sum(check(found).on_hand.values()) == 75


def test_given_goods_shipped_before_they_were_made_then_the_shipment_waits_and_says_so() -> None:
    found = plan(
        event(0, bizStep="shipping", quantityList=[some("a.1", 100)]),
        event(1, "north", bizStep="receiving", quantityList=[some("a.1", 100)]),
        begun(minute=50),
    )
    check(found)
    assert kinds(found) == ["ReceiveBatch", "DispatchTransfer", "ReceiveTransfer", "AddAliases"]
    assert row(found, 1)[2] == [DiscrepancyKind.USED_BEFORE_ARRIVAL]


def test_given_an_inspection_then_it_is_noted_and_moves_nothing() -> None:
    found = plan(begun(), event(5, bizStep="inspecting", quantityList=[some("a.1", 100)]))
    assert kinds(found) == ["ReceiveBatch"]
    assert row(found, 2) == (Outcome.NOTED, Why.OBSERVED, [])


def test_given_departing_and_arriving_around_a_receipt_then_only_the_receipt_moves_goods() -> None:
    goods: dict[str, Any] = {"quantityList": [some("a.1", 100)]}
    found = plan(
        begun(),
        event(5, bizStep="shipping", **goods),
        event(6, bizStep="departing", **goods),
        event(7, "north", bizStep="arriving", **goods),
        event(8, "north", bizStep="unloading", **goods),
        event(9, "north", bizStep="receiving", **goods),
        event(10, "north", bizStep="storing", **goods),
    )
    check(found)
    assert kinds(found) == ["ReceiveBatch", "DispatchTransfer", "ReceiveTransfer", "AddAliases"]
    assert [row(found, number)[1] for number in (3, 4, 5, 7)] == [Why.ON_THE_ROAD] * 3 + [Why.OBSERVED]
    assert found.steps[-2].event == 6


def test_given_serials_then_those_that_begin_together_are_one_batch_with_their_names() -> None:
    serials = [f"urn:epc:id:sgtin:4012345.011111.{number}" for number in range(3)]
    found = plan(
        event(0, action="ADD", bizStep="commissioning", epcList=serials, ilmd={"cbvmda:lotNumber": "L7"}),
        event(5, bizStep="shipping", epcList=serials[:1]),
        event(9, "north", bizStep="receiving", epcList=["https://id.gs1.org/01/04012345111118/21/0"]),
    )
    account = check(found)
    batch = next(step.batch for step in found.steps if isinstance(step, ReceiveBatch))
    assert (batch.lot, batch.quantity, batch.unit) == ("01/04012345111118/10/L7", Decimal(3), "H87")
    assert [(name.scheme, name.value) for name in batch.aliases] == [
        *(("EPC", one) for one in serials),
        ("LOT_NUMBER", "L7"),
    ]
    assert sorted(quantity for quantity in account.on_hand.values()) == [1, 2]


def test_given_many_serials_and_later_ones_of_the_same_lot_then_every_one_is_a_name() -> None:
    serials = [f"urn:epc:id:sgtin:4012345.011111.{number}" for number in range(230)]
    making: dict[str, Any] = {"action": "ADD", "ilmd": {"cbvmda:lotNumber": "L7"}}
    found = plan(event(0, epcList=serials[:225], **making), event(1, epcList=serials[225:], **making))
    account = check(found)
    assert kinds(found) == ["ReceiveBatch", "AddAliases", "AddAliases", "Adjust", "AddAliases"]
    assert {value for _, _, value in account.aliases} == {*serials, "L7"}
    assert sum(account.on_hand.values()) == 230


def test_given_nested_containers_then_taking_one_out_ends_only_the_outer_name() -> None:
    inner, outer = "urn:epc:id:sscc:4012345.0000000001", "urn:epc:id:sscc:4012345.0000000002"
    pack: dict[str, Any] = {"type": "AggregationEvent", "action": "ADD", "bizStep": "packing"}
    found = plan(
        begun(),
        event(1, **pack, parentID=inner, childQuantityList=[some("a.1", 30)]),
        event(2, **pack, parentID=outer, childEPCs=[inner]),
        event(3, **pack, parentID=outer, childQuantityList=[some("a.1", 20)]),
        event(4, **{**pack, "action": "DELETE", "bizStep": "unpacking"}, parentID=outer, childEPCs=[inner]),
        event(5, **{**pack, "action": "DELETE", "bizStep": "unpacking"}, parentID=outer),
        event(6, "north", bizStep="receiving", epcList=[inner]),
    )
    account = check(found)
    named = [
        (type(step), step.event, step.aliases[0].value)
        for step in found.steps
        if isinstance(step, AddAliases | EndAliases)
    ]
    assert named[:3] == [(AddAliases, 2, inner), (AddAliases, 3, outer), (EndAliases, 6, outer)]
    assert named[3:] == [
        (EndAliases, 7, inner),
        (AddAliases, 7, "urn:example:product:lot:class:a.1"),
        (AddAliases, 7, inner),
    ]
    assert sorted(account.on_hand.values()) == [30, 70]


def test_given_a_container_of_unknown_contents_then_nothing_moves_and_it_is_said() -> None:
    found = plan(event(0, bizStep="receiving", epcList=["urn:epc:id:sscc:4012345.0000000001"]))
    assert found.steps == ()
    assert row(found, 1) == (Outcome.NOTED, Why.CONTENTS_UNKNOWN, [])


def test_given_an_input_in_another_unit_then_it_is_converted_and_an_unknown_unit_is_left_out() -> None:
    mixed: dict[str, Any] = {"type": "TransformationEvent", "outputQuantityList": [some("b.1", 2)]}
    found = plan(
        begun(),
        event(5, **mixed, inputQuantityList=[some("a.1", 2500, "GRM")]),
        event(6, **mixed, inputQuantityList=[some("a.1", 3, "LTR")]),
    )
    check(found)
    produce = next(step for step in found.steps if isinstance(step, Produce))
    assert (produce.inputs[0].quantity, produce.inputs[0].unit) == (Decimal("2.5"), "KGM")
    assert row(found, 3) == (Outcome.LEFT_OUT, Why.UNIT_UNKNOWN, [])


def test_given_one_transformation_in_two_events_then_they_share_an_open_record() -> None:
    part: dict[str, Any] = {"type": "TransformationEvent", "transformationID": "urn:example:xform:1"}
    found = plan(
        begun(),
        event(5, **part, inputQuantityList=[some("a.1", 40)]),
        event(9, **part, outputQuantityList=[some("b.1", 39)]),
    )
    check(found)
    records = [step for step in found.steps if isinstance(step, Produce)]
    assert [(step.process, step.opens, step.closes) for step in records] == [
        ("urn:example:xform:1", True, False),
        ("urn:example:xform:1", False, True),
    ]


def test_given_events_that_do_not_count_then_they_are_left_out_with_the_reason() -> None:
    wrong = {**begun(minute=3), "eventID": "urn:example:event:1"}
    declared = {**wrong, "errorDeclaration": {"declarationTime": "2026-03-15T00:00:00Z", "reason": "did_not_occur"}}
    once = begun("b.1", 5)
    goods: dict[str, Any] = {"quantityList": [some("b.1", 5)]}
    found = plan(
        wrong,
        declared,
        once,
        once,
        {**once, "bizStep": "other"},
        event(10, bizStep="shipping", **goods),
        event(20, bizStep="void_shipping", **goods),
        event(30, None, bizStep="shipping", **goods),
        event(31, type="urn:example:OwnEvent"),
        event(
            32,
            type="AssociationEvent",
            parentID="urn:epc:id:grai:4012345.55555.1",
            childEPCs=["urn:epc:id:giai:4012345.1"],
        ),
    )
    check(found)
    assert kinds(found) == ["ReceiveBatch"]
    assert [row(found, number)[1] for number in range(1, 11)] == [
        Why.DECLARED_WRONG,
        Why.DECLARED_WRONG,
        None,
        Why.REPEATED,
        Why.KEY_REUSED,
        Why.VOIDED,
        Why.VOIDED,
        Why.NO_SITE,
        Why.TYPE_UNKNOWN,
        Why.LINKS_ONLY,
    ]


LOTS, PLACES = ("a.1", "a.2", "b.1"), ("mill", "north", "south")
SSCCS = tuple(f"urn:epc:id:sscc:4012345.000000000{number}" for number in range(1, 4))
ELEMENTS = st.dictionaries(st.sampled_from(LOTS), st.integers(1, 9), min_size=1, max_size=2).map(
    lambda goods: [some(lot, amount) for lot, amount in goods.items()]
)


@st.composite
def raw_events(draw: st.DrawFn) -> dict[str, Any]:
    """Return any event about a few lots, containers and serials at a few sites, in any order of times."""
    kind = draw(st.sampled_from(("ADD", "OBSERVE", "OBSERVE", "DELETE", "MAKE", "PACK", "UNPACK")))
    minute, place = draw(st.integers(0, 90)), draw(st.sampled_from(PLACES))
    step = draw(st.sampled_from(("shipping", "receiving", "storing", "departing", "void_shipping")))
    serials = draw(st.lists(st.sampled_from([f"urn:epc:id:sgtin:4012345.011111.{n}" for n in range(4)]), max_size=2))
    goods = draw(ELEMENTS)
    number = draw(st.integers(0, 10**6))
    fields: dict[str, Any] = {"eventID": f"urn:example:event:{number}"}
    if kind == "MAKE":
        made = draw(ELEMENTS)
        return event(
            minute, place, type="TransformationEvent", inputQuantityList=goods, outputQuantityList=made, **fields
        )
    if kind in ("PACK", "UNPACK"):
        parent, child = draw(st.permutations(SSCCS))[:2]
        inside = [child] if draw(st.booleans()) else serials
        if kind == "UNPACK":
            goods = goods if draw(st.booleans()) else []
            inside = inside if goods else []
        fields |= {"type": "AggregationEvent", "action": "ADD" if kind == "PACK" else "DELETE", "parentID": parent}
        return event(minute, place, childQuantityList=goods, childEPCs=inside, **fields)
    listed = [*serials, *draw(st.lists(st.sampled_from(SSCCS), max_size=1))]
    if kind == "OBSERVE" and draw(st.booleans()):
        goods = []
    return event(
        minute,
        place,
        action=kind,
        bizStep=step if kind == "OBSERVE" else "other",
        quantityList=goods,
        epcList=listed,
        **fields,
    )


@settings(deadline=None, max_examples=300, print_blob=True)
@given(events=st.lists(raw_events(), min_size=1, max_size=14), one_plant=st.booleans())
def test_given_any_contradicting_document_then_its_plan_can_be_obeyed(
    events: list[dict[str, Any]], *, one_plant: bool
) -> None:
    found = plan(*events, plants=dict.fromkeys(PLACES, "ONE") if one_plant else None)
    check(found)
    assert len(found.report) == len(events)
