"""Properties of the reference model over random work: conservation, stock, dates, and the reach of holds."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulation.reference_model import Accepted, Settings
from tests.simulation.model_group import Group, kg, line, output

SMALL = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
AMOUNTS = st.sampled_from(["0.1", "1", "2.5", "3", "7"])
UNITS = st.sampled_from(["KGM", "KGM", "LBR", "GRM"])
NUMBER = st.integers(0, 30)
ACTIONS = (
    "receive", "make", "handle", "split", "merge", "move", "ship", "send", "arrive", "hold", "lift", "scrap", "add",
    "correct",
)  # fmt: skip
ACTION = st.tuples(st.sampled_from(ACTIONS), NUMBER, NUMBER, AMOUNTS, UNITS)


class Work:
    """Random work at two plants. An action that the model refuses changes nothing."""

    def __init__(self) -> None:
        self.group = Group(Settings(genealogy_corrections_gated=False))
        for day in range(3):
            self.group.receives("10", expiresOn=f"2026-06-{8 + day:02}")
        self.runs: list[str] = []
        self.transfers: list[str] = []

    def acts(self, action: tuple[str, int, int, str, str]) -> None:
        name, first, second, amount, unit = action
        plant = "WH2" if second % 4 == 1 and self.group.model.nodes["WH2"].batches else "WH1"
        tables = self.group.model.nodes[plant]
        known = list(tables.batches)
        left, right = (known[number % len(known)] for number in (first, second))
        held = [hold for hold in tables.holds.values() if hold.lifted is None]
        freed = held[first % len(held)] if held else None
        self.group.later(hours=8)
        taken = line(left, amount, unit)
        inputs = [taken, line(right, amount, unit)]
        handled = "REPACK" if name == "handle" else "PRODUCTION"
        run = self.runs[first % len(self.runs)] if self.runs else "none"
        label = self.transfers[first % len(self.transfers)] if self.transfers else "none"
        work: dict[str, tuple[str, dict[str, Any]]] = {
            "receive": ("receiveBatch", {"materialCode": "MILK", "quantity": kg(amount, unit), "locationCode": "A"}),
            "make": ("recordProduction", {"inputs": inputs, "outputs": [output(amount)], "kind": handled}),
            "handle": ("recordProduction", {"inputs": inputs, "outputs": [output(amount)], "kind": handled}),
            "split": ("splitBatch", {"batchCode": left, "locationCode": "A", "parts": [without_batch(taken)] * 2}),
            "merge": ("mergeBatches", {"sources": inputs, "locationCode": "B"}),
            "move": (
                "moveBatch",
                {"batchCode": left, "fromLocationCode": "A", "toLocationCode": "B"} | amount_of(taken),
            ),
            "ship": ("shipGoods", {"customerCode": "C1", "lines": [taken]}),
            "send": ("dispatchTransfer", {"destinationCode": "WH2" if plant == "WH1" else "WH1", "lines": [taken]}),
            "arrive": ("receiveTransfer", {"manifest": label, "locationCode": "A", "all": True}),
            "hold": ("placeHold", {"batchCode": left, "reason": "doubt"}),
            "lift": ("requestRelease", {"batchCode": left, "reason": "fine"}),
            "correct": (
                "correctEntry",
                {"entryId": len(tables.entries) - 1 - first % 9, "correctionReason": "DID_NOT_OCCUR", "reason": "x"},
            ),
            "scrap": ("scrapGoods", {"lines": [taken], "reason": "spilt"}),
            "add": ("addProcessInputs", {"processId": run, "lines": [taken]}),
        }
        command, given_ = work[name]
        if freed is not None and name == "lift":
            given_ = {"batchCode": freed.batch, "holdId": freed.id, "reason": "fine"}
        if first % 5 == 0:
            self.opens()
        self.asks(plant, command, given_)

    def opens(self) -> None:
        run = self.group.opens()
        self.runs.append(run)
        self.asks("WH1", "addProcessOutputs", {"processId": run, "outputs": [output("1", "MILK")]})

    def asks(self, plant: str, command: str, given_: dict[str, Any]) -> None:
        verdict = self.group.model.predict(plant, command, given_, self.group.now, "anna")
        self.group.model.apply(verdict)
        if isinstance(verdict, Accepted):
            if command == "dispatchTransfer" and verdict.subject is not None:
                self.transfers.append(verdict.subject)
            if command == "requestRelease":
                self.group.decides(verdict)


def without_batch(taken: dict[str, Any]) -> dict[str, Any]:
    return {"quantity": taken["quantity"], "locationCode": "A"}


def amount_of(taken: dict[str, Any]) -> dict[str, Any]:
    return {"quantity": taken["quantity"]}


def worked(actions: Iterable[tuple[str, int, int, str, str]]) -> Group:
    work = Work()
    for action in actions:
        work.acts(action)
    return work.group


@SMALL
@given(st.lists(ACTION, max_size=25))
def test_any_work_then_stock_is_the_sum_of_its_flows_and_never_negative(actions: list[Any]) -> None:
    group = worked(actions)
    for plant in ("WH1", "WH2"):
        for row in group.model.nodes[plant].stock.values():
            assert row.amount == sum(flow.amount for flow in row.flows if flow.retracted is None)
            assert row.amount >= 0


@SMALL
@given(st.lists(ACTION, max_size=25))
def test_any_work_then_each_place_holds_what_went_in_less_what_came_out(actions: list[Any]) -> None:
    group = worked(actions)
    places: dict[str, int] = defaultdict(int)
    lines: dict[str, int] = defaultdict(int)
    for plant in ("WH1", "WH2"):
        tables = group.model.nodes[plant]
        for row in tables.stock.values():
            for flow in row.flows:
                places[flow.other] -= flow.amount if flow.retracted is None else 0
        for edge in tables.edges.values():
            amount = edge.amount if edge.retracted is None else 0
            lines[f"process:{edge.run}"] += amount if edge.side == "IN" else -amount
    on_road = sum(group.model.recall_scope(list(batches_of(group))).in_transit.values(), Fraction(0))
    assert {place: amount for place, amount in places.items() if place.startswith("process:")} == dict(lines)
    assert sum(amount for place, amount in places.items() if place.startswith("transfer:")) == on_road * 10**6
    assert sum(amount for place, amount in places.items() if place.startswith("location:")) == 0


def batches_of(group: Group) -> set[str]:
    return {batch for plant in ("WH1", "WH2") for batch in group.model.nodes[plant].batches}


@SMALL
@given(st.lists(ACTION, max_size=25))
def test_any_work_then_handled_goods_expire_no_later_than_their_earliest_input(actions: list[Any]) -> None:
    group = worked(actions)
    for plant in ("WH1", "WH2"):
        tables = group.model.nodes[plant]
        for run in tables.runs.values():
            if run.kind in ("SPLIT", "MERGE", "REPACK"):
                edges = [edge for edge in tables.edges.values() if edge.run == run.id]
                inputs = [tables.batches[edge.batch].expires_on for edge in edges if edge.side == "IN"]
                earliest = min((day for day in inputs if day is not None), default=date.max)
                for edge in edges:
                    if edge.side == "OUT":
                        assert (tables.batches[edge.batch].expires_on or date.max) <= earliest


@SMALL
@given(st.lists(ACTION.filter(lambda action: action[0] not in ("lift", "correct")), max_size=25))
def test_any_work_without_releases_then_a_hold_is_on_everything_a_plain_walk_reaches(actions: list[Any]) -> None:
    group = worked(actions)
    for plant in ("WH1", "WH2"):
        tables = group.model.nodes[plant]
        for hold in [hold for hold in tables.holds.values() if hold.cause is None]:
            reached = {hold.batch}
            while True:
                fed = {edge.run for edge in tables.edges.values() if edge.side == "IN" and edge.batch in reached}
                more = {edge.batch for edge in tables.edges.values() if edge.side == "OUT" and edge.run in fed}
                if more <= reached:
                    break
                reached |= more
            held = {other.batch for other in tables.holds.values() if other.cause == hold.id}
            assert held == reached - {hold.batch}


@SMALL
@given(st.lists(ACTION, max_size=25))
def test_any_work_then_after_every_release_no_upstream_hold_outlives_its_cause(actions: list[Any]) -> None:
    group = worked(actions)
    for plant in ("WH1", "WH2"):
        tables = group.model.nodes[plant]
        for hold in tables.holds.values():
            if hold.cause is not None and hold.lifted is None:
                assert tables.holds[hold.cause].lifted is None
            assert (hold.lifted is None) or hold.lifted in tables.entries


@SMALL
@given(st.lists(ACTION, max_size=25))
def test_any_work_delivered_then_the_hub_knows_what_the_plants_know(actions: list[Any]) -> None:
    group = worked(actions)
    group.everything_arrives()
    for plant in ("WH1", "WH2"):
        assert vars(group.model.mirrors[plant]) == vars(group.model.nodes[plant])


@SMALL
@given(st.lists(ACTION.filter(lambda action: action[0] not in ("send", "arrive", "correct")), max_size=20))
def test_any_work_at_a_plant_then_bounds_hold_what_even_mixing_gives(actions: list[Any]) -> None:
    group = worked(actions)
    known = group.model.nodes["WH1"].batches
    for target in list(known)[3:]:
        for suspect in list(group.model.ancestors(target))[:4]:
            found = group.model.contribution(suspect, target)
            assert found is not None
            least, most = found
            assert 0 <= least <= mixed_evenly(group, suspect, target) <= most


def mixed_evenly(group: Group, suspect: str, target: str) -> Fraction:
    """Return how much of a batch gets into another if each run and each batch as a whole mixes evenly."""
    tables = group.model.nodes["WH1"]
    went_in: dict[str, Fraction] = defaultdict(Fraction)
    came_out: dict[str, Fraction] = defaultdict(Fraction)
    for edge in tables.edges.values():
        (went_in if edge.side == "IN" else came_out)[edge.run] += edge.amount
    shares = {suspect: Fraction(1)}
    for _ in range(len(went_in) + 1):
        into_run: dict[str, Fraction] = defaultdict(Fraction)
        into_batch: dict[str, Fraction] = defaultdict(Fraction)
        for edge in tables.edges.values():
            if edge.side == "IN":
                into_run[edge.run] += edge.amount * shares.get(edge.batch, Fraction(0))
        for edge in tables.edges.values():
            if edge.side == "OUT":
                whole = max(went_in[edge.run], came_out[edge.run])
                into_batch[edge.batch] += edge.amount * into_run[edge.run] / whole
        shares = {code: amount / tables.batches[code].made for code, amount in into_batch.items()}
        shares[suspect] = Fraction(1)
    return shares[target] * tables.batches[target].made / 10**6
