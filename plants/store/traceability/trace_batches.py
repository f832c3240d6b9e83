"""A trace's batches, edges and paths as they are listed: those that a reader wants of them, page by page."""

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field

from infra.database import ReadSession
from plants.rules.genealogy.walks import Paths, TraceDirection, distances, paths_between
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Traced, TracedBatch, TracedEdge, batches_page, edges_page
from plants.store.materials.plants import narrowed
from plants.store.sql.arrays import as_array, in_list, in_scope
from plants.store.sql.pages import Key
from plants.store.traceability.trace_starts import Start

HERE = "plant_id = batches.plant_id AND batch_id = id"


@dataclass(frozen=True, slots=True)
class TracedBatchesFilter:
    """Criteria for batches or edges of a trace. A field that is None does not filter.

    The goods of one plant must meet all criteria for a batch.
    """

    start: Start
    direction: TraceDirection
    traced: Traced = field(repr=False, compare=False)
    plant: str | None = None
    material: str | None = None
    disposition: Disposition | None = None
    in_stock: bool | None = None
    on_hold: bool | None = None
    steps_max: int | None = None


def traced_page(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, after: Key | None, limit: int
) -> list[TracedBatch]:
    """Return one page of a trace's batches by distance, those at one distance by id."""
    ordered = _wanted(reads, scope, filters)
    begin = 0 if after is None else bisect_right(ordered, after)
    return batches_page(reads, scope, filters.traced, [batch for _, batch in ordered[begin : begin + limit]])


def traced_count(reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter) -> int:
    """Return how many batches of a trace are wanted."""
    return len(_wanted(reads, scope, filters))


def traced_edges(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, after: Key | None, limit: int
) -> list[TracedEdge]:
    """Return one page of a trace's edges, in the order of their keys."""
    edge = None if after is None else (after[0], after[1], after[2], after[3], after[4])
    return edges_page(reads, scope, filters.traced, first=limit, after=edge)


def traced_edges_count(_reads: ReadSession, _scope: PlantScope, filters: TracedBatchesFilter) -> int:
    """Return how many edges a trace has."""
    return len(filters.traced.links)


def paths_to(traced: Traced, batch: int, limit: int) -> Paths:
    """Return up to `limit` paths between the seeds of a trace and a batch in it, in the direction of the goods.

    They are those of the edges that were walked, shortest first; nothing is asked of the database again.
    """
    seeds = {*traced.seeds.batches, *traced.seeds.processes}
    ways = {
        (distance, (seed, batch) if forward else (batch, seed))
        for forward in (True, False)
        for seed, distance in distances(traced.links, (batch,), (), forward=not forward).items()
        if seed in seeds and batch in traced.batches
    }
    found: list[tuple[int, ...]] = []
    more = False
    for distance, (start, goal) in sorted(ways):
        if len(found) > limit and len(found[limit]) <= distance + 1:
            break  # No path of a seed so far away is shorter than those found.
        some = paths_between(traced.links, start, goal, limit)
        found = sorted((*found, *some.paths), key=lambda path: (len(path), path))
        more = more or some.more
    return Paths(tuple(found[:limit]), more=more or len(found) > limit)


def _wanted(reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter) -> list[tuple[int, int]]:
    farthest = filters.traced.depth if filters.steps_max is None else filters.steps_max
    near = [(steps, batch) for batch, steps in filters.traced.batches.items() if steps <= farthest]
    chosen = _chosen(reads, scope, filters, [batch for _, batch in near])
    return near if chosen is None else [one for one in near if one[1] in chosen]


def _chosen(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, batches: Collection[int]
) -> set[int] | None:
    """Return the batches whose goods at some plant match the filters, or None when all do."""
    conditions: list[str] = []
    values: dict[str, object] = {}
    for column, value in (("material", filters.material), ("disposition", filters.disposition)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            values[column] = str(value)
    for wanted, rows in (
        (filters.in_stock, f"SELECT 1 FROM stock WHERE stock.{HERE} AND quantity > 0"),
        (filters.on_hold, f"SELECT 1 FROM holds WHERE holds.{HERE} AND lifted_idx IS NULL"),
    ):
        if wanted is not None:
            conditions.append(f"{'' if wanted else 'NOT '}EXISTS ({rows})")
    if not conditions and filters.plant is None:
        return None
    conditions += [in_list(reads, "id", "ids"), in_scope(reads, "plant_id")]
    values |= {"ids": as_array(reads, batches), "scope": as_array(reads, narrowed(reads, scope, filters.plant))}
    return {batch for (batch,) in reads.rows(f"SELECT id FROM batches WHERE {' AND '.join(conditions)}", values)}
