"""The graph of batches: steps, walks with distances, and contribution bounds (rule 6, domain.md section 6.3).

A step leads from an input of a process record to an output of it. Transfers, moves and shipments are no steps.

Choices where domain.md is silent:
- A step counts one, from batch to batch, whatever the number of lines.
- An input that came back unused in full stays an ancestor: its goods were in the machine.
- Bounds look at whole runs and whole batches: the order of lines within a run does not count. They are exact for that.
- A batch whose amounts do not convert to the unit of the question can be all of a result, and may be none of it.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from simulation.reference_model.rows import Edge


@dataclass(frozen=True)
class Step:
    """A way from one batch to another through a process record, with both lines."""

    source: str
    target: str
    run: str
    fed: Edge
    yielded: Edge

    @property
    def entry(self) -> int:
        """Entry by which the step came to be."""
        return max(self.fed.entry, self.yielded.entry)

    @property
    def is_fed_after(self) -> bool:
        """True if the input was fed after the line was yielded."""
        return self.fed.at > self.yielded.at


def steps(edges: Iterable[Edge]) -> list[Step]:
    """Return every step that the lines of process records make. Retracted lines make none."""
    fed: dict[str, list[Edge]] = defaultdict(list)
    yielded: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.retracted is None and edge.side != "BACK":
            (fed if edge.side == "IN" else yielded)[edge.run].append(edge)
    return [
        Step(into.batch, out.batch, run, into, out)
        for run, lines in fed.items()
        for into in lines
        for out in yielded[run]
        if out.only in (None, into.batch) and into.batch != out.batch
    ]


def distances(start: str, neighbours: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return the least number of steps to each batch that can be reached, the start left out."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for other in neighbours.get(at, ()):
            if other not in found:
                found[other] = found[at] + 1
                queue.append(other)
    del found[start]
    return found


def ancestors(batch: str, edges: Iterable[Edge]) -> dict[str, int]:
    back: dict[str, set[str]] = defaultdict(set)
    for step in steps(edges):
        back[step.target].add(step.source)
    return distances(batch, back)


def descendants(batch: str, edges: Iterable[Edge]) -> dict[str, int]:
    onward: dict[str, set[str]] = defaultdict(set)
    for step in steps(edges):
        onward[step.source].add(step.target)
    return distances(batch, onward)


Node = tuple[str, str]
Capacities = dict[Node, dict[Node, Fraction]]
SOURCE: Node = ("", "source")
SINK: Node = ("", "sink")


def maximum_flow(capacities: Capacities, source: Node, sink: Node) -> Fraction:
    """Return the largest flow from source to sink (Edmonds and Karp 1972: shortest augmenting paths)."""
    rest: dict[Node, dict[Node, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for start, ends in capacities.items():
        for end, amount in ends.items():
            rest[start][end] += amount
    total = Fraction(0)
    while True:
        came_from: dict[Node, Node] = {source: source}
        queue = deque([source])
        while queue and sink not in came_from:
            at = queue.popleft()
            for end, amount in rest[at].items():
                if amount > 0 and end not in came_from:
                    came_from[end] = at
                    queue.append(end)
        if sink not in came_from:
            return total
        path = []
        at = sink
        while at != source:
            path.append((came_from[at], at))
            at = came_from[at]
        amount = min(rest[start][end] for start, end in path)
        for start, end in path:
            rest[start][end] -= amount
            rest[end][start] += amount
        total += amount


def leading_to(target: str, edges: Iterable[Edge]) -> list[Edge]:
    """Return the lines of every process record that leads to a batch, over any number of steps."""
    valid = [edge for edge in edges if edge.retracted is None]
    by_run: dict[str, list[Edge]] = defaultdict(list)
    makers: dict[str, set[str]] = defaultdict(set)
    for edge in valid:
        by_run[edge.run].append(edge)
        if edge.side == "OUT":
            makers[edge.batch].add(edge.run)
    runs: set[str] = set()
    seen = {target}
    queue = deque([target])
    while queue:
        for run in makers[queue.popleft()] - runs:
            runs.add(run)
            inputs = {edge.batch for edge in by_run[run] if edge.side == "IN"}
            queue.extend(inputs - seen)
            seen |= inputs
    return [edge for edge in valid if edge.run in runs]


def network(edges: Iterable[Edge], measure: Callable[[str, int], Fraction | None]) -> Capacities:
    """Return the amounts that went from batches into runs and out of them, in one unit."""
    found: Capacities = defaultdict(lambda: defaultdict(Fraction))
    for edge in edges:
        amount = measure(edge.batch, edge.amount)
        if amount is None:
            continue
        batch, run = ("batch", edge.batch), ("run", edge.run)
        match edge.side:
            case "IN":
                found[batch][run] += amount
            case "BACK":
                found[batch][run] -= amount
            case _:
                found[run][("batch", edge.batch)] += amount
    return found


def supply(capacities: Capacities, totals: Mapping[str, Fraction]) -> dict[Node, Fraction]:
    """Return what came into each node from outside: the amount of a batch that no run made, and the gain of a run."""
    inflow: dict[Node, Fraction] = defaultdict(Fraction)
    outflow: dict[Node, Fraction] = defaultdict(Fraction)
    for start, ends in capacities.items():
        for end, amount in ends.items():
            inflow[end] += amount
            outflow[start] += amount
    nodes = {*inflow, *outflow, *(("batch", batch) for batch in totals)}
    found = {}
    for node in nodes:
        needed = max(outflow[node], totals.get(node[1], Fraction(0)) if node[0] == "batch" else Fraction(0))
        found[node] = max(Fraction(0), needed - inflow[node])
    return found


def bounds(
    suspect: str, target: str, capacities: Capacities, totals: Mapping[str, Fraction]
) -> tuple[Fraction, Fraction]:
    """Return the least and the most of the suspect batch that can be in the target, of all that the target ever was.

    The most is the largest flow from the suspect to the target. The least is the target's amount less the largest flow
    into it from everything else. Goods of the target that were fed back to its own runs may be either.
    """
    amount = totals[target]
    if suspect == target:
        return amount, amount
    into, suspect_node = ("batch", target), ("batch", suspect)
    fed_back = {run: given for run, given in capacities.get(into, {}).items() if given > 0}
    cut = {node: ends for node, ends in capacities.items() if node != into}
    most = maximum_flow({**cut, SOURCE: {suspect_node: totals[suspect]}, into: {SINK: amount}}, SOURCE, SINK)
    if most and fed_back:
        again = {suspect_node: totals[suspect], **fed_back}
        most = maximum_flow({**cut, SOURCE: again, into: {SINK: amount}}, SOURCE, SINK)
    rest = {node: ends for node, ends in cut.items() if node != suspect_node}
    others = {node: given for node, given in supply(capacities, totals).items() if node != suspect_node}
    for run, given in fed_back.items():
        others[run] = others.get(run, Fraction(0)) + given
    return amount - maximum_flow({**rest, SOURCE: others, into: {SINK: amount}}, SOURCE, SINK), most
