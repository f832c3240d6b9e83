"""A trace as a tree for the terminal: batches, what happened to them, and the quantity on every edge."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from rich.text import Text
from rich.tree import Tree

from infra.messages import Language, term, translate
from plants.rules.values.quantities import format_micro

Side = Literal["BACKWARD", "FORWARD"]

LEVELS_DRAWN_MAX: Final = 16
"""The maximum depth of a drawn tree. A note marks deeper levels, and `--json` has all of them."""
NODES_DRAWN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class BatchShown:
    """A batch of the trace. Facts that no ledger has reported yet are empty. `made` is in millionths of the unit."""

    key: str
    code: str
    material: str = ""
    plant: str = ""
    made: int | None = None
    unit: str = ""
    on_hand: tuple[tuple[str, int], ...] = ()  # plant, millionths; where there is any


@dataclass(frozen=True, slots=True)
class ProcessShown:
    """A process record of the trace; `about` is its segment, or the customer of a shipment."""

    key: str
    kind: str
    plant: str = ""
    about: str = ""
    at: datetime | None = None
    source: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True)
class EdgeShown:
    """A batch into a process record, or out of it; the quantity is in millionths of the unit."""

    source: str
    target: str
    quantity: int
    unit: str
    use: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TraceShown:
    """A trace as it is drawn: its seeds, and everything that was reached."""

    seeds: tuple[str, ...]
    batches: Mapping[str, BatchShown]
    processes: Mapping[str, ProcessShown]
    edges: Sequence[EdgeShown]


WORDS: Final = {
    "made": term("trace", "made {amount} at {plant}"),
    "on_hand": term("trace", "on hand {amount} at {plant}"),
    "moved": term("trace", "moved {source} → {destination}  {amount}"),
    "on_road": term("trace", "in transit {source} → {destination}  {amount}"),
    "arrived": term("trace", "received, dispatch not reported {source} → {destination}  {amount}"),
    "shipped": term("trace", "shipped to {customer}  {amount}  from {plant}"),
    "at": term("trace", "at"),
    "seen": term("trace", "seen above"),
    "unknown": term("trace", "not reported yet"),
    "deeper": term("trace", "deeper levels are not drawn; --json has all of them"),
    "more": term("trace", "more are not drawn; --json has all of them"),
    "PRODUCTION": term("trace", "production"),
    "SPLIT": term("trace", "split"),
    "MERGE": term("trace", "merge"),
    "REPACK": term("trace", "repack"),
    "REWORK": term("trace", "rework"),
    "RELABEL": term("trace", "relabel"),
    "TRANSFER": term("trace", "transfer"),
    "SHIPMENT": term("trace", "shipment"),
    "BY_PRODUCT": term("trace", "by-product"),
    "CO_PRODUCT": term("trace", "co-product"),
    "SAMPLE": term("trace", "sample"),
    "RETURNED": term("trace", "returned unused"),
}


UNITS: Final = {
    "KGM": term("unit", "kg"),
    "GRM": term("unit", "g"),
    "MGM": term("unit", "mg"),
    "TNE": term("unit", "t"),
    "LBR": term("unit", "lb"),
    "LTR": term("unit", "L"),
    "MLT": term("unit", "mL"),
    "MTR": term("unit", "m"),
    "H87": term("unit", "pcs"),
    "C62": term("unit", "pcs"),
    "EA": term("unit", "pcs"),
}


def unit_symbol(code: str, language: Language) -> str:
    """Return what people write for a UN/ECE Rec 20 unit; the code itself where that is what they write."""
    return translate(UNITS.get(code, code), language, context="unit")


def draw(trace: TraceShown, side: Side, language: Language) -> list[Tree]:
    """Return a tree for each seed of the trace, looking to one side."""
    artist = _Artist(trace, side, language)
    return [artist.tree(seed) for seed in trace.seeds]


class _Artist:
    """Draws the trees of one trace. A repeated batch is only named, so that cycles end."""

    def __init__(self, trace: TraceShown, side: Side, language: Language) -> None:
        self._trace = trace
        self._backward = side == "BACKWARD"
        self._language = language
        self._into: dict[str, list[EdgeShown]] = defaultdict(list)
        self._out: dict[str, list[EdgeShown]] = defaultdict(list)
        for edge in _summed(trace.edges):
            self._into[edge.target].append(edge)
            self._out[edge.source].append(edge)
        self._drawn: set[str] = set()
        self._nodes = 0

    def tree(self, seed: str) -> Tree:
        """Draw from one seed, without recursion: no chain is too long."""
        root = Tree(Text(), guide_style="dim")
        waiting: list[tuple[Tree, str, str, Text, int]] = [(root, "", seed, Text(), 0)]
        while waiting:
            node, above, key, before, level = waiting.pop()
            is_process = key in self._trace.processes
            below = self._process(node, key, above) if is_process else self._batch(node, key, before, level)
            if below and level >= LEVELS_DRAWN_MAX:
                node.add(self._note("deeper"))
            elif below and self._nodes + len(below) > NODES_DRAWN_MAX:
                node.add(self._note("more", f"{len(below)} "))
            else:
                self._nodes += len(below)
                added = [(node.add(Text()), key, other, said, level + 1) for other, said in below]
                waiting.extend(reversed(added))
        return root

    def _batch(self, node: Tree, key: str, before: Text, level: int) -> list[tuple[str, Text]]:
        batch = self._trace.batches.get(key) or BatchShown(key, key)
        label = before + Text(batch.code, style="bold cyan")
        if batch.material:
            label.append(f"  {batch.material}")
        if batch.made is None:
            label.append(f"  ({self._say('unknown')})", style="yellow")
        elif level == 0 or not (self._backward or before.plain.startswith(self._amount(batch.made, batch.unit))):
            made = self._say("made", amount=self._amount(batch.made, batch.unit), plant=batch.plant)
            label.append(f"  {made}", style="dim")
        node.label = label
        if key in self._drawn:
            label.append(f"  ↑ {self._say('seen')}", style="magenta")
            return []
        self._drawn.add(key)
        if not self._backward:
            for plant, micro in batch.on_hand:
                said = self._say("on_hand", amount=self._amount(micro, batch.unit), plant=plant)
                node.add(Text(f"▪ {said}", style="green"))
        self._moves(node, key)
        edges = (self._into if self._backward else self._out)[key]
        others = (edge.source if self._backward else edge.target for edge in edges if edge.use != "RETURNED")
        return [(one, Text()) for one in dict.fromkeys(others) if not self._is_transfer(one)]

    def _moves(self, node: Tree, batch: str) -> None:
        """Add the transfers of a batch: they changed where it is, not what it is."""
        left = {edge.target: edge for edge in self._out[batch] if self._is_transfer(edge.target)}
        came = {edge.source: edge for edge in self._into[batch] if self._is_transfer(edge.source)}
        order = sorted({*left, *came}, key=self._moment)
        for key in order:
            start, end = left.get(key), came.get(key)
            shown = start or end
            assert shown is not None
            transfer = self._trace.processes[key]
            word = "moved" if start and end else "on_road" if start else "arrived"
            text = self._say(
                word,
                source=transfer.source,
                destination=transfer.destination,
                amount=self._amount(shown.quantity, shown.unit),
            )
            label = Text(f"⇢ {text}", style="blue" if word == "moved" else "yellow")
            if start and end and start.quantity != end.quantity:
                label.append(f" → {self._amount(end.quantity, end.unit)}", style="yellow")
            node.add(label.append(f"  {_times([edge.at for edge in (start, end) if edge is not None])}", style="dim"))

    def _moment(self, key: str) -> tuple[bool, datetime | None]:
        at = self._trace.processes[key].at
        return at is None, at

    def _process(self, node: Tree, key: str, came_from: str) -> list[tuple[str, Text]]:
        """Label a process record with its amount of the batch above. Its inputs or outputs follow below."""
        process = self._trace.processes[key]
        into, out = self._into[key], self._out[key]
        above, below = (out, into) if self._backward else (into, out)
        amounts = self._total([edge for edge in above if came_from in ("", edge.source, edge.target)])
        if process.kind == "SHIPMENT":
            said = self._say(
                "shipped", customer=process.about, amount=amounts or self._total(into), plant=process.plant
            )
            node.label = Text(f"■ {said}", style="bold green").append(f"  {_time(process.at)}", style="not bold dim")
        else:
            label = Text(f"{self._say(process.kind)}", style="bold yellow")
            if process.about:
                label.append(f" {process.about}", style="not bold yellow")
            label.append(f" {self._say('at')} {process.plant}  {_time(process.at)}", style="not bold dim")
            label.append(("  → " if self._backward else "  ← ") + amounts, style="not bold")
            node.label = label
        if key in self._drawn:
            node.label.append(f"  ↑ {self._say('seen')}", style="magenta")
            return []
        self._drawn.add(key)
        for edge in out:
            if edge.use == "RETURNED":
                code = self._code(edge.target)
                said = f"↩ {self._say('RETURNED')}: {self._amount(edge.quantity, edge.unit)} {code}"
                node.add(Text(said, style="dim"))
        return [
            (edge.source if self._backward else edge.target, self._quantity(edge))
            for edge in below
            if edge.use != "RETURNED"
        ]

    def _quantity(self, edge: EdgeShown) -> Text:
        text = Text(self._amount(edge.quantity, edge.unit), style="bold")
        if edge.use in ("BY_PRODUCT", "CO_PRODUCT", "SAMPLE"):
            text.append(f" ({self._say(edge.use)})", style="not bold dim")
        return text.append("  ")

    def _is_transfer(self, key: str) -> bool:
        process = self._trace.processes.get(key)
        return process is not None and process.kind == "TRANSFER"

    def _code(self, key: str) -> str:
        batch = self._trace.batches.get(key)
        return key if batch is None else batch.code

    def _note(self, word: str, before: str = "") -> Text:
        return Text(f"… {before}{self._say(word)}", style="magenta")

    def _total(self, edges: Sequence[EdgeShown]) -> str:
        totals: dict[str, int] = defaultdict(int)
        for edge in edges:
            if edge.use != "RETURNED":
                totals[edge.unit] += edge.quantity
        return " + ".join(self._amount(micro, unit) for unit, micro in totals.items())

    def _amount(self, micro: int, unit: str) -> str:
        return f"{format_micro(micro)} {unit_symbol(unit, self._language)}"

    def _say(self, word: str, **data: str) -> str:
        return translate(WORDS.get(word, word.lower()), self._language, context="trace").format(**data)


def _summed(edges: Sequence[EdgeShown]) -> list[EdgeShown]:
    """Return one edge for each pair, use and unit, with the sum of its quantities and the earliest time."""
    sums: dict[tuple[str, str, str, str], EdgeShown] = {}
    for edge in edges:
        key = edge.source, edge.target, edge.use, edge.unit
        known = sums.get(key)
        if known is None:
            sums[key] = edge
        else:
            times = [at for at in (known.at, edge.at) if at is not None]
            earliest = min(times) if times else None
            sums[key] = EdgeShown(*key[:2], known.quantity + edge.quantity, edge.unit, edge.use, earliest)
    return list(sums.values())


def _time(at: datetime | None) -> str:
    return "?" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _times(moments: Sequence[datetime | None]) -> str:
    """Return when something began and ended, the year once where it is the same."""
    first, *rest = moments
    same_year = [at is not None and first is not None and at.year == first.year for at in rest]
    later = (_time(at)[5:] if same else _time(at) for at, same in zip(rest, same_year, strict=True))
    return " – ".join([_time(first), *later])
