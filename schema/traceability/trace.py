"""Traces: the origins and destinations of goods, with the completeness of the answer."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

import strawberry

from auth.permissions import Permission
from infra.messages import message
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.quality.dispositions import Disposition
from plants.store.traceability.trace_batches import traced_count, traced_edges, traced_edges_count, traced_page
from plants.store.traceability.trace_starts import Start
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.errors import WordedError
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.limits import EXCEEDED, NAMES_TOO_MANY, PAGE_DEFAULT, PAGE_SIZE_WRONG
from schema.engine.operations import query
from schema.engine.scalars import BatchCode, PlantCode
from schema.traceability.completeness import Completeness
from schema.traceability.trace_queries import TraceQuery, query_from
from schema.traceability.trace_summary import TraceSummary
from schema.traceability.traced import TracedBatch, TraceLink, TraceNode, TracePath, trace_node

NAMES_MAX: Final = 1_000  # for the start of one trace
PATHS_DEFAULT: Final = 10
PATHS_MAX: Final = 100
TRACE_WEIGHT: Final = 100  # of a walk over the genealogy
START_MISSING: Final = message(
    "TRACE_START_MISSING",
    "The trace has no start. Give at least one name: in codes, aliases, supplierLots, orders or customers.",
)

enum_type(TraceDirection)


@input_type
class TraceInput:
    """Names that a trace starts from, taken together, and its direction."""

    codes: list[BatchCode] = described("Batch codes.", default_factory=list)
    aliases: list[str] = described("Aliases of batches, of any issuer.", default_factory=list)
    supplier_lots: list[str] = described("Lot codes of suppliers.", default_factory=list)
    orders: list[str] = described("Job orders, and orders of customers.", default_factory=list)
    customers: list[str] = described("Customer codes, for everything shipped to them.", default_factory=list)
    direction: TraceDirection = described("Direction.", default=TraceDirection.BOTH)

    @property
    def start(self) -> Start:
        """The names to start from. Raises GraphQLError for more than NAMES_MAX."""
        names: Sequence[Sequence[str]] = (self.codes, self.aliases, self.supplier_lots, self.orders, self.customers)
        if sum(map(len, names)) > NAMES_MAX:
            raise WordedError(NAMES_TOO_MANY(most=NAMES_MAX), extensions=EXCEEDED)
        return Start(*(tuple(dict.fromkeys(given)) for given in names))


@input_type
class TracedBatchFilter:
    """Filters the batches of a trace. All given fields must match the goods of one plant."""

    plant: PlantCode | None = described("Plant that knows the batch.", default=None)
    material: str | None = described("Material code.", default=None)
    disposition: Disposition | None = described("Disposition of the goods.", default=None)
    in_stock: bool | None = described("True for goods on hand, false for goods that are used up.", default=None)
    on_hold: bool | None = described("True for goods with an open hold, false for goods without one.", default=None)
    steps_max: int | None = described("Largest number of process steps from the start.", default=None)


@object_type
class Trace:
    """A trace: everything that is reachable from its start, without a depth limit."""

    direction: TraceDirection = described("Direction.")
    unknown: list[str] = described("Names for which you may see nothing.")
    query: strawberry.Private[TraceQuery]

    @field("Start of the trace.")
    async def seeds(self, info: Info) -> list[TraceNode]:
        seeds = self.query.traced.seeds
        nodes = *seeds.batches, *seeds.processes
        found = await gather(*(trace_node(info, self.query, number) for number in nodes))
        return [one for one in found if one is not None]

    @field("Figures of the trace.")
    def summary(self) -> TraceSummary:
        return TraceSummary.of(self.query)

    @field("Batches by distance, including the start.", permission=Permission.TRACE_READ)
    async def batches(
        self,
        info: Info,
        filter: Annotated[TracedBatchFilter | None, argument("Filter. Without it, all.")] = None,
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[TracedBatch]:
        filters = replace(self.query.filters, **vars(filter or TracedBatchFilter()))
        return await info.connection(
            traced_page, traced_count, filters, (first, after),
            key=lambda row: (row.steps, row.id), make=lambda row: TracedBatch.of(row, self.query),
        )  # fmt: skip

    @field(
        "Edges between batches and process records, with quantity and time.",
        permission=Permission.TRACE_READ,
    )
    async def edges(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceLink]:
        return await info.connection(
            traced_edges, traced_edges_count, self.query.filters, (first, after),
            key=lambda row: row.key, make=lambda row: TraceLink.of(row, self.query),
        )  # fmt: skip

    @field(
        "Paths of goods between the start and a batch, shortest first.",
        permission=Permission.TRACE_READ,
        weight=TRACE_WEIGHT,
    )
    async def paths(
        self,
        info: Info,
        to: Annotated[BatchCode, argument("Batch code.")],
        first: Annotated[int, argument(f"Largest number of paths. The limit is {PATHS_MAX}.")] = PATHS_DEFAULT,
    ) -> list[TracePath]:
        if not 1 <= first <= PATHS_MAX:
            raise WordedError(PAGE_SIZE_WRONG(most=PATHS_MAX, first=first), extensions=EXCEEDED)
        found = await info.read(self.query.paths, to, first)
        info.context.spend(sum(len(path) for path in found.paths))
        return [TracePath.of(path, self.query) for path in found.paths]

    @field("Completeness of the answer.", permission=Permission.TRACE_READ)
    async def completeness(
        self,
        info: Info,
        since: Annotated[
            datetime | None, argument("Time until which every plant's ledger must be known for a complete answer.")
        ] = None,
    ) -> Completeness:
        services = info.services
        now, own = services.clock.now(), services.plant or None
        found, codes = await info.read(self.query.completeness, now, own, since)
        return Completeness.of(found, codes, self.query)


@query(
    "Traces the origins and destinations of goods over every plant that you may see.",
    permission=Permission.TRACE_READ,
    weight=TRACE_WEIGHT,
)
async def trace(info: Info, input: Annotated[TraceInput, argument("Start and direction.")]) -> Trace:
    start = input.start
    if start.is_empty:
        raise WordedError(START_MISSING(), extensions={"code": START_MISSING.code})
    query = await info.read(query_from, start, input.direction)
    return Trace(direction=input.direction, unknown=list(query.traced.seeds.unknown), query=query)
