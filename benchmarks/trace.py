"""A trace of about 200 batches in a group of a million edges: our functions, and whole requests, against bare SQL.

The rival is the best hand-written form that was found: two prepared statements on the driver's connection, its rows
made into JSON by hand. Ours gives the same batches and the same edges; the two are compared before anything is timed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from random import Random
from typing import Any

import migrations
from benchmarks.group import PLANTS, Group
from benchmarks.group_rows import load
from benchmarks.rounds import Claim, in_turns, rate
from benchmarks.servers import server
from infra.database import Store
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import batches_page, edges_page, trace
from plants.store.traceability.trace_summary import summary

EVERYTHING = PlantScope(frozenset(range(1, PLANTS + 1)))
USUAL_BATCHES = (150, 260)  # of the traces that are timed
SEEDS = 40

WALK = """
WITH RECURSIVE walk(node) AS (
    SELECT %(seed)s::bigint UNION
    SELECT step.target_id FROM walk CROSS JOIN LATERAL
        (SELECT target_id FROM edges WHERE source_id = walk.node AND use <> 'RETURNED' OFFSET 0) AS step
)
SELECT source_id, target_id, quantity, unit, use FROM edges WHERE source_id = ANY(ARRAY(SELECT node FROM walk))
"""
BATCHES = """
SELECT DISTINCT ON (id) id, code, plant_id, material, unit, made, produced_us, disposition
FROM batches WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id, plant_id <> id >> 40, plant_id
"""

Answer = dict[str, list[Any]]
Request = Callable[[int], Answer]


def bare(connection: Any, seed: int) -> Answer:
    """Answer with two statements and hardly any code."""
    edges = connection.execute(WALK, {"seed": seed}, prepare=True).fetchall()
    ids = list({seed, *(edge[0] for edge in edges), *(edge[1] for edge in edges)})
    batches = connection.execute(BATCHES, {"ids": ids}, prepare=True).fetchall()
    return {"batches": batches, "edges": edges}


def ours(store: Store, seed: int) -> Answer:
    """Answer with a trace and its pages, as the schema's resolvers do."""
    with store.reading() as session:
        traced = trace(session, EVERYTHING, [seed], TraceDirection.FORWARD)
        batches = batches_page(session, EVERYTHING, traced, list(traced.batches))
        edges = edges_page(session, EVERYTHING, traced, first=len(traced.links))
    return {
        "batches": [
            (one.id, one.code, one.plant_id, one.material, one.unit, one.made, one.produced_us, one.disposition)
            for one in batches
        ],
        "edges": [(one.source_id, one.target_id, one.quantity, one.unit, one.use) for one in edges],
    }


def seeds_of(store: Store, seed: int) -> list[int]:
    """Return raw batches whose forward trace has the usual size."""
    with store.reading() as session:
        raws = [
            row[0] for row in session.rows("SELECT id FROM batches WHERE material LIKE 'RAW-%' ORDER BY id, plant_id")
        ]
        Random(seed).shuffle(raws)
        found = []
        for raw in raws:
            size = len(trace(session, EVERYTHING, [raw], TraceDirection.FORWARD).batches)
            if USUAL_BATCHES[0] <= size <= USUAL_BATCHES[1]:
                found.append(raw)
            if len(found) == SEEDS:
                break
    return found


def check_equal(one: Answer, other: Answer) -> None:
    """Raise AssertionError unless both give the same rows, in whatever order."""
    for name in ("batches", "edges"):
        assert sorted(one[name]) == sorted(other[name]), name


def compare(rounds: int, name: str, request: Request, rival: Request, seeds: list[int]) -> Claim:
    """Return the claim for one way of asking, its answers checked."""
    for seed in seeds:
        check_equal(request(seed), rival(seed))
    sizes = sorted(len(rival(seed)["batches"]) for seed in seeds)

    def all_of(ask: Request) -> Callable[[], float]:
        return lambda: rate(len(seeds), lambda: [json.dumps(ask(seed), default=str) for seed in seeds])

    rates = in_turns(rounds, all_of(request), all_of(rival))
    return Claim(name, "bare SQL and JSON", rates, "traces/s", f"{sizes[len(sizes) // 2]} batches", 0.33)


def run(
    rounds: int = 5,
    edges: int = 1_000_000,
    seed: int = 20260314,
    requests: Mapping[str, Callable[[Store, str], AbstractContextManager[Request]]] = {},
) -> Iterator[Claim]:
    """Yield a claim for our functions, then one for each further way to send a request (GraphQL over HTTP, say)."""
    with server() as (running, version):
        running.create_database("trace")
        store = Store(running.url("trace"))
        migrations.upgrade(store)
        group = Group(edges, seed)
        load(store, group)
        seeds = seeds_of(store, seed)
        with store.engine.connect() as connection:
            driver = connection.connection.driver_connection

            def rival(one: int) -> Answer:
                return bare(driver, one)

            yield compare(rounds, f"trace, store ({version})", lambda one: ours(store, one), rival, seeds)
            for name, open_way in requests.items():
                with open_way(store, running.url("trace")) as request:
                    yield compare(rounds, f"trace, {name} ({version})", request, rival, seeds)
        yield from _wide(rounds, store, group, version)
        store.close()


def _wide(rounds: int, store: Store, group: Group, version: str) -> Iterator[Claim]:
    """Yield the claim for a silo lot: figures and a first page, against the bare walk with all columns."""
    silos = [batch for batch, made in group.made.items() if made.material == "RAW-000"][:3]

    def ask() -> None:
        for silo in silos:
            with store.reading() as session:
                traced = trace(session, EVERYTHING, [silo], TraceDirection.FORWARD)
                summary(session, EVERYTHING, traced)
                batches_page(session, EVERYTHING, traced, list(traced.batches)[:50])
                edges_page(session, EVERYTHING, traced, first=50)

    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
        sizes = [len(bare(driver, silo)["batches"]) for silo in silos]

        def all_columns() -> None:
            for silo in silos:
                bare(driver, silo)

        rates = in_turns(rounds, lambda: rate(len(silos), ask), lambda: rate(len(silos), all_columns))
    name = f"silo lot, figures and first page ({version})"
    yield Claim(name, "bare SQL, all columns", rates, "traces/s", f"{sorted(sizes)[1]:,} batches")
