"""A trace's batches, edges and paths as they are listed: those that a reader wants of them, page by page."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.genealogy.walks import Paths, TraceDirection, distances, paths_between
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Traced, TracedBatch, TracedEdge, batches_page, edges_page
from plants.store.inventory.batch_lists import is_in_stock
from plants.store.inventory.batches import Batch, known_by_code
from plants.store.inventory.holds import is_on_hold
from plants.store.materials.plants import plants_admitted
from plants.store.production.process_records import ProcessRow, processes_by_id
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key
from plants.store.traceability.trace_starts import Start

LOOKED_UP_AT_ONCE = 5_000  # batches in one statement
PATHS_MAX = 1_000
"""The number of paths that are listed, the shortest first."""


class TracedBatchOrderField(DescribedEnum):
    """Field to order the batches of a trace by."""

    DISTANCE = "DISTANCE", "The number of process steps from the start."
    CODE = "CODE", "The batch code. Batches that no plant you may see has stated come last in both directions."
    PRODUCED_AT = (
        "PRODUCED_AT",
        "The time of production. Batches that no plant you may see has stated come last in both directions.",
    )


NEAREST_FIRST: Final = Order(TracedBatchOrderField.DISTANCE)


@dataclass(frozen=True, slots=True)
class TracedBatchesFilter:
    """Criteria for batches or links of a trace, and the order of batches. A field that is None does not filter.

    The goods of one plant must meet all criteria for a batch.
    """

    start: Start
    direction: TraceDirection
    traced: Traced = field(repr=False, compare=False)
    code: CodeCriterion | None = None
    plant: CodeCriterion | None = None
    material: CodeCriterion | None = None
    disposition: MemberCriterion[Disposition] | None = None
    in_stock: bool | None = None
    on_hold: bool | None = None
    distance: Span[int] | None = None
    order: Order[TracedBatchOrderField] = NEAREST_FIRST


def traced_page(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, after: Key | None, limit: int
) -> list[TracedBatch]:
    """Return one page of a trace's batches in the order that the filters name."""
    order, keys = filters.order, _keys(reads, scope, filters)
    ordered = sorted(keys, reverse=order.descending)
    if after is not None:
        ordered = [key for key in ordered if (key < after if order.descending else key > after)]
    return batches_page(reads, scope, filters.traced, [batch for *_, batch in ordered[:limit]])


def traced_key(row: TracedBatch, order: Order[TracedBatchOrderField]) -> Key:
    """Return the key of a batch of a trace in this order; its id comes last."""
    value: int | str | None
    match order.field:
        case TracedBatchOrderField.DISTANCE:
            value = row.distance
        case TracedBatchOrderField.CODE:
            value = row.code
        case TracedBatchOrderField.PRODUCED_AT:
            value = row.produced_us
    return _key(value, row.id, order)


def _key(value: int | str | None, batch: int, order: Order[TracedBatchOrderField]) -> Key:
    """Return a key whose first member puts a batch without a value last."""
    return (not order.descending, batch) if value is None else (order.descending, value, batch)


def traced_count(reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter) -> int:
    """Return how many batches of a trace are wanted."""
    return len(_wanted(reads, scope, filters))


def starts_page(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, after: Key | None, limit: int
) -> list[TracedBatch | ProcessRow]:
    """Return one page of the nodes that a trace starts from, batches before process records, each by id."""
    nodes = _starts(filters.traced)
    begin = 0 if after is None else bisect_right(nodes, after)
    page = nodes[begin : begin + limit]
    batches = batches_page(reads, scope, filters.traced, [node for is_process, node in page if not is_process])
    records = processes_by_id(reads, scope, [node for is_process, node in page if is_process])
    return [*batches, *(records[node] for is_process, node in page if is_process)]


def start_key(node: TracedBatch | ProcessRow) -> Key:
    """Return the key of a node in the list of starts."""
    return int(isinstance(node, ProcessRow)), node.id


def starts_count(_reads: ReadSession, _scope: PlantScope, filters: TracedBatchesFilter) -> int:
    """Return how many nodes a trace starts from."""
    return len(_starts(filters.traced))


def _starts(traced: Traced) -> list[tuple[int, int]]:
    seeds = traced.seeds
    return sorted({*((0, batch) for batch in seeds.batches), *((1, process) for process in seeds.processes)})


def traced_edges(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, after: Key | None, limit: int
) -> list[TracedEdge]:
    """Return one page of a trace's edges, in the order of their keys."""
    edge = None if after is None else (after[0], after[1], after[2], after[3], after[4])
    return edges_page(reads, scope, filters.traced, first=limit, after=edge)


def traced_edges_count(_reads: ReadSession, _scope: PlantScope, filters: TracedBatchesFilter) -> int:
    """Return how many edges a trace has."""
    return filters.traced.link_count


@dataclass(frozen=True, slots=True)
class PathsFilter:
    """The trace and the code of the batch that its paths go to or come from."""

    trace: TracedBatchesFilter
    batch_code: str


def paths_page(
    reads: ReadSession, scope: PlantScope, filters: PathsFilter, after: Key | None, limit: int
) -> list[tuple[int, tuple[int, ...]]]:
    """Return one page of the paths between the seeds and a batch, shortest first, each with its number from 0."""
    begin = 0 if after is None else after[0] + 1
    end = min(begin + limit, PATHS_MAX)
    return list(enumerate(_paths(reads, scope, filters, end).paths))[begin:end]


def paths_count(reads: ReadSession, scope: PlantScope, filters: PathsFilter) -> int | None:
    """Return how many paths there are, or None for more than PATHS_MAX."""
    found = _paths(reads, scope, filters, PATHS_MAX)
    return None if found.more else len(found.paths)


def _paths(reads: ReadSession, scope: PlantScope, filters: PathsFilter, limit: int) -> Paths:
    known = known_by_code(reads, scope, [filters.batch_code]).get(filters.batch_code)
    return Paths((), more=False) if known is None else paths_to(filters.trace.traced, known.stated.id, limit)


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


def _keys(reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter) -> list[Key]:
    """Return the keys of the wanted batches of a trace in the order of the filters."""
    wanted, order, traced = _wanted(reads, scope, filters), filters.order, filters.traced
    if order.field is TracedBatchOrderField.DISTANCE:
        return [_key(distance, batch, order) for distance, batch in wanted]
    keys: list[Key] = []
    for start in range(0, len(wanted), LOOKED_UP_AT_ONCE):
        some = [batch for _, batch in wanted[start : start + LOOKED_UP_AT_ONCE]]
        keys += (traced_key(row, order) for row in batches_page(reads, scope, traced, some))
    return keys


def _wanted(reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter) -> list[tuple[int, int]]:
    near = [
        (distance, batch)
        for batch, distance in filters.traced.batches.items()
        if filters.distance is None or filters.distance.admits(distance)
    ]
    chosen = _chosen(reads, scope, filters, [batch for _, batch in near])
    return near if chosen is None else [one for one in near if one[1] in chosen]


def _chosen(
    reads: ReadSession, scope: PlantScope, filters: TracedBatchesFilter, batches: Sequence[int]
) -> set[int] | None:
    """Return the batches whose goods at some plant match the filters, or None when all do."""
    row, wanted = Batch, (filters.code, filters.plant, filters.material, filters.disposition)
    flags = {is_on_hold(): filters.on_hold, is_in_stock(): filters.in_stock}
    if {*wanted, *flags.values()} == {None}:
        return None
    criteria = {row.code: filters.code, row.material: filters.material, row.disposition: filters.disposition}
    found = filtered(
        select(row.id).where(col(row.plant_id).in_(plants_admitted(reads, scope, filters.plant))), criteria
    )
    for condition, flag in flags.items():
        if flag is not None:
            found = found.where(condition if flag else ~condition)
    chosen: set[int] = set()
    for start in range(0, len(batches), LOOKED_UP_AT_ONCE):
        chosen.update(reads.exec(found.where(col(row.id).in_(batches[start : start + LOOKED_UP_AT_ONCE]))))
    return chosen
