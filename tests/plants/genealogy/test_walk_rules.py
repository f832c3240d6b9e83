"""The reference walk, paths, and bounds of what can be in a batch: known answers, and bounds against made-up mixing."""

from hypothesis import given
from hypothesis import strategies as st

from plants.rules.genealogy.walks import (
    Amount,
    Bounds,
    Link,
    Paths,
    TraceDirection,
    contribution_bounds,
    distances,
    paths_between,
    walk,
)

BACKWARD, FORWARD, BOTH = TraceDirection.BACKWARD, TraceDirection.FORWARD, TraceDirection.BOTH
A, B, C, D = 1, 2, 3, 4
P, Q = 101, 102
CHAIN: list[Link] = [(A, P, "CONSUMED"), (P, B, "PRODUCED"), (B, Q, "CONSUMED"), (Q, C, "PRODUCED")]


def test_chain_then_everything_before_or_after() -> None:
    assert walk(CHAIN, [B], FORWARD).nodes == {B, Q, C}
    assert walk(CHAIN, [B], BACKWARD).nodes == {B, P, A}
    assert sorted(walk(CHAIN, [B], BOTH).links) == sorted(CHAIN)
    assert distances(CHAIN, [A], [], forward=True) == {A: 0, P: 1, B: 2, Q: 3, C: 4}
    assert distances(CHAIN, [], [Q], forward=False) == {Q: 1, B: 2, P: 3, A: 4}


def test_returned_goods_then_listed_between_reached_nodes_and_never_walked() -> None:
    links = [*CHAIN, (D, P, "CONSUMED"), (P, D, "RETURNED")]
    assert walk(links, [A], FORWARD).nodes == {A, P, B, Q, C}
    assert (P, D, "RETURNED") not in walk(links, [A], FORWARD).links
    assert (P, D, "RETURNED") in walk(links, [C], BACKWARD).links


def test_circle_then_paths_visit_no_node_twice() -> None:
    links = [*CHAIN, (C, P, "CONSUMED"), (A, Q, "CONSUMED")]
    assert paths_between(links, A, C, 9) == Paths(((A, Q, C), (A, P, B, Q, C)), more=False)
    assert paths_between(links, A, C, 1) == Paths(((A, Q, C),), more=True)
    assert paths_between(links, A, A, 9) == Paths(((A,),), more=False)
    assert paths_between(links, D, C, 9) == Paths((), more=False)


def amount(source: int, target: int, micro: int, use: str = "CONSUMED", unit: str = "KGM") -> Amount:
    return Amount(source, target, use, unit, micro)


def test_half_and_half_then_bounds_follow_from_what_is_left_clean() -> None:
    mixed = [amount(A, P, 50), amount(D, P, 50), amount(P, B, 70, "PRODUCED"), amount(P, C, 30, "PRODUCED")]
    found = contribution_bounds(mixed, {A: 50, B: 70, C: 30, D: 50}, [A], [P])
    assert found == {A: Bounds(50, 50), B: Bounds(20, 50), C: Bounds(0, 30)}


def test_part_of_a_mixed_batch_then_it_may_be_all_or_nothing() -> None:
    first = [amount(A, P, 40), amount(D, P, 60), amount(P, B, 100, "PRODUCED")]
    second = [amount(B, Q, 50), amount(Q, C, 50, "PRODUCED")]
    found = contribution_bounds([*first, *second], {A: 40, B: 100, C: 50, D: 60}, [A], [P, Q])
    assert (found[B], found[C]) == (Bounds(40, 40), Bounds(0, 40))


def test_other_units_or_a_circle_then_anything_is_possible() -> None:
    cups = [amount(A, P, 50), amount(P, B, 7, "PRODUCED", "H87")]
    assert contribution_bounds(cups, {A: 50, B: 7}, [A], [P])[B] == Bounds(0, 7)
    circle = [amount(A, P, 50), amount(P, B, 50, "PRODUCED"), amount(B, P, 10)]
    assert contribution_bounds(circle, {A: 50, B: 50}, [A], [P])[B] == Bounds(0, 50)


def test_goods_that_came_back_then_they_were_not_in_it() -> None:
    edges = [amount(A, P, 50), amount(P, A, 50, "RETURNED"), amount(D, P, 20), amount(P, B, 20, "PRODUCED")]
    assert contribution_bounds(edges, {A: 50, B: 20, D: 20}, [A], [P])[B] == Bounds(0, 0)


@given(data=st.data())
def test_any_mixing_then_what_is_in_each_batch_lies_within_its_bounds(data: st.DataObject) -> None:
    whole = st.integers(0, 30)
    made = {A: 30, D: 30}
    inside = {A: 30, D: 0}
    left = dict(made)
    suspect_left = dict(inside)
    edges: list[Amount] = []
    runs = range(101, 101 + data.draw(st.integers(1, 5)))
    for run in runs:
        total = tainted = 0
        for batch in list(made):
            taken = min(left[batch], data.draw(whole))
            # Any part of what is left may be suspect, as far as there is suspect and clean goods for it.
            least = max(0, taken - (left[batch] - suspect_left[batch]))
            part = data.draw(st.integers(least, min(taken, suspect_left[batch])))
            left[batch] -= taken
            suspect_left[batch] -= part
            total, tainted = total + taken, tainted + part
            edges.append(amount(batch, run, taken))
        for batch in (run * 10, run * 10 + 1):
            size = data.draw(st.integers(0, total))
            least = max(0, size - (total - tainted))
            inside[batch] = suspect_left[batch] = data.draw(st.integers(least, min(size, tainted)))
            made[batch] = left[batch] = size
            total, tainted = total - size, tainted - inside[batch]
            edges.append(amount(run, batch, size, "PRODUCED"))
    bounds = contribution_bounds(edges, made, [A], runs)
    for batch, content in inside.items():
        known = bounds.get(batch, Bounds(0, 0))
        assert known.least <= content <= known.most
