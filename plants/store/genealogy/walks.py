"""Traces: the walk over the genealogy in the database, and the pages that a reader asks of it.

A trace is walked once, for ids and edges alone; attributes are read for the page that is shown. There is no depth
limit, cycles end, and nothing is cut short. The form of the statements is the fastest of those compared in
`docs/explanation/performance.md`. Their specification is `plants/rules/genealogy/walks.py`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

from infra.database import ReadSession, Row
from plants.rules.genealogy.walks import (
    NOT_WALKED,
    RETURNED,
    TRANSFERRED,
    Link,
    Paths,
    TraceDirection,
    belonging,
    both,
    distances,
    paths_between,
)
from plants.rules.identification.codes import plant_of
from plants.rules.values.scope import PlantScope
from plants.store.sql.arrays import as_array, in_list, in_scope

EdgeKey = tuple[int, int, int, int, int]
"""Source, target, plant, entry and line of an edge: unique, and the order in which edges are listed."""

UNWALKED = ", ".join(f"'{use}'" for use in sorted(NOT_WALKED))
EDGE_COLUMNS = "source_id, target_id, plant_id, entry_idx, line, quantity, unit, use, occurred_us"


@dataclass(frozen=True, slots=True)
class Seeds:
    """The start of a trace: batches, and process records such as a job order's or a shipment.

    `by_name` says that they were found by a name that any plant may have given to goods: an alias, a supplier lot, an
    order. A plant whose entries have not arrived may then hold more of them. `unknown` are the names that found
    nothing.
    """

    batches: tuple[int, ...] = ()
    processes: tuple[int, ...] = ()
    by_name: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Traced:
    """The ids and edges of a trace, everything reached and nothing left out.

    `batches` and `processes` give the distance of each from the nearest seed in process steps: a batch made directly
    from a seed is at 1, and so is the process record that made it. They are ordered by distance, then by id. A
    transfer is no step: `moves` are the edges by which the batches left for other plants or came from them, and
    `transfers` gives for each transfer the distance of the nearest batch on it.
    """

    direction: TraceDirection
    seeds: Seeds
    batches: dict[int, int]
    processes: dict[int, int]
    links: Sequence[Link] = field(repr=False)
    moves: Sequence[Link] = field(repr=False)

    @cached_property
    def transfers(self) -> dict[int, int]:
        """The distance of the nearest traced batch on each transfer, by transfer."""
        nearest: dict[int, int] = {}
        for source, target, _ in self.moves:
            transfer, batch = (target, source) if source in self.batches else (source, target)
            nearest[transfer] = min(self.batches[batch], nearest.get(transfer, self.batches[batch]))
        return nearest

    @property
    def link_count(self) -> int:
        """The number of links: edges that were walked, and those of transfers."""
        return len(self.links) + len(self.moves)

    @cached_property
    def handled(self) -> dict[int, int]:
        """The distances of process records and transfers together."""
        return self.transfers | self.processes

    @property
    def depth(self) -> int:
        """The distance of the batch farthest away, in process steps."""
        return max(self.batches.values(), default=0)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The two ends of all links, each pair once, in order."""
        return sorted({link[:2] for link in (*self.links, *self.moves)})


class TracedBatch(NamedTuple):
    """A batch of a trace as its origin states it, or else the lowest plant number in the scope.

    The fields from `plant_id` on are empty for a batch that edges speak of and no plant in the scope has stated.
    """

    id: int
    distance: int
    plant_id: int | None = None
    code: str | None = None
    material: str | None = None
    unit: str | None = None
    made: int | None = None
    produced_us: int | None = None
    expires_on: str | None = None
    disposition: str | None = None


class TracedEdge(NamedTuple):
    """One edge of a trace as its plant states it; the quantity is in millionths of the unit.

    The first five fields tell it from every other edge, and edges are listed in their order.
    """

    source_id: int
    target_id: int
    plant_id: int
    entry_idx: int
    line: int
    quantity: int
    unit: str
    use: str
    occurred_us: int

    @property
    def key(self) -> EdgeKey:
        """The unique key of an edge, which also orders edges."""
        return self[:5]


def trace(session: ReadSession, scope: PlantScope, seeds: Seeds | Sequence[int], direction: TraceDirection) -> Traced:
    """Walk from the seeds, batches where only ids are given, over what the plants in the scope state."""
    start = seeds if isinstance(seeds, Seeds) else Seeds(tuple(dict.fromkeys(seeds)))
    sides = (TraceDirection.BACKWARD, TraceDirection.FORWARD) if direction is TraceDirection.BOTH else (direction,)
    reached: dict[int, int] = {}
    walked: list[list[Link]] = []
    for side in sides:
        forward = side is TraceDirection.FORWARD
        found = _walk(session, scope, (*start.batches, *start.processes), forward=forward)
        hops = distances(found, start.batches, start.processes, forward=forward)
        walked.append(belonging(found, hops, 0 if forward else 1))
        for node, count in hops.items():
            reached[node] = min(count, reached.get(node, count))
    ordered = sorted((count, node) for node, count in reached.items())
    batches = {node: count // 2 for count, node in ordered if count % 2 == 0}
    return Traced(
        direction,
        start,
        batches,
        {node: (count + 1) // 2 for count, node in ordered if count % 2},
        both(*walked) if len(walked) > 1 else walked[0],
        _moves(session, scope, batches),
    )


def batches_page(session: ReadSession, scope: PlantScope, traced: Traced, ids: Sequence[int]) -> list[TracedBatch]:
    """Return these batches of a trace with their attributes, in the order of the ids."""
    sql = (
        "SELECT id, plant_id, code, material, unit, made, produced_us, expires_on, disposition FROM batches"
        f" WHERE {in_list(session, 'id', 'ids')} AND {in_scope(session, 'plant_id')} ORDER BY id, plant_id"
    )
    rows: dict[int, Row] = {}
    for row in session.rows(sql, {"ids": as_array(session, ids), "scope": as_array(session, scope)}):
        if row[0] not in rows or row[1] == plant_of(row[0]):
            rows[row[0]] = row
    return [TracedBatch(batch, traced.batches[batch], *rows.get(batch, (batch,))[1:]) for batch in ids]


def edges_page(
    session: ReadSession, scope: PlantScope, traced: Traced, *, first: int, after: EdgeKey | None = None
) -> list[TracedEdge]:
    """Return up to `first` edges of a trace that come after a given one, in the order of their keys."""
    pairs = traced.pairs
    if after is None and first >= traced.link_count:
        return all_edges(session, scope, traced)
    start = 0 if after is None else bisect_left(pairs, after[:2])
    page: list[TracedEdge] = []
    while len(page) < first and start < len(pairs):
        # Most pairs have one edge, so that one round is enough nearly always.
        chunk = pairs[start : start + first - len(page) + 1]
        start += len(chunk)
        found = sorted(_edges_between(session, scope, chunk))
        page += found if after is None else found[bisect_right(found, after, key=lambda edge: edge.key) :]
    return page[:first]


def all_edges(session: ReadSession, scope: PlantScope, traced: Traced) -> list[TracedEdge]:
    """Return all edges of a trace, in the order of their keys."""
    sides = {
        "source_id": [] if traced.direction is TraceDirection.BACKWARD else {source for source, _, _ in traced.links},
        "target_id": [] if traced.direction is TraceDirection.FORWARD else {target for _, target, _ in traced.links},
    }
    rows: list[Row] = []
    for column, ends in sides.items():
        sql = (
            f"SELECT {EDGE_COLUMNS} FROM edges WHERE {in_list(session, column, 'ends')}"
            f" AND use <> '{TRANSFERRED}' AND {in_scope(session, 'plant_id')}"
        )
        if ends:
            rows += session.rows(sql, {"ends": as_array(session, ends), "scope": as_array(session, scope)})
    if traced.direction is TraceDirection.BOTH:
        pairs = {link[:2] for link in traced.links}
        rows = [row for row in set(rows) if row[:2] in pairs]
    else:
        # Only what was returned to a batch outside the trace leaves or enters a node of it and is no part of it.
        returned = {link[:2] for link in traced.links if link[2] == RETURNED}
        rows = [row for row in rows if row[7] != RETURNED or row[:2] in returned]
    moved = sorted({link[:2] for link in traced.moves})
    rows += [edge for edge in _edges_between(session, scope, moved) if edge.use == TRANSFERRED]
    rows.sort()
    return list(map(TracedEdge._make, rows))


def paths(session: ReadSession, scope: PlantScope, seed: int, goal: int, limit: int) -> Paths:
    """Return up to `limit` paths forward from one batch to another, as node ids, shortest first."""
    return paths_between(_walk(session, scope, (goal,), forward=False), seed, goal, limit)


@cache
def _walk_postgresql(near: str, far: str) -> str:
    # OFFSET 0 keeps the planner from joining the tables some other way than by one index search for each node, which
    # it would choose by a guess of how many nodes there are. ARRAY() lets the last step search in the index's order.
    return (
        "WITH RECURSIVE walk(node) AS (SELECT unnest(:seeds::bigint[]) UNION"
        f" SELECT step.{far} FROM walk CROSS JOIN LATERAL (SELECT {far} FROM edges WHERE {near} = walk.node"
        f" AND use NOT IN ({UNWALKED}) AND plant_id + 0 = ANY(:scope::integer[]) OFFSET 0) AS step)"
        f" SELECT source_id, target_id, use FROM edges WHERE {near} = ANY(ARRAY(SELECT node FROM walk))"
        f" AND use <> '{TRANSFERRED}' AND plant_id + 0 = ANY(:scope::integer[])"
    )


@cache
def _walk_sqlite(near: str, far: str) -> str:
    # CROSS JOIN is an order to SQLite: walk outside, index search inside.
    scoped = "plant_id IN (SELECT value FROM json_each(:scope))"
    return (
        "WITH RECURSIVE walk(node) AS (SELECT value FROM json_each(:seeds) UNION"
        f" SELECT {far} FROM walk CROSS JOIN edges WHERE {near} = walk.node AND use NOT IN ({UNWALKED})"
        f" AND {scoped}) SELECT source_id, target_id, use FROM walk CROSS JOIN edges WHERE {near} = walk.node"
        f" AND use <> '{TRANSFERRED}' AND {scoped}"
    )


def _walk(session: ReadSession, scope: PlantScope, seeds: Iterable[int], *, forward: bool) -> list[Link]:
    near, far = ("source_id", "target_id") if forward else ("target_id", "source_id")
    sql = (_walk_postgresql if session.dialect == "postgresql" else _walk_sqlite)(near, far)
    return session.rows(sql, {"seeds": as_array(session, seeds), "scope": as_array(session, scope)})


def _moves(session: ReadSession, scope: PlantScope, batches: Collection[int]) -> list[Link]:
    moved = (
        f"SELECT source_id, target_id, use FROM edges WHERE use = '{TRANSFERRED}' AND {in_scope(session, 'plant_id')}"
    )
    sql = " UNION ALL ".join(f"{moved} AND {in_list(session, end, 'ids')}" for end in ("source_id", "target_id"))
    return session.rows(sql, {"ids": as_array(session, batches), "scope": as_array(session, scope)}) if batches else []


def _edges_between(session: ReadSession, scope: PlantScope, pairs: Sequence[tuple[int, int]]) -> Iterable[TracedEdge]:
    if session.dialect == "postgresql":
        links = "unnest(:sources::bigint[], :targets::bigint[]) AS link(source, target)"
    else:
        links = (
            "(SELECT s.value AS source, t.value AS target FROM json_each(:sources) s"
            " JOIN json_each(:targets) t ON s.key = t.key) AS link"
        )
    sql = (
        f"SELECT {EDGE_COLUMNS} FROM {links} JOIN edges ON source_id = link.source AND target_id = link.target"
        f" WHERE {in_scope(session, 'plant_id')}"
    )
    parameters = {
        "sources": as_array(session, (source for source, _ in pairs)),
        "targets": as_array(session, (target for _, target in pairs)),
        "scope": as_array(session, scope),
    }
    return map(TracedEdge._make, session.rows(sql, parameters))
