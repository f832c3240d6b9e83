"""Completeness: an answer that may miss something says so, and says what."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.database import Store
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import node_id
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Seeds, trace
from plants.store.traceability.completeness import WATERMARK_AGE_SECONDS_MAX, Completeness, Gap, GapKind, completeness
from tests.plants.genealogy.graphs import Genealogy

BACKWARD, FORWARD, BOTH = TraceDirection.BACKWARD, TraceDirection.FORWARD, TraceDirection.BOTH
HERE, GROUP = PlantScope(frozenset({1})), PlantScope(frozenset({1, 2}))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILK, MOVE = node_id(1, 1), node_id(1, 101)


def answer(
    store: Store,
    graph: Genealogy,
    direction: TraceDirection = BOTH,
    *,
    scope: PlantScope = GROUP,
    seeds: Seeds | None = None,
    seconds: int = 60,
    own: int | None = None,
) -> Completeness:
    graph.write(store)
    with store.reading() as session:
        traced = trace(session, scope, seeds or Seeds((MILK,)), direction)
        return completeness(session, scope, traced, now=EPOCH + timedelta(seconds=seconds), own=own)


def group() -> Genealogy:
    graph = Genealogy()
    for plant in (1, 2):
        graph.plant(plant)
        graph.heard(plant)
    graph.batch(MILK, 1)
    return graph


def dispatch(graph: Genealogy) -> None:
    graph.run(MOVE, 1, "TRANSFER", source_plant="SH1", destination_plant="DE2")
    graph.edge(MILK, MOVE, 1, "TRANSFERRED")


def receive(graph: Genealogy) -> None:
    graph.run(MOVE, 2, "TRANSFER", source_plant="SH1", destination_plant="DE2")
    graph.batch(MILK, 2)
    graph.edge(MOVE, MILK, 2, "TRANSFERRED")


def test_all_heard_and_received_then_complete_with_a_watermark_for_each_plant(store: Store) -> None:
    graph = group()
    dispatch(graph)
    receive(graph)
    for direction in TraceDirection:
        found = answer(store, graph, direction)
        assert (found.complete, found.gaps) == (True, ())
        marks = [(mark.plant_id, mark.size, mark.checkpoint_at, mark.lag_seconds) for mark in found.watermarks]
        assert marks == [(1, 9, EPOCH, 60), (2, 9, EPOCH, 60)]


def test_dispatched_and_not_received_then_in_transit_unless_only_the_past_is_asked(store: Store) -> None:
    graph = group()
    dispatch(graph)
    gap = Gap(GapKind.IN_TRANSIT, 2, "DE2", MOVE, (MILK,))
    assert answer(store, graph, FORWARD) == answer(store, graph, BOTH)
    assert answer(store, graph, FORWARD).gaps == (gap,)
    assert answer(store, graph, FORWARD).complete is False
    assert answer(store, graph, BACKWARD).complete is True


def test_received_with_nothing_left_then_it_is_no_longer_on_the_road(store: Store) -> None:
    graph = group()
    dispatch(graph)
    graph.run(MOVE, 2, "TRANSFER", source_plant="SH1", destination_plant="DE2")
    # Taken back, a receipt has no lines any more.
    assert answer(store, graph).gaps == (Gap(GapKind.IN_TRANSIT, 2, "DE2", MOVE, (MILK,)),)
    graph.receipt(2, MOVE, MILK)
    assert answer(store, graph).complete is True


def test_received_with_nothing_left_and_no_dispatch_seen_then_awaiting_its_source_all_the_same(store: Store) -> None:
    graph = group()
    graph.receipt(2, MOVE, MILK)
    gap = Gap(GapKind.AWAITING_SOURCE, 1, None, MOVE, (MILK,))
    assert [answer(store, graph, direction).gaps for direction in TraceDirection] == [(gap,)] * 3


def test_asked_as_of_a_moment_then_complete_only_when_all_were_heard_since(store: Store) -> None:
    graph = group()
    graph.write(store)
    with store.reading() as session:
        traced = trace(session, GROUP, Seeds((MILK,)), BOTH)
        found = [
            completeness(
                session, GROUP, traced, now=EPOCH + timedelta(seconds=60), since=EPOCH + timedelta(seconds=one)
            )
            for one in (0, 1)
        ]
    assert [one.complete for one in found] == [True, False]
    assert found[1].gaps == (Gap(GapKind.STALE, 1),)


def test_clock_of_a_plant_ahead_then_its_ledger_is_no_fresher_than_its_last_message(store: Store) -> None:
    graph = Genealogy()
    graph.plant(1)
    graph.batch(MILK, 1)
    graph.heard(1, signed_us=86_400_000_000, received_us=0)
    late = answer(store, graph, scope=HERE, seconds=WATERMARK_AGE_SECONDS_MAX + 1)
    assert late.gaps == (Gap(GapKind.STALE, 1),)
    (mark,) = late.watermarks
    assert (mark.checkpoint_at, mark.known_until, mark.lag_seconds) == (EPOCH + timedelta(days=1), EPOCH, 901)


@pytest.mark.parametrize("direction", list(TraceDirection))
def test_received_and_no_dispatch_seen_then_awaiting_its_source(store: Store, direction: TraceDirection) -> None:
    graph = group()
    receive(graph)
    assert answer(store, graph, direction).gaps == (Gap(GapKind.AWAITING_SOURCE, 1, None, MOVE, (MILK,)),)


def test_batch_that_its_origin_has_not_stated_then_unseen(store: Store) -> None:
    graph = group()
    stranger, run = node_id(2, 5), node_id(1, 105)
    graph.run(run, 1)
    graph.edge(MILK, run, 1)
    graph.edge(run, stranger, 1, "PRODUCED")
    assert answer(store, graph, FORWARD).gaps == (Gap(GapKind.UNSEEN_BATCHES, 2, batches=(stranger,)),)
    graph.batch(stranger, 2)
    assert answer(store, graph, FORWARD).complete is True


def test_chain_goes_on_outside_the_scope_then_it_says_where_by_what_the_scope_states(store: Store) -> None:
    graph = group()
    dispatch(graph)
    receive(graph)
    assert answer(store, graph, FORWARD, scope=HERE).gaps == (Gap(GapKind.OTHER_PLANT, None, "DE2", MOVE, (MILK,)),)
    assert answer(store, graph.at(HERE), FORWARD, scope=HERE) == answer(store, graph, FORWARD, scope=HERE)
    there = PlantScope(frozenset({2}))
    gaps = (Gap(GapKind.OTHER_PLANT, 1, None, MOVE, (MILK,)), Gap(GapKind.OTHER_PLANT, 1, batches=(MILK,)))
    assert answer(store, graph, BACKWARD, scope=there).gaps == gaps
    assert answer(store, graph.at(there), BACKWARD, scope=there) == answer(store, graph, BACKWARD, scope=there)


def test_silent_late_or_halted_plants_then_each_is_a_gap(store: Store) -> None:
    for values, kind in (
        ({"signed_us": None}, GapKind.NEVER_HEARD),
        ({"size": 0, "projected": 0}, GapKind.NEVER_HEARD),
        ({"projected": 8}, GapKind.BEHIND),
        ({"state": "DIVERGED"}, GapKind.ALARM),
        ({"signed_us": -WATERMARK_AGE_SECONDS_MAX * 1_000_000}, GapKind.STALE),
    ):
        graph = Genealogy()
        graph.plant(1)
        graph.batch(MILK, 1)
        graph.heard(1, **values)
        found = answer(store, graph, scope=HERE, seconds=1)
        assert (found.complete, found.gaps) == (False, (Gap(kind, 1),))


def test_stale_at_the_limit_then_not_before_it_and_never_for_the_own_ledger(store: Store) -> None:
    assert answer(store, group(), seconds=WATERMARK_AGE_SECONDS_MAX).complete is True
    late = answer(store, group(), seconds=WATERMARK_AGE_SECONDS_MAX + 1)
    assert late.gaps == (Gap(GapKind.STALE, 1),)
    assert answer(store, group(), seconds=WATERMARK_AGE_SECONDS_MAX + 1, own=1).complete is True


def test_plant_never_heard_then_it_counts_where_it_may_hold_more_of_the_name(store: Store) -> None:
    graph = group().at({1})
    assert answer(store, graph).complete is True
    named = answer(store, graph, seeds=Seeds((MILK,), by_name=True))
    assert named.gaps == (Gap(GapKind.NEVER_HEARD, 2),)


def test_destination_never_heard_then_its_code_is_named(store: Store) -> None:
    graph = group()
    dispatch(graph)
    silent = graph.at({1})
    gap = Gap(GapKind.OTHER_PLANT, None, "DE2", MOVE, (MILK,))
    assert answer(store, silent, FORWARD).gaps == (gap,)
