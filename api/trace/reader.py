"""A trace made ready to be drawn: read from a node's own store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.trace.tree import BatchShown, EdgeShown, ProcessShown, TraceShown
from infra.database import ReadSession
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import plant_of
from plants.rules.values.instants import from_micros
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Seeds, Traced, TracedBatch, batches_page, edges_page, trace
from plants.store.inventory.movements import Stock
from plants.store.inventory.stock import stock_by_batch
from plants.store.traceability.completeness import Completeness, completeness
from plants.store.traceability.trace_names import material_names, plant_codes, process_names
from plants.store.traceability.trace_starts import Start, resolve_seeds

PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class WatermarkShown:
    """The position of a plant's ledger in an answer. A plant that never sent anything has no lag."""

    plant: str
    size: int
    lag_seconds: int | None


@dataclass(frozen=True, slots=True)
class GapShown:
    """A gap of an answer: its kind, and the plant, transfer and batches by their codes."""

    kind: str
    plant: str = ""
    transfer: str = ""
    batches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceReport:
    """A trace with its figures and its statement of completeness."""

    direction: str
    shown: TraceShown
    depth: int
    complete: bool
    watermarks: tuple[WatermarkShown, ...]
    gaps: tuple[GapShown, ...]


def read_trace(
    reads: ReadSession,
    scope: PlantScope,
    name: str,
    direction: TraceDirection,
    *,
    now: datetime,
    own: int | None,
) -> TraceReport | None:
    """Trace from a batch code, else from an alias or a supplier lot; None when this node knows no such name."""
    seeds = _seeds(reads, scope, name)
    if seeds is None:
        return None
    traced = trace(reads, scope, seeds, direction)
    plants, names = plant_codes(reads, scope, traced.handled), material_names(reads, scope)
    batches = _batches(reads, scope, traced)
    stock: dict[int, list[Stock]] = {}
    for start in range(0, len(batches), PAGE):
        stock |= stock_by_batch(reads, scope, [batch.id for batch in batches[start : start + PAGE]])
    shown = TraceShown(
        seeds=tuple(str(seed) for seed in (*seeds.batches, *seeds.processes)),
        batches={str(batch.id): _batch_shown(batch, plants, names, stock.get(batch.id, [])) for batch in batches},
        processes=_processes(reads, scope, traced, plants),
        edges=_edges(reads, scope, traced),
    )
    whole = completeness(reads, scope, traced, now=now, own=own)
    codes = {batch.id: batch.code or str(batch.id) for batch in batches}
    return TraceReport(
        direction.value,
        shown,
        traced.depth,
        whole.complete,
        tuple(WatermarkShown(_name(plants, one.plant_id), one.size, one.lag_seconds)
              for one in whole.watermarks),
        tuple(_gaps(whole, plants, codes)),
    )  # fmt: skip


def _seeds(reads: ReadSession, scope: PlantScope, name: str) -> Seeds | None:
    for start in (Start(codes=(name,)), Start(aliases=(name,)), *_orders(name)):
        seeds = resolve_seeds(reads, scope, start)
        if seeds.batches or seeds.processes:
            return seeds
    return None


def _orders(name: str) -> tuple[Start, ...]:
    return Start(job_orders=(name,)), Start(customer_orders=(name,)), Start(purchase_orders=(name,))


def _batches(reads: ReadSession, scope: PlantScope, traced: Traced) -> list[TracedBatch]:
    ids = list(traced.batches)
    found: list[TracedBatch] = []
    for start in range(0, len(ids), PAGE):
        found += batches_page(reads, scope, traced, ids[start : start + PAGE])
    return found


def _batch_shown(
    batch: TracedBatch, plants: Mapping[int, str], names: Mapping[str, str], stock: Sequence[Stock]
) -> BatchShown:
    origin = plant_of(batch.id)
    on_hand: dict[str, int] = defaultdict(int)
    for row in stock:
        if row.quantity:
            on_hand[_name(plants, row.plant_id)] += row.quantity
    return BatchShown(
        key=str(batch.id),
        code=batch.code or str(batch.id),
        material=names.get(batch.material or "", batch.material or ""),
        plant=_name(plants, origin),
        made=batch.made,
        unit=batch.unit or "",
        on_hand=tuple(on_hand.items()),
    )


def _processes(
    reads: ReadSession, scope: PlantScope, traced: Traced, plants: Mapping[int, str]
) -> dict[str, ProcessShown]:
    found = {
        str(one.id): ProcessShown(
            key=str(one.id),
            kind=one.kind,
            plant=_name(plants, one.plant_id),
            about=one.customer or one.segment or "",
            at=from_micros(one.opened_us),
            source=one.source_plant or "",
            destination=one.destination_plant or "",
        )
        for one in process_names(reads, scope, traced.handled)
    }
    for node in traced.handled:
        found.setdefault(str(node), ProcessShown(str(node), "?", _name(plants, plant_of(node))))
    return found


def _edges(reads: ReadSession, scope: PlantScope, traced: Traced) -> list[EdgeShown]:
    edges: list[EdgeShown] = []
    after = None
    while page := edges_page(reads, scope, traced, first=PAGE, after=after):
        after = page[-1].key
        edges += (
            EdgeShown(
                str(edge.source_id),
                str(edge.target_id),
                edge.quantity,
                edge.unit,
                edge.use,
                from_micros(edge.occurred_us),
            )
            for edge in page
        )
    return edges


def _gaps(whole: Completeness, plants: Mapping[int, str], codes: Mapping[int, str]) -> Iterable[GapShown]:
    for gap in whole.gaps:
        plant = gap.plant_code or (_name(plants, gap.plant_id) if gap.plant_id is not None else "")
        batches = tuple(codes.get(batch, str(batch)) for batch in gap.batches)
        yield GapShown(gap.kind.value, plant, "" if gap.transfer is None else str(gap.transfer), batches)


def _name(plants: Mapping[int, str], number: int) -> str:
    return plants.get(number, f"plant {number}")
