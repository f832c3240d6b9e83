"""One trace, shared by all fields of its answer. Each costly figure is computed at most once."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Final

from infra.database import ReadSession
from plants.rules.genealogy.walks import Bounds, TraceDirection
from plants.rules.production.process_records import ProcessKind
from plants.rules.values.scope import PlantScope
from plants.store.genealogy import walks
from plants.store.genealogy.walks import TracedBatch
from plants.store.traceability import trace_summary
from plants.store.traceability.completeness import Completeness, completeness
from plants.store.traceability.trace_batches import TracedBatchesFilter
from plants.store.traceability.trace_names import plant_codes
from plants.store.traceability.trace_starts import Start, resolve_seeds
from plants.store.traceability.trace_summary import Flow, Summary

LISTED_APART: Final = {ProcessKind.SHIPMENT: "shipment", ProcessKind.TRANSFER: "transfer"}
"""The kinds of process that are no process records in the contract, with the kinds of their ids."""
ID_KINDS: Final = {"SHIPPED": "shipment", "TRANSFERRED": "transfer"}
"""The kinds of the ids of processes, by the use of goods that enter or leave them. Others are process records."""
WHOLE = 0
"""The loader key of figures that exist once for each trace."""


class TraceQuery:
    """The ids and edges of a trace, and queries about them for `Info.load` and `Info.read`."""

    def __init__(self, filters: TracedBatchesFilter) -> None:
        self.filters = filters
        self.traced = filters.traced
        self._bounds: dict[int, Bounds] | None = None
        self._summary: Summary | None = None

    @cached_property
    def _apart(self) -> dict[int, str]:
        """The kinds of ids of the processes that are no process records, by number."""
        links = (*self.traced.links, *self.traced.moves)
        named = ((source, target, ID_KINDS[use]) for source, target, use in links if use in ID_KINDS)
        return {(target if self.is_process(target) else source): kind for source, target, kind in named}

    def is_process(self, number: int) -> bool:
        """Tell whether a node of the trace is a process record, a shipment or a transfer."""
        return number in self.traced.handled

    def kind_of(self, number: int) -> str:
        """Return the kind of the id of a batch or process of the trace."""
        return self._apart.get(number, "process") if self.is_process(number) else "batch"

    def batches(self, reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, TracedBatch]:
        """Return batches of the trace by id."""
        return {one.id: one for one in walks.batches_page(reads, scope, self.traced, ids)}

    def contributions(self, reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, Bounds]:
        """Return the bounds of the start's quantity in batches, by batch. Only a forward trace has them."""
        if self.traced.direction is not TraceDirection.FORWARD:
            return {}
        if self._bounds is None:
            self._bounds = trace_summary.contributions(reads, scope, self.traced)
        return {batch: self._bounds[batch] for batch in ids if batch in self._bounds}

    def summary(self, reads: ReadSession, scope: PlantScope, _keys: Sequence[int]) -> dict[int, Summary]:
        """Return the figures of the trace under WHOLE."""
        if self._summary is None:
            self._summary = trace_summary.summary(reads, scope, self.traced)
        return {WHOLE: self._summary}

    def flows(self, reads: ReadSession, scope: PlantScope) -> tuple[Flow, ...]:
        """Return the mass balance of the trace."""
        return trace_summary.flows(reads, scope, self.traced.batches)

    def completeness(
        self, reads: ReadSession, scope: PlantScope, now: datetime, own: int | None, since: datetime | None = None
    ) -> tuple[Completeness, dict[int, str]]:
        """Return the completeness of the trace, and plant codes by number if it has gaps."""
        found = completeness(reads, scope, self.traced, now=now, own=own, since=since)
        return found, dict(plant_codes(reads, scope, self.traced.handled)) if found.gaps else {}


def query_from(reads: ReadSession, scope: PlantScope, start: Start, direction: TraceDirection) -> TraceQuery:
    """Trace from the given names."""
    seeds = resolve_seeds(reads, scope, start)
    return TraceQuery(TracedBatchesFilter(start, direction, walks.trace(reads, scope, seeds, direction)))
