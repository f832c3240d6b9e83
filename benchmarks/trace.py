"""Traces in a group of plants, against bare SQL: the store functions, and whole GraphQL requests over HTTP.

The rival is the best form found by hand: two prepared statements on the driver's connection, rows made into JSON.
The answers of ours and of the rival are compared before anything is timed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random

import migrations
from benchmarks.graphql import over_http
from benchmarks.group import PLANTS, Group
from benchmarks.group_rows import load
from benchmarks.rounds import ROUNDS, Claim, Rate, Rounds, rate
from benchmarks.servers import server
from benchmarks.trace_answers import Answer, Request, bare, check_equal
from infra.database import Store
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import batches_page, edges_page, trace
from plants.store.traceability.trace_summary import summary

EVERYTHING = PlantScope(frozenset(range(1, PLANTS + 1)))
TYPICAL_BATCHES = (150, 260)
"""The least and the most batches of the traces that are timed."""
TRACES = 40
SILOS = 3


def ours(store: Store, seed: int) -> Answer:
    """Answer with a trace and its pages, through the functions that the resolvers use."""
    with store.reading() as session:
        traced = trace(session, EVERYTHING, [seed], TraceDirection.FORWARD)
        batches = batches_page(session, EVERYTHING, traced, list(traced.batches))
        edges = edges_page(session, EVERYTHING, traced, first=traced.link_count)
    return {
        "batches": [
            (one.id, one.code, one.plant_id, one.material, one.unit, one.made, one.produced_us, one.disposition)
            for one in batches
        ],
        "edges": [(one.source_id, one.target_id, one.quantity, one.unit, one.use) for one in edges],
    }


def seeds_of(store: Store, seed: int, count: int) -> list[int]:
    """Return up to `count` raw batches whose forward trace has a typical size.

    Raises LookupError when the group has none.
    """
    with store.reading() as session:
        raws = [
            row[0] for row in session.rows("SELECT id FROM batches WHERE material LIKE 'RAW-%' ORDER BY id, plant_id")
        ]
        Random(seed).shuffle(raws)
        found = []
        for raw in raws:
            size = len(trace(session, EVERYTHING, [raw], TraceDirection.FORWARD).batches)
            if TYPICAL_BATCHES[0] <= size <= TYPICAL_BATCHES[1]:
                found.append(raw)
            if len(found) == count:
                break
    if not found:
        least, most = TYPICAL_BATCHES
        raise LookupError(f"no raw batch has a forward trace of {least} to {most} batches: use more edges")
    return found


def compare(rounds: Rounds, name: str, request: Request, rival: Request, seeds: list[int]) -> Claim:
    """Return the claim for one way of asking, after its answers were compared with the rival's."""
    for seed in seeds:
        check_equal(request(seed), rival(seed))
    sizes = sorted(len(rival(seed)["batches"]) for seed in seeds)

    def all_of(ask: Request) -> Callable[[], Rate]:
        return lambda: rate(len(seeds), lambda: [json.dumps(ask(seed), default=str) for seed in seeds])

    ours, theirs = rounds.interleave([all_of(request), all_of(rival)])
    return Claim(name, "bare SQL and JSON", (ours, theirs), "traces/s", f"{sizes[len(sizes) // 2]} batches", 0.33)


def run(
    *, rounds: Rounds = ROUNDS, edges: int = 1_000_000, traces: int = TRACES, seed: int = 20260314
) -> Iterator[Claim]:
    """Yield the claims for the store functions, for GraphQL requests over HTTP, and for a silo lot."""
    with server() as running:
        running.create_database("trace")
        with closing(Store(running.url("trace"))) as store:
            migrations.upgrade(store)
            group = Group(edges, seed)
            load(store, group)
            seeds = seeds_of(store, seed, traces)
            with store.engine.connect() as connection:
                driver = connection.connection.driver_connection

                def rival(one: int) -> Answer:
                    return bare(driver, one)

                yield compare(rounds, "trace, store functions", lambda one: ours(store, one), rival, seeds)
                with over_http(store, running.url("trace")) as request:
                    yield compare(rounds, "trace, GraphQL over HTTP", request, rival, seeds)
            yield silo_lot(rounds, store, group)


def silo_lot(rounds: Rounds, store: Store, group: Group) -> Claim:
    """Return the claim for the summary and first page of a very wide trace, against the walk with all columns."""
    silos = [batch for batch, made in group.made.items() if made.material == "RAW-000"][:SILOS]

    def ask() -> None:
        for silo in silos:
            with store.reading() as session:
                traced = trace(session, EVERYTHING, [silo], TraceDirection.FORWARD)
                summary(session, EVERYTHING, traced)
                batches_page(session, EVERYTHING, traced, list(traced.batches)[:50])
                edges_page(session, EVERYTHING, traced, first=50)

    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
        sizes = sorted(len(bare(driver, silo)["batches"]) for silo in silos)

        def all_columns() -> None:
            for silo in silos:
                bare(driver, silo)

        ours, theirs = rounds.interleave([lambda: rate(len(silos), ask), lambda: rate(len(silos), all_columns)])
    notes = f"{sizes[len(sizes) // 2]:,} batches"
    return Claim("silo lot, summary and first page", "bare SQL, all columns", (ours, theirs), "traces/s", notes)
