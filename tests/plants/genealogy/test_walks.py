"""Traces in the database: known graphs, any graph against the walk that says what is meant, and scopes."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.database import Store
from plants.rules.genealogy.walks import Bounds, Paths, TraceDirection, moves, walk
from plants.rules.identification.codes import node_id
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import (
    Seeds,
    Traced,
    TracedBatch,
    TracedEdge,
    batches_page,
    edges_page,
    paths,
    trace,
)
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span
from plants.store.traceability.trace_batches import TracedBatchesFilter, traced_count, traced_page
from plants.store.traceability.trace_names import plant_codes, process_names
from plants.store.traceability.trace_starts import Start, resolve_seeds
from plants.store.traceability.trace_summary import Delivered, Flow, PlaceKind, Share, contributions, flows, summary
from tests.plants.genealogy.graphs import Genealogy, genealogies

BACKWARD, FORWARD, BOTH = TraceDirection.BACKWARD, TraceDirection.FORWARD, TraceDirection.BOTH
ALL = PlantScope(frozenset({1, 2, 3}))
MILK, CREAM, BUTTER, OTHER = (node_id(1, number) for number in (1, 2, 3, 4))
CHURN, PACK, SHIP, MOVE = (node_id(1, number) for number in (101, 102, 103, 104))

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

STARTS = (
    Start(codes=tuple(f"B{number}" for number in range(9))),
    Start(aliases=("L1", "L2")),
    Start(supplier_lots=("L1", "L2")),
    Start(customer_orders=("PO-1",)),
    Start(job_orders=("PO-1",)),
    Start(purchase_orders=("PO-1",)),
    Start(customers=("C1",)),
)


def filters_of(found: Traced) -> list[TracedBatchesFilter]:
    """Return one filter by each criterion that some generated goods meet and others do not."""
    every = TracedBatchesFilter(Start(), BOTH, found)
    return [
        replace(every, plant=CodeCriterion("SH1")),
        replace(every, material=CodeCriterion("WHEY")),
        replace(every, disposition=MemberCriterion(Disposition.RESTRICTED)),
        replace(every, in_stock=True),
        replace(every, in_stock=False),
        replace(every, distance=Span(1, 3)),
    ]


def traced(
    store: Store, graph: Genealogy, seeds: Seeds | list[int], direction: TraceDirection, scope: PlantScope = ALL
) -> Traced:
    graph.write(store)
    with store.reading() as session:
        return trace(session, scope, seeds, direction)


def chain() -> Genealogy:
    graph = Genealogy()
    graph.plant(1)
    for batch in (MILK, CREAM, BUTTER):
        graph.batch(batch, 1)
    graph.run(CHURN, 1)
    graph.run(PACK, 1)
    graph.edge(MILK, CHURN, 1)
    graph.edge(CHURN, CREAM, 1, "PRODUCED")
    graph.edge(CREAM, PACK, 1)
    graph.edge(PACK, BUTTER, 1, "PRODUCED")
    return graph


def test_chain_then_steps_count_process_records(store: Store) -> None:
    graph = chain()
    forward = traced(store, graph, [MILK], FORWARD)
    assert forward.batches == {MILK: 0, CREAM: 1, BUTTER: 2}
    assert forward.processes == {CHURN: 1, PACK: 2}
    assert len(forward.links) == 4
    assert forward.depth == 2
    backward = traced(store, graph, [BUTTER], BACKWARD)
    assert backward.batches == {BUTTER: 0, CREAM: 1, MILK: 2}
    middle = traced(store, graph, [CREAM], BOTH)
    assert middle.batches == {CREAM: 0, MILK: 1, BUTTER: 1}
    assert middle.processes == {CHURN: 1, PACK: 1}
    assert len(middle.links) == 4


def test_no_edges_or_no_seeds_then_only_the_seeds(store: Store) -> None:
    assert traced(store, chain(), [OTHER], BOTH).batches == {OTHER: 0}
    empty = traced(store, chain(), [], BOTH)
    assert (empty.batches, empty.processes, list(empty.links), empty.depth) == ({}, {}, [], 0)
    nothing = traced(store, chain(), [MILK], FORWARD, PlantScope(frozenset()))
    assert (nothing.batches, list(nothing.links)) == ({MILK: 0}, [])


def test_diamond_then_each_node_once_at_its_shortest_distance(store: Store) -> None:
    graph = chain()
    graph.edge(MILK, PACK, 1)
    found = traced(store, graph, [MILK], FORWARD)
    assert found.batches == {MILK: 0, BUTTER: 1, CREAM: 1}
    assert len(found.links) == 5
    with store.reading() as session:
        short, long = (MILK, PACK, BUTTER), (MILK, CHURN, CREAM, PACK, BUTTER)
        assert paths(session, ALL, MILK, BUTTER, 5) == Paths((short, long), more=False)
        assert paths(session, ALL, MILK, BUTTER, 1) == Paths((short,), more=True)
        assert paths(session, ALL, BUTTER, MILK, 5) == Paths((), more=False)


def test_rework_in_a_circle_then_the_trace_ends(store: Store) -> None:
    graph = chain()
    graph.edge(BUTTER, CHURN, 1)
    for direction in (BACKWARD, FORWARD, BOTH):
        found = traced(store, graph, [CREAM], direction)
        assert found.batches.keys() == {CREAM, BUTTER} | ({MILK} if direction is not FORWARD else set())
        assert len(found.links) == (4 if direction is FORWARD else 5)


def test_goods_returned_unused_then_they_lead_nowhere(store: Store) -> None:
    graph = chain()
    graph.edge(OTHER, CHURN, 1, "CONSUMED")
    graph.edge(CHURN, OTHER, 1, "RETURNED")
    assert OTHER not in traced(store, graph, [MILK], FORWARD).batches
    assert traced(store, graph, [OTHER], BACKWARD).batches == {OTHER: 0}
    backward = traced(store, graph, [BUTTER], BACKWARD)
    assert (CHURN, OTHER, "RETURNED") in backward.links


def test_transfer_there_and_back_then_one_batch_known_at_two_plants(store: Store) -> None:
    graph = chain()
    graph.plant(2)
    back = node_id(2, 7)
    graph.batch(BUTTER, 2, disposition="RESTRICTED", made=1)
    graph.stock(BUTTER, 1, "A1", 60)
    graph.stock(BUTTER, 2, "B1", 30)
    graph.stock(BUTTER, 2, "B2", 5)
    for node, source, target in ((MOVE, 1, 2), (back, 2, 1)):
        graph.run(node, source, "TRANSFER")
        graph.run(node, target, "TRANSFER")
        graph.edge(BUTTER, node, source, "TRANSFERRED")
        graph.edge(node, BUTTER, target, "TRANSFERRED")
    found = traced(store, graph, [MILK], FORWARD)
    assert found.batches == {MILK: 0, CREAM: 1, BUTTER: 2}
    assert found.processes == {CHURN: 1, PACK: 2}
    assert found.transfers == {MOVE: 2, back: 2}
    assert len(found.links) == 4
    assert sorted(found.moves) == sorted(link for _, link in graph.links if link[2] == "TRANSFERRED")
    assert found.link_count == 8
    with store.reading() as session:
        (butter,) = batches_page(session, ALL, found, [BUTTER])
        assert butter == TracedBatch(BUTTER, 2, 1, "B3", "MILK", "KGM", 100, 5, None, "UNRESTRICTED")
        abroad = PlantScope(frozenset({2, 3}))
        assert [one.plant_id for one in batches_page(session, abroad, found, [BUTTER])] == [2]
        assert batches_page(session, PlantScope(frozenset({3})), found, [BUTTER]) == [TracedBatch(BUTTER, 2)]


def test_shipments_then_the_summary_names_customers_and_what_is_on_hand(store: Store) -> None:
    graph = chain()
    graph.batch(OTHER, 1)
    graph.run(SHIP, 1, "SHIPMENT", customer="C7", job_order="PO-1")
    graph.edge(BUTTER, SHIP, 1, "SHIPPED", 40)
    graph.edge(OTHER, SHIP, 1, "SHIPPED", 3)
    graph.stock(BUTTER, 1, "A1", 60)
    graph.movement(BUTTER, 1, f"process:{PACK}", "stock:A1", 100)
    graph.movement(BUTTER, 1, "stock:A1", f"process:{SHIP}", 40)
    graph.movement(OTHER, 1, "supplier:S1", "stock:A1", 7)
    found = traced(store, graph, [CREAM], FORWARD)
    with store.reading() as session:
        figures = summary(session, ALL, found)
        assert (figures.batches, figures.processes, figures.edges, figures.depth, figures.unstated) == (2, 2, 3, 1, 0)
        assert figures.shares == (Share(1, "MILK", "KGM", "UNRESTRICTED", 2, 2, 200, 60),)
        assert figures.deliveries == (Delivered(1, "C7", "KGM", 1, 1, 40),)
        assert flows(session, ALL, found.batches) == (
            Flow(1, "KGM", PlaceKind.PROCESS, PlaceKind.STOCK, 100),
            Flow(1, "KGM", PlaceKind.STOCK, PlaceKind.PROCESS, 40),
        )
        shipment = resolve_seeds(session, ALL, Start(customers=("C7", "C8"), customer_orders=("PO-1",)))
        assert shipment == Seeds((), (SHIP,), by_name=True, unknown=("C8",))
        origin = trace(session, ALL, shipment, BACKWARD)
        assert origin.batches == {BUTTER: 1, OTHER: 1, CREAM: 2, MILK: 3}
        assert summary(session, ALL, origin).deliveries == (Delivered(1, "C7", "KGM", 1, 2, 43),)


def test_batch_shipped_in_two_lines_and_twice_then_it_counts_once_among_the_batches_delivered(store: Store) -> None:
    graph, again = chain(), node_id(1, 105)
    for shipment in (SHIP, again):
        graph.run(shipment, 1, "SHIPMENT", customer="C7")
    for shipment, quantity in ((SHIP, 40), (SHIP, 2), (again, 5)):
        graph.edge(BUTTER, shipment, 1, "SHIPPED", quantity)
    found = traced(store, graph, [CREAM], FORWARD)
    with store.reading() as session:
        assert summary(session, ALL, found).deliveries == (Delivered(1, "C7", "KGM", 2, 1, 47),)


def test_names_then_batches_at_the_plants_in_scope(store: Store) -> None:
    graph = chain()
    graph.batch(MILK, 2)
    graph.batch(OTHER, 3, code="B1")
    graph.alias(MILK, 1, "SUPPLIER_LOT", "L-1")
    graph.alias(OTHER, 3, "SUPPLIER_LOT", "L-1")
    graph.alias(CREAM, 1, "TANK", "L-1")
    graph.alias(BUTTER, 1, "TANK", "L-2", ended=True)
    graph.write(store)
    one = PlantScope(frozenset({1}))
    with store.reading() as session:
        assert resolve_seeds(session, ALL, Start(codes=("B1",))) == Seeds((MILK, OTHER))
        assert resolve_seeds(session, one, Start(codes=("B1", "B9"))) == Seeds((MILK,), unknown=("B9",))
        assert resolve_seeds(session, ALL, Start(supplier_lots=("L-1",))) == Seeds((MILK, OTHER), by_name=True)
        assert resolve_seeds(session, one, Start(aliases=("L-1",))) == Seeds((MILK, CREAM), by_name=True)
        assert resolve_seeds(session, ALL, Start(aliases=("L-2",))) == Seeds((), by_name=True, unknown=("L-2",))


def test_edges_then_pages_hold_each_once_in_order(store: Store) -> None:
    graph = chain()
    graph.edge(MILK, CHURN, 1, quantity=11)
    graph.edge(MILK, CHURN, 1, quantity=12)
    found = traced(store, graph, [MILK], FORWARD)
    with store.reading() as session:
        whole = edges_page(session, ALL, found, first=100)
        assert [edge.quantity for edge in whole if edge.source_id == MILK] == [10, 11, 12]
        assert len(whole) == len(found.links) == 6
        assert whole[0] == TracedEdge(MILK, CHURN, 1, 1, 0, 10, "KGM", "CONSUMED", 7)
        for size in (1, 2, 4, 6):
            paged: list[TracedEdge] = []
            while page := edges_page(session, ALL, found, first=size, after=paged[-1].key if paged else None):
                assert len(page) <= size
                paged += page
            assert paged == whole


@pytest.mark.parametrize(
    "given_out, clean, expected", [(100, 0, Bounds(100, 100)), (60, 50, Bounds(10, 60)), (40, 60, Bounds(0, 40))]
)
def test_contribution_then_least_and_most_follow_from_the_amounts(
    store: Store, given_out: int, clean: int, expected: Bounds
) -> None:
    graph = chain().at(set())
    for batch, made in ((MILK, 100), (OTHER, 100), (CREAM, given_out)):
        graph.batch(batch, 1, made=made)
    graph.run(CHURN, 1)
    graph.edge(MILK, CHURN, 1, quantity=100 - clean)
    if clean:
        graph.edge(OTHER, CHURN, 1, quantity=clean)
    graph.edge(CHURN, CREAM, 1, "PRODUCED", given_out)
    found = traced(store, graph, [MILK], FORWARD)
    expected = Bounds(expected.least, min(expected.most, 100 - clean))
    with store.reading() as session:
        assert contributions(session, ALL, found) == {MILK: Bounds(100, 100), CREAM: expected}


@EXAMPLES
@given(data=st.data(), graph=genealogies(), direction=st.sampled_from(TraceDirection))
def test_any_graph_then_the_nodes_and_edges_of_the_reference_walk(
    store: Store, data: st.DataObject, graph: Genealogy, direction: TraceDirection
) -> None:
    scope = PlantScope(data.draw(st.frozensets(st.integers(1, 3))))
    ends = sorted({end for _, link in graph.links for end in link[:2] if end & 0xFF < 100})
    seeds = data.draw(st.lists(st.sampled_from(ends), max_size=3, unique=True)) if ends else []
    found = traced(store, graph, seeds, direction, scope)
    links = [link for plant, link in graph.links if plant in scope]
    expected = walk(links, seeds, direction)
    assert sorted(found.moves) == sorted(moves(links, found.batches))
    assert found.batches.keys() | found.processes.keys() == expected.nodes
    assert sorted(found.links) == sorted(expected.links)
    assert all(node & 0xFF < 100 for node in found.batches)


@EXAMPLES
@given(data=st.data(), graph=genealogies(), direction=st.sampled_from(TraceDirection))
def test_rows_outside_the_scope_then_they_change_no_answer(
    store: Store, data: st.DataObject, graph: Genealogy, direction: TraceDirection
) -> None:
    scope = PlantScope(data.draw(st.frozensets(st.integers(1, 3), min_size=1, max_size=2)))
    ends = sorted({end for _, link in graph.links for end in link[:2] if end & 0xFF < 100})
    seeds = Seeds(tuple(data.draw(st.lists(st.sampled_from(ends), max_size=3, unique=True)) if ends else ()))
    answers = []
    for part in (graph, graph.at(scope)):
        found = traced(store, part, seeds, direction, scope)
        with store.reading() as session:
            bounds = contributions(session, scope, found)
            assert all(0 <= one.least <= one.most for one in bounds.values())
            answers.append(
                (
                    list(found.batches.items()),
                    list(found.processes.items()),
                    (sorted(found.links), sorted(found.moves)),
                    summary(session, scope, found),
                    flows(session, scope, found.batches),
                    bounds,
                    batches_page(session, scope, found, list(found.batches)),
                    edges_page(session, scope, found, first=1000),
                    edges_page(session, scope, found, first=max(1, found.link_count - 1)),
                    *(resolve_seeds(session, scope, start) for start in STARTS),
                    *(traced_page(session, scope, filters, None, 1000) for filters in filters_of(found)),
                    *(traced_count(session, scope, filters) for filters in filters_of(found)),
                    list(process_names(session, scope, list(found.handled))),
                    plant_codes(session, scope, list(found.handled)),
                )
            )
    assert answers[0] == answers[1]
