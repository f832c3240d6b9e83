"""The specification of a trace: the walk over the genealogy, distances, paths, and the contents of a result.

The graph is bipartite: batch -> process record -> batch. These functions are the specification.
`plants/store/genealogy/walks.py` runs the walk in the database. Tests compare both, node for node and edge for edge.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from plants.rules.values.enums import DescribedEnum

Link = tuple[int, int, str]
"""An edge as a walk sees it: source, target, material use."""

RETURNED = "RETURNED"
"""The use of goods that came back from a process record unused: listed with a trace, never walked over."""
TRANSFERRED = "TRANSFERRED"
"""The use of goods that changed plants: listed with a trace, never walked over.

Goods on one truck are not made of each other, and a batch is the same node on both sides.
"""
NOT_WALKED = frozenset({RETURNED, TRANSFERRED})


class TraceDirection(DescribedEnum):
    """Direction of a trace."""

    BACKWARD = "BACKWARD", "Follows goods to their origins: the batches and supplier lots that went into them."
    FORWARD = (
        "FORWARD",
        "Follows goods to their products: the batches made from them and the shipments that contain them.",
    )
    BOTH = "BOTH", "Returns the union of a backward and a forward trace from the same start."


@dataclass(frozen=True, slots=True)
class Walk:
    """The nodes that a walk reaches, seeds included, and the edges that belong to it, without transfers."""

    nodes: frozenset[int]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths from one node to another, shortest first; `more` says that there are others beyond the limit."""

    paths: tuple[tuple[int, ...], ...]
    more: bool


def walk(links: Collection[Link], seeds: Iterable[int], direction: TraceDirection) -> Walk:
    """Return everything reached from the seeds, however far, and the edges between: the definition of a trace.

    Forward, the edges are all that leave a reached node; backward, all that enter one. Goods that were returned unused
    lead nowhere, and their edge belongs to the walk when both its ends do. Transfers lead nowhere and belong to no
    walk: `moves` lists them for the batches reached. Both directions is the union of the two.
    """
    if direction is TraceDirection.BOTH:
        backward, forward = (walk(links, seeds, one) for one in (TraceDirection.BACKWARD, TraceDirection.FORWARD))
        return Walk(backward.nodes | forward.nodes, both(backward.links, forward.links))
    near = 0 if direction is TraceDirection.FORWARD else 1
    nodes = frozenset(distances(links, seeds, (), forward=near == 0))
    return Walk(nodes, tuple(belonging(links, nodes, near)))


def belonging(links: Iterable[Link], nodes: Collection[int], near: int) -> list[Link]:
    """Return the edges whose near end (0 source, 1 target) was reached.

    Transfers, and goods that were returned to a node elsewhere, are left out.
    """
    return [
        link
        for link in links
        if link[near] in nodes and (link[2] not in NOT_WALKED or (link[2] == RETURNED and link[1 - near] in nodes))
    ]


def moves(links: Iterable[Link], batches: Collection[int]) -> list[Link]:
    """Return the edges by which these batches left for, or came from, another plant."""
    return [link for link in links if link[2] == TRANSFERRED and (link[0] in batches or link[1] in batches)]


def both(backward: Iterable[Link], forward: Collection[Link]) -> tuple[Link, ...]:
    """Return the edges of a backward and a forward walk together, those of cycles once."""
    pairs = {link[:2] for link in forward}
    return (*(link for link in backward if link[:2] not in pairs), *forward)


def distances(
    links: Iterable[Link], batches: Iterable[int], processes: Iterable[int], *, forward: bool
) -> dict[int, int]:
    """Return how many edges away from the nearest seed each reached node is, in the order they are reached.

    Batch seeds are at 0 and process records that are seeds at 1, so that batches are always at even distances.
    """
    following: dict[int, list[int]] = defaultdict(list)
    for source, target, use in links:
        if use not in NOT_WALKED:
            following[source if forward else target].append(target if forward else source)
    reached = dict.fromkeys(batches, 0)
    frontier, waiting, hops = list(reached), list(processes), 0
    while frontier or waiting:
        hops += 1
        nearby = [far for near in frontier for far in following.get(near, ())]
        frontier = []
        for node in (*waiting, *nearby):
            if node not in reached:
                reached[node] = hops
                frontier.append(node)
        waiting = []
    return reached


def paths_between(links: Iterable[Link], start: int, goal: int, limit: int) -> Paths:
    """Return up to `limit` paths from start to goal that visit no node twice, shortest first."""
    usable = [link for link in links if link[2] not in NOT_WALKED]
    remaining = distances(usable, (goal,), (), forward=False)
    following: dict[int, list[int]] = defaultdict(list)
    for source, target in sorted({link[:2] for link in usable}):
        if source in remaining and target in remaining:
            following[source].append(target)
    found: list[tuple[int, ...]] = []
    open_paths: list[tuple[int, int, tuple[int, ...]]] = []
    if start in remaining:
        open_paths.append((remaining[start], -1, (start,)))
    while open_paths:
        _, _, path = heappop(open_paths)
        if path[-1] == goal:
            if len(found) == limit:
                return Paths(tuple(found), more=True)
            found.append(path)
            continue
        for node in following[path[-1]]:
            if node not in path:
                # Of paths that promise the same length the longer one goes first, so that it is soon complete.
                heappush(open_paths, (len(path) + remaining[node], -len(path) - 1, (*path, node)))
    return Paths(tuple(found), more=False)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most of a suspect that can be in something, in millionths of its unit."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Amount:
    """The amount on one edge, in millionths of a unit."""

    source: int
    target: int
    use: str
    unit: str
    micro: int


def contribution_bounds(
    amounts: Iterable[Amount], made: Mapping[int, int], suspects: Collection[int], order: Iterable[int]
) -> dict[int, Bounds]:
    """Return how much of the suspects' goods each batch can hold: never less than `least`, never more than `most`.

    `amounts` are all edges of the process records that the suspects reach, also those from batches that are not
    suspect; `made` is the amount of every batch among them. Nothing is assumed about how goods mix: a part taken from a
    batch may be all suspect or all clean as far as there is enough of either. Where a process record counts in several
    units, or genealogy runs in a circle, the bounds are 0 and everything. `order` lists the process records in the
    order reached.
    """
    inputs: dict[int, list[Amount]] = defaultdict(list)
    outputs: dict[int, list[Amount]] = defaultdict(list)
    runs = dict.fromkeys(order)
    for amount in amounts:
        if amount.target in runs:
            inputs[amount.target].append(amount)
        else:
            outputs[amount.source].append(amount)
    held = {batch: Bounds(made[batch], made[batch]) for batch in suspects}
    products = {
        run: {one.target for one in outputs[run] if one.use != RETURNED and one.target not in held} for run in runs
    }
    for run, circular in _makers_first(runs, {run: {one.source for one in inputs[run]} for run in runs}, products):
        for batch, part in _results(inputs[run], outputs[run], held, made, circular=circular).items():
            if batch in products[run]:
                known = held.get(batch, Bounds(0, 0))
                most = min(known.most + part.most, made.get(batch, known.most + part.most))
                held[batch] = Bounds(min(known.least + part.least, most), most)
    return held


def _makers_first(
    runs: Iterable[int], taken: Mapping[int, set[int]], products: Mapping[int, set[int]]
) -> Iterator[tuple[int, bool]]:
    """Yield the process records so that all makers of a batch come before its users; True where a circle forbids it."""
    makers: dict[int, int] = defaultdict(int)
    users: dict[int, list[int]] = defaultdict(list)
    for run in runs:
        for batch in products[run]:
            makers[batch] += 1
        for batch in taken[run]:
            users[batch].append(run)
    blocked = {run: sum(makers.get(batch, 0) > 0 for batch in taken[run]) for run in runs}
    ready = deque(run for run, count in blocked.items() if count == 0)
    waiting = dict.fromkeys(runs)
    while waiting:
        run, circular = (ready.popleft(), False) if ready else (next(iter(waiting)), True)
        if run not in waiting:
            continue  # It was taken out of turn, because of a circle.
        del waiting[run]
        yield run, circular
        for batch in products[run]:
            makers[batch] -= 1
            for user in users[batch] if makers[batch] == 0 else ():
                blocked[user] -= 1
                if blocked[user] == 0:
                    ready.append(user)


def _results(
    inputs: list[Amount],
    outputs: list[Amount],
    held: Mapping[int, Bounds],
    made: Mapping[int, int],
    *,
    circular: bool,
) -> dict[int, Bounds]:
    taken: dict[int, int] = defaultdict(int)
    given: dict[int, int] = defaultdict(int)
    for one in inputs:
        taken[one.source] += one.micro
    for one in outputs:
        if one.use == RETURNED:
            taken[one.target] -= one.micro
        else:
            given[one.target] += one.micro
    if circular or len({one.unit for one in (*inputs, *outputs)}) > 1:
        tainted = circular or any(batch in held and held[batch].most for batch in taken)
        return {batch: Bounds(0, micro if tainted else 0) for batch, micro in given.items()}
    least = most = 0
    # More may have come back than went in, by an error that is still to be corrected.
    taken = {batch: max(0, micro) for batch, micro in taken.items()}
    for batch, micro in taken.items():
        part = held.get(batch)
        if part is not None:
            least += max(0, micro - (made[batch] - part.least)) if batch in made else 0
            most += min(micro, part.most)
    clean = max(sum(taken.values()), sum(given.values())) - least
    return {batch: Bounds(max(0, micro - clean), min(micro, most)) for batch, micro in given.items()}
