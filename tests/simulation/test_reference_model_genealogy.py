"""Rules 4, 6 and 11 by worked examples: ancestors, distances, bounds, gaps, and the scope of a recall."""

from fractions import Fraction
from typing import Any

from tests.simulation.model_group import Group, kg, line, output


def bounds(group: Group, suspect: str, target: str) -> list[Fraction]:
    """Return the least and the most of one batch in another, in kg."""
    found = group.model.contribution(suspect, target)
    assert found is not None
    return list(found)


def test_two_lots_on_one_truck_then_neither_is_an_ancestor_of_the_other() -> None:
    group = Group()
    left, right = group.receives("10"), group.receives("10")
    transfer = group.sends(line(left, "10"), line(right, "10"))
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    from_left = group.makes("10", line(left, "10"), plant="WH2")
    from_right = group.makes("10", line(right, "10"), plant="WH2")
    assert group.model.ancestors(from_left) == {left: 1}
    assert group.model.descendants(right) == {from_right: 1}
    assert group.model.ancestors(left) == {}
    scope = group.model.recall_scope([left])
    assert scope.batches == tuple(sorted((left, from_left)))
    assert scope.on_hand == {("WH2", "A", from_left): 10}


def test_chain_over_plants_then_distances_count_real_steps() -> None:
    group = Group()
    milk = group.receives("10")
    cheese = group.makes("8", line(milk, "10"))
    transfer = group.sends(line(cheese, "8"))
    group.does("receiveTransfer", plant="WH2", manifest=transfer, locationCode="A", all=True)
    sliced = group.makes("8", line(cheese, "8"), plant="WH2", kind="REPACK")
    assert group.model.ancestors(sliced) == {cheese: 1, milk: 2}
    assert group.model.descendants(milk) == {cheese: 1, sliced: 2}
    assert group.model.ancestors(sliced, "WH2") == {cheese: 1}, "as one plant alone knows it"
    assert group.model.ancestors(sliced, "") == {}, "nothing has arrived at the hub"
    group.everything_arrives()
    assert group.model.ancestors(sliced, "") == {cheese: 1, milk: 2}


def test_lot_made_in_two_runs_then_inputs_of_both_are_ancestors() -> None:
    group = Group()
    morning, evening = group.receives("10"), group.receives("10")
    first, second = group.opens(), group.opens()
    group.feeds(first, line(morning, "10"))
    cheese = group.yields(first, output("5"))
    group.does("closeProcess", processId=first)
    group.feeds(second, line(evening, "10"))
    group.does("addProcessOutputs", processId=second, additions=[line(cheese, "5")])
    assert group.model.batch("WH1", cheese).made == 10_000_000
    assert group.model.ancestors(cheese) == {morning: 1, evening: 1}
    group.ships(line(cheese, "1"))
    again: dict[str, Any] = {"processId": second, "additions": [line(cheese, "1")]}
    group.does("addProcessOutputs", **again)
    third = group.opens()
    assert group.code("addProcessOutputs", **again | {"processId": third}) == "BATCH_OF_OTHER_PROCESS"
    assert group.code("addProcessOutputs", **again | {"additions": [line(morning, "1")]}) == "BATCH_OF_OTHER_PROCESS"


def test_output_that_names_its_input_then_only_that_is_its_ancestor() -> None:
    group = Group()
    left, right = group.receives("5", expiresOn="2026-06-05"), group.receives("5", expiresOn="2026-06-09")
    outputs = [output("5", inputBatchCode=left), output("5", inputBatchCode=right)]
    inputs = [line(left, "5"), line(right, "5")]
    made = group.does("recordProduction", kind="RELABEL", inputs=inputs, outputs=outputs).made
    assert [group.model.ancestors(one) for one in made] == [{left: 1}, {right: 1}]
    assert str(group.model.expiry("WH1", made[1])) == "2026-06-09"


def test_bounds_of_one_run_then_least_is_what_the_others_cannot_fill() -> None:
    group = Group()
    suspect, other = group.receives("30"), group.receives("70")
    inputs = [line(suspect, "30"), line(other, "70")]
    made = group.does("recordProduction", inputs=inputs, outputs=[output("80"), output("10"), output("10")]).made
    assert bounds(group, suspect, made[0]) == [10, 30]
    assert bounds(group, suspect, made[1]) == [0, 10]


def test_bounds_over_split_and_merge_then_they_are_exact() -> None:
    group = Group()
    suspect, other = group.receives("30"), group.receives("70")
    mix = group.makes("100", line(suspect, "30"), line(other, "70"))
    parts = [{"quantity": kg("50"), "locationCode": "A"}] * 2
    halves = group.does("splitBatch", batchCode=mix, locationCode="A", parts=parts).made
    assert bounds(group, suspect, halves[0]) == [0, 30]
    sources = [{"batchCode": half, "locationCode": "A"} for half in halves]
    merged = group.does("mergeBatches", sources=sources, locationCode="A").made[0]
    assert bounds(group, suspect, merged) == [30, 30]
    assert group.model.ancestors(merged) == {halves[0]: 1, halves[1]: 1, mix: 2, suspect: 3, other: 3}


def test_bounds_with_returns_and_loss_then_only_what_was_used_counts() -> None:
    group = Group()
    suspect, other = group.receives("30"), group.receives("70")
    run = group.opens()
    group.feeds(run, line(suspect, "30"), line(other, "70"))
    group.does("addProcessOutputs", processId=run, returns=[line(suspect, "20")])
    cheese = group.yields(run, output("75"))
    assert bounds(group, suspect, cheese) == [5, 10]
    assert group.amount(suspect) == 20


def test_bounds_of_goods_fed_back_then_they_may_be_either() -> None:
    group = Group()
    milk, suspect = group.receives("10"), group.receives("1")
    run = group.opens()
    group.feeds(run, line(milk, "10"))
    cheese = group.yields(run, output("10"))
    group.feeds(run, line(cheese, "2"), line(suspect, "1"))
    group.does("addProcessOutputs", processId=run, additions=[line(cheese, "3")])
    assert bounds(group, suspect, cheese) == [1, 3]


def test_bounds_without_conversion_then_anything_is_possible() -> None:
    group = Group()
    group.does("saveMaterial", code="EGG", name="Egg", unitCode="H87")
    eggs = group.receives("12", "EGG", quantity=kg("12", "H87"))
    cake = group.makes("2", line(eggs, "12", "H87"))
    assert bounds(group, eggs, cake) == [0, 2]


def test_run_that_gave_more_than_it_got_then_gap_where_all_inputs_are_tracked() -> None:
    group = Group()
    milk = group.receives("100")
    group.makes("30", line(milk, "10"))
    assert group.model.gaps("WH1") == []
    tracked: dict[str, Any] = {
        "code": "CHEESE",
        "name": "Cheese",
        "unit": "KGM",
        "inputsTracked": True,
        "yieldLimit": 5,
    }
    group.does("saveMaterial", **tracked)
    group.makes("10.5", line(milk, "10"))
    assert [gap.kind for gap in group.model.gaps("WH1")] == ["YIELD_ABOVE_LIMIT"], "the first run, as defined now"
    group.makes("10.6", line(milk, "10"))
    group.does("recordProduction", outputs=[output("1", "MILK")])
    kinds = [gap.kind for gap in group.model.gaps("WH1")]
    assert kinds == ["YIELD_ABOVE_LIMIT", "YIELD_ABOVE_LIMIT", "OUTPUT_WITHOUT_INPUTS"]


def test_recall_scope_then_every_amount_is_in_one_bucket() -> None:
    group = Group()
    milk = group.receives("100")
    cheese = group.makes("20", line(milk, "30"))
    run = group.opens()
    group.feeds(run, line(milk, "10"))
    shipment = group.ships(line(milk, "15"), line(cheese, "5"))
    group.does("receiveCustomerReturn", shipmentId=shipment, lines=[line(milk, "4")])
    transfer = group.sends(line(milk, "20"))
    part: dict[str, Any] = {"manifest": transfer, "lines": [line(milk, "12")]}
    group.does("receiveTransfer", plant="WH2", **part)
    group.does("scrapGoods", lines=[line(milk, "2")], reason="spilt")
    scope = group.model.recall_scope([milk])
    assert scope.on_hand == {("WH1", "A", milk): 27, ("WH2", "A", milk): 12, ("WH1", "A", cheese): 15}
    assert scope.in_process == {("WH1", run, milk): 10}
    assert sum(scope.consumed.values()) == 30
    assert scope.in_transit == {("WH1", transfer, milk): 8}
    assert scope.shipped == {("WH1", "C1", milk): 11, ("WH1", "C1", cheese): 5}
    assert scope.scrapped == {("WH1", "", milk): 2}
    whole = 27 + 12 + 10 + 30 + 8 + 11 + Fraction(2)
    assert whole == 100
