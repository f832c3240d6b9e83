"""Sums of amounts that exceed 64 bits together: exact at a plant and at the hub, as a summary and as totals."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.database import Store
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import node_id
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import trace
from plants.store.production.process_records import line_totals
from plants.store.sql.sums import sum_parts, whole
from plants.store.traceability.trace_summary import Delivered, Flow, PlaceKind, flows, summary
from tests.plants.genealogy.graphs import Genealogy

ONE = PlantScope(frozenset({1}))
LARGEST = 10**18
"""10^12 units in millionths: the most that one batch holds."""
TEN, RUN, PRODUCT, SHIP = range(1, 11), node_id(1, 100), node_id(1, 50), node_id(1, 101)


@pytest.fixture
def large(store: Store) -> Store:
    """Ten batches of the largest amount, all fed into one run; its product left in ten lines of a shipment."""
    graph = Genealogy()
    graph.plant(1)
    graph.run(RUN, 1)
    graph.run(SHIP, 1, "SHIPMENT", customer="C7")
    graph.batch(PRODUCT, 1, made=LARGEST)
    graph.edge(RUN, PRODUCT, 1, "PRODUCED", LARGEST)
    for number in TEN:
        batch = graph.batch(node_id(1, number), 1, made=LARGEST)
        graph.stock(batch, 1, "A1", LARGEST)
        graph.edge(batch, RUN, 1, quantity=LARGEST)
        graph.edge(PRODUCT, SHIP, 1, "SHIPPED", LARGEST)
        graph.movement(batch, 1, "supplier:S1", "stock:A1", LARGEST)
    graph.write(store)
    return store


def test_ten_largest_batches_then_every_figure_is_exact(large: Store) -> None:
    with large.reading() as session:
        backward = trace(session, ONE, [PRODUCT], TraceDirection.BOTH)
        figures = summary(session, ONE, backward)
        (share,) = figures.shares
        assert (share.batches, share.made, share.on_hand) == (11, 11 * LARGEST, 10 * LARGEST)
        assert figures.deliveries == (Delivered(1, "C7", "KGM", 1, 1, 10 * LARGEST),)
        ids = [node_id(1, number) for number in TEN]
        assert flows(session, ONE, ids) == (Flow(1, "KGM", PlaceKind.SUPPLIER, PlaceKind.STOCK, 10 * LARGEST),)
        totals = line_totals(session, ONE, [RUN])
        assert sorted(totals[RUN]) == [("CONSUMED", "KGM", 10 * LARGEST), ("PRODUCED", "KGM", LARGEST)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=12))
def test_any_64_bit_numbers_then_their_sum(store: Store, values: list[int]) -> None:
    listed = " UNION ALL ".join(f"SELECT CAST({value} AS bigint) AS one" for value in values)
    with store.reading() as session:
        rows = session.rows(f"SELECT {sum_parts('one')} FROM ({listed or 'SELECT 1 AS one WHERE 1 = 0'}) AS listed", {})
        assert whole(*rows[0]) == sum(values)
