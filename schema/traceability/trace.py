"""Trace in the contract: what came of goods and what they came of, and whether the answer is whole."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

import strawberry
from graphql import GraphQLError

from auth.permissions import Permission
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.quality.dispositions import Disposition
from plants.store.traceability.trace_batches import traced_count, traced_edges, traced_edges_count, traced_page
from plants.store.traceability.trace_starts import Start
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.engine.limits import EXCEEDED
from schema.engine.scalars import BatchCode, PlantCode
from schema.traceability.completeness import Completeness
from schema.traceability.trace_summary import TraceSummary
from schema.traceability.traced import TracedBatch, TraceEdge, TraceNode, TracePath, trace_node
from schema.traceability.walks import Walk, walk_from

NAMES_MAX: Final = 1_000  # that one trace begins at
PATHS_DEFAULT: Final = 10
PATHS_MAX: Final = 100

TraceDirectionEnum = strawberry.enum(
    TraceDirection,
    name="TraceDirection",
    description="Where a trace looks: what goods came of (BACKWARD), what came of them (FORWARD), or BOTH.",
)


@strawberry.input(description="What a trace begins at, everything named together, and where it looks.")
class TraceInput:
    """What a trace begins at, and where it looks."""

    codes: list[BatchCode] = described("Codes of batches.", default_factory=list)
    aliases: list[str] = described("Other names of batches, whoever gave them.", default_factory=list)
    supplier_lots: list[str] = described("Lot codes of suppliers.", default_factory=list)
    orders: list[str] = described("Job orders, and customers' orders of shipments.", default_factory=list)
    customers: list[str] = described("Customers, for all that was ever shipped to them.", default_factory=list)
    direction: TraceDirection = described("Where it looks.", default=TraceDirection.BOTH)

    @property
    def start(self) -> Start:
        """The start as the store takes it; raises GraphQLError for more than NAMES_MAX."""
        names: Sequence[Sequence[str]] = (self.codes, self.aliases, self.supplier_lots, self.orders, self.customers)
        if sum(map(len, names)) > NAMES_MAX:
            raise GraphQLError(f"A trace begins at no more than {NAMES_MAX} names.", extensions=EXCEEDED)
        return Start(*(tuple(dict.fromkeys(given)) for given in names))


@strawberry.input(description="Which batches of a trace are wanted: what is given must hold for one plant's goods.")
class TracedBatchFilter:
    """Which batches of a trace are wanted."""

    plant: PlantCode | None = described("Known at this plant.", default=None)
    material: str | None = described("Of this material.", default=None)
    disposition: Disposition | None = described("With goods that are so far along.", default=None)
    in_stock: bool | None = described("With goods on hand, or without any.", default=None)
    on_hold: bool | None = described("With an open hold, or without any.", default=None)
    steps_max: int | None = described("At most so many process steps away.", default=None)


@strawberry.type(description="A trace: everything reached from where it begins, however far, and nothing cut short.")
class Trace:
    """A trace."""

    direction: TraceDirection = described("Where it looks.")
    unknown: list[str] = described("The names that stand for nothing that you may see.")
    walk: strawberry.Private[Walk]

    @field("What it begins at.")
    async def seeds(self, info: Info) -> list[TraceNode]:
        seeds = self.walk.traced.seeds
        nodes = *seeds.batches, *seeds.processes
        found = await gather(*(trace_node(info, self.walk, number) for number in nodes))
        return [one for one in found if one is not None]

    @field("What it adds up to.")
    def summary(self) -> TraceSummary:
        return TraceSummary.of(self.walk)

    @field("The batches by distance, those that it begins at among them.")
    async def batches(
        self,
        info: Info,
        filter: Annotated[TracedBatchFilter | None, argument("Which are wanted; all unless given.")] = None,
        first: First = None,
        after: After = None,
    ) -> Connection[TracedBatch]:
        filters = replace(self.walk.filters, **vars(filter or TracedBatchFilter()))
        return await info.context.connection(
            Permission.TRACE_READ, traced_page, traced_count, filters, (first, after),
            key=lambda row: (row.steps, row.id), make=lambda row: TracedBatch.of(row, self.walk),
        )  # fmt: skip

    @field("The edges between batches and process records, each with its own quantity and time.")
    async def edges(self, info: Info, first: First = None, after: After = None) -> Connection[TraceEdge]:
        return await info.context.connection(
            Permission.TRACE_READ, traced_edges, traced_edges_count, self.walk.filters, (first, after),
            key=lambda row: row.key, make=lambda row: TraceEdge.of(row, self.walk),
        )  # fmt: skip

    @field("The ways that goods took between where the trace begins and a batch in it, shortest first.")
    async def paths(
        self,
        info: Info,
        to: Annotated[BatchCode, argument("The code of the batch.")],
        first: Annotated[int, argument(f"How many at most; {PATHS_MAX} is the limit.")] = PATHS_DEFAULT,
    ) -> list[TracePath]:
        if not 1 <= first <= PATHS_MAX:
            raise GraphQLError(f"`first` is between 1 and {PATHS_MAX}, not {first}.", extensions=EXCEEDED)
        found = await info.context.read(Permission.TRACE_READ, self.walk.paths, to, first)
        info.context.spend(sum(len(path) for path in found.paths))
        return [TracePath.of(path, self.walk) for path in found.paths]

    @field("Whether the answer is complete, as of when, and what may be missing.")
    async def completeness(
        self,
        info: Info,
        since: Annotated[datetime | None, argument("Complete only if every plant was heard after this.")] = None,
    ) -> Completeness:
        serving = info.context.serving
        now, own = serving.clock.now(), serving.plant or None
        found, codes = await info.context.read(Permission.TRACE_READ, self.walk.completeness, now, own, since)
        return Completeness.of(found, codes, self.walk)


@field("Where goods came from and where they went, over every plant that you may see; walked once.")
async def trace(info: Info, input: Annotated[TraceInput, argument("What it begins at, and where it looks.")]) -> Trace:
    walk = await info.context.read(Permission.TRACE_READ, walk_from, input.start, input.direction)
    return Trace(direction=input.direction, unknown=list(walk.traced.seeds.unknown), walk=walk)
