"""One walk of a trace, shared by everything that is asked of it: each costly figure is worked out once, if at all."""

from collections.abc import Sequence
from datetime import datetime

from infra.database import ReadSession
from plants.rules.genealogy.walks import Bounds, Paths, TraceDirection
from plants.rules.values.scope import PlantScope
from plants.store.genealogy import walks
from plants.store.genealogy.walks import TracedBatch
from plants.store.inventory.batches import known_by_code
from plants.store.traceability import trace_summary
from plants.store.traceability.completeness import Completeness, completeness
from plants.store.traceability.trace_batches import TracedBatchesFilter, paths_to
from plants.store.traceability.trace_names import plant_codes
from plants.store.traceability.trace_starts import Start, resolve_seeds
from plants.store.traceability.trace_summary import Flow, Summary

WHOLE = 0
"""The key under which a loader finds what there is one of for each walk."""


class Walk:
    """The ids and edges of a trace, and queries about them for `Context.load` and `Context.read`."""

    def __init__(self, filters: TracedBatchesFilter) -> None:
        self.filters = filters
        self.traced = filters.traced
        self._bounds: dict[int, Bounds] | None = None
        self._summary: Summary | None = None

    def batches(self, reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, TracedBatch]:
        """Return batches of the trace by id."""
        return {one.id: one for one in walks.batches_page(reads, scope, self.traced, ids)}

    def contributions(self, reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, Bounds]:
        """Return how much of the seeds batches can hold, by batch; only a forward trace knows."""
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

    def paths(self, reads: ReadSession, scope: PlantScope, code: str, limit: int) -> Paths:
        """Return paths between the seeds and a batch."""
        known = known_by_code(reads, scope, [code]).get(code)
        return Paths((), more=False) if known is None else paths_to(self.traced, known.stated.id, limit)

    def completeness(
        self, reads: ReadSession, scope: PlantScope, now: datetime, own: int | None, since: datetime | None = None
    ) -> tuple[Completeness, dict[int, str]]:
        """Return how complete the trace is, and the codes of plants by number, those in the gaps among them."""
        found = completeness(reads, scope, self.traced, now=now, own=own, since=since)
        return found, dict(plant_codes(reads, scope, self.traced.processes)) if found.gaps else {}


def walk_from(reads: ReadSession, scope: PlantScope, start: Start, direction: TraceDirection) -> Walk:
    """Walk from what is named."""
    seeds = resolve_seeds(reads, scope, start)
    return Walk(TracedBatchesFilter(start, direction, walks.trace(reads, scope, seeds, direction)))
