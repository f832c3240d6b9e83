"""Traces: where goods came from and where they went, over all plants, with a statement of what may be missing."""

from bisect import bisect_right
from datetime import datetime
from typing import Annotated, Final, Self

import strawberry
from graphql import GraphQLError

from auth.permissions import Permission
from infra.database import ReadSession
from infra.roles import Role
from plants.rules.genealogy import Bounds, TraceDirection
from plants.rules.instants import from_micros
from plants.rules.scope import PlantScope
from plants.store import completeness, genealogy, trace_summary
from plants.store.genealogy import Traced, TracedBatch, TracedEdge
from plants.store.trace_starts import Start, resolve_seeds
from schema.batches import Batch, batch_coded, batch_numbered
from schema.completeness import Completeness
from schema.connections import After, Connection, First, Key
from schema.context import Info
from schema.fields import argument, described, field
from schema.limits import EXCEEDED
from schema.plants import Plant, owner
from schema.processes import MaterialUse, ProcessRecord, process_numbered
from schema.quantities import Quantity
from schema.scalars import BatchCode
from schema.summaries import TraceSummary

NAMES_MAX: Final = 200  # that one trace begins at
PATHS_DEFAULT: Final = 10
PATHS_MAX: Final = 100

strawberry.enum(TraceDirection, name="TraceDirection", description="Where a trace looks.")


@strawberry.input(description="Where a trace begins, and where it looks; everything named counts.")
class TraceInput:
    """Where a trace begins, and where it looks."""

    direction: TraceDirection = described("BACKWARD to what it was made of, FORWARD to what was made of it, or BOTH.")
    codes: list[BatchCode] = described("Batch codes.", default_factory=list)
    aliases: list[str] = described("Other names of batches, whoever gave them.", default_factory=list)
    supplier_lots: list[str] = described("Lot codes of any supplier.", default_factory=list)
    orders: list[str] = described("Job orders, and customers' orders.", default_factory=list)
    customers: list[str] = described("Customers' codes: all that was ever shipped to them.", default_factory=list)

    @property
    def start(self) -> Start:
        """The names as queries take them; raises GraphQLError for more than NAMES_MAX."""
        parts = tuple(map(tuple, (self.codes, self.aliases, self.supplier_lots, self.orders, self.customers)))
        if sum(map(len, parts)) > NAMES_MAX:
            raise GraphQLError(f"A trace begins at no more than {NAMES_MAX} names.", extensions=EXCEEDED)
        return Start(*parts)


@strawberry.type(description="How much of what a trace begins at can be in a batch: never less, never more.")
class Contribution:
    """How much of what a trace begins at can be in a batch."""

    least: Quantity = described("Never less than this.")
    most: Quantity = described("Never more than this.")


@strawberry.type(description="A batch that a trace reaches.")
class TracedBatchNode:
    """A batch that a trace reaches."""

    steps: int = described("How many process steps it is away from the nearest start, which is at 0.")
    code: BatchCode | None = described("Its code; null while no plant that you may see has stated it.")
    contribution: Contribution | None = described("How much of the starts it can hold; null in a backward trace.")
    number: strawberry.Private[int]

    @field("The batch; null while no plant that you may see has stated it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.number)

    @classmethod
    def of(cls, found: TracedBatch, bounds: Bounds | None) -> Self:
        """Return a traced batch as the contract answers it."""
        unit = found.unit or ""
        return cls(
            steps=found.steps,
            code=None if found.code is None else BatchCode(found.code),
            contribution=None
            if bounds is None
            else Contribution(least=Quantity.of(bounds.least, unit), most=Quantity.of(bounds.most, unit)),
            number=found.id,
        )


@strawberry.type(description="A batch or a process record on a path.")
class TraceStep:
    """A batch or a process record on a path."""

    is_process: bool = described("Whether it is a process record.")
    number: strawberry.Private[int]

    @field("The batch; null for a process record, or when you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return None if self.is_process else await batch_numbered(info, self.number)

    @field("The process record; null for a batch, or when you may not see it.")
    async def process(self, info: Info) -> ProcessRecord | None:
        return await process_numbered(info, self.number) if self.is_process else None


@strawberry.type(description="An amount of a batch that went into a process record, or came out of it.")
class TraceEdge:
    """An amount of a batch that went into a process record, or came out of it."""

    into_process: bool = described("True from the batch into the process record, false out of it.")
    use: MaterialUse = described("What part the goods play.")
    quantity: Quantity = described("How much.")
    occurred_at: datetime = described("When.")
    edge: strawberry.Private[TracedEdge]

    @field("The batch; null when you may not see it.")
    async def batch(self, info: Info) -> Batch | None:
        return await batch_numbered(info, self.edge.source_id if self.into_process else self.edge.target_id)

    @field("The process record; null when you may not see it.")
    async def process(self, info: Info) -> ProcessRecord | None:
        return await process_numbered(info, self.edge.target_id if self.into_process else self.edge.source_id)

    @field("The plant that states it.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.edge.plant_id)

    @classmethod
    def of(cls, edge: TracedEdge, *, into: bool) -> Self:
        """Return an edge as the contract answers it."""
        return cls(
            into_process=into,
            use=MaterialUse(edge.use),
            quantity=Quantity.of(edge.quantity, edge.unit),
            occurred_at=from_micros(edge.occurred_us),
            edge=edge,
        )


@strawberry.type(description="A way from one batch to another, in the direction of the goods.")
class TracePath:
    """A way from one batch to another."""

    steps: list[TraceStep] = described("Batches and process records in turn.")


@strawberry.type(description="Everything that a trace reaches, however far; nothing is cut short.")
class Trace:
    """Everything that a trace reaches."""

    direction: TraceDirection = described("Where it looks.")
    unknown: list[str] = described("The names that stand for nothing that you may see.")
    traced: strawberry.Private[Traced]
    asked: strawberry.Private[tuple[object, ...]]

    @field("What it adds up to.")
    async def summary(self, info: Info) -> TraceSummary:
        summary = await info.context.read(Permission.TRACE_READ, trace_summary.summary, self.traced)
        flows = await info.context.read(Permission.TRACE_READ, trace_summary.flows, self.traced.batches)
        return TraceSummary.of(summary, flows)

    @field("The batches reached, nearest first.")
    async def batches(self, info: Info, first: First = None, after: After = None) -> Connection[TracedBatchNode]:
        bounds = await self._bounds(info)
        return await info.context.connection(
            Permission.TRACE_READ, self._batches_page, self._batches_count, self.asked, (first, after),
            key=lambda one: (one.steps, one.id), make=lambda one: TracedBatchNode.of(one, bounds.get(one.id)),
        )  # fmt: skip

    @field("The edges between what is reached.")
    async def edges(self, info: Info, first: First = None, after: After = None) -> Connection[TraceEdge]:
        return await info.context.connection(
            Permission.TRACE_READ, self._edges_page, self._edges_count, self.asked, (first, after),
            key=lambda edge: edge.key, make=lambda edge: TraceEdge.of(edge, into=edge.source_id in self.traced.batches),
        )  # fmt: skip

    @field("Ways between the starts and a batch, shortest first.")
    async def paths(
        self,
        info: Info,
        to: Annotated[BatchCode, argument("The code of the batch.")],
        first: Annotated[int, argument(f"How many at most; {PATHS_MAX} is the limit.")] = PATHS_DEFAULT,
    ) -> list[TracePath]:
        if not 1 <= first <= PATHS_MAX:
            raise GraphQLError(f"`first` is between 1 and {PATHS_MAX}, not {first}.", extensions=EXCEEDED)
        goal = await batch_coded(info, to)
        if goal is None:
            return []
        found = await info.context.read(Permission.TRACE_READ, self._paths, goal.known.stated.id, first)
        return [TracePath(steps=[self._step(number) for number in path]) for path in found]

    @field("Whether the answer is complete, and as of when.")
    async def completeness(self, info: Info) -> Completeness:
        serving = info.context.serving
        own = serving.plant if serving.role is Role.PLANT else None
        query, now = completeness.completeness, serving.clock.now()
        return Completeness.of(await info.context.read(Permission.TRACE_READ, query, self.traced, now=now, own=own))

    async def _bounds(self, info: Info) -> dict[int, Bounds]:
        if self.traced.direction is not TraceDirection.FORWARD:
            return {}
        return await info.context.read(Permission.TRACE_READ, trace_summary.contributions, self.traced)

    def _batches_page(
        self, reads: ReadSession, scope: PlantScope, _asked: object, after: Key | None, limit: int
    ) -> list[TracedBatch]:
        ordered = [(steps, number) for number, steps in self.traced.batches.items()]
        start = 0 if after is None else bisect_right(ordered, (after[0], after[1]))
        ids = [number for _, number in ordered[start : start + limit]]
        return genealogy.batches_page(reads, scope, self.traced, ids)

    def _batches_count(self, _reads: ReadSession, _scope: PlantScope, _asked: object) -> int:
        return len(self.traced.batches)

    def _edges_page(
        self, reads: ReadSession, scope: PlantScope, _asked: object, after: Key | None, limit: int
    ) -> list[TracedEdge]:
        last = None if after is None else (after[0], after[1], after[2], after[3], after[4])
        return genealogy.edges_page(reads, scope, self.traced, first=limit, after=last)

    def _edges_count(self, _reads: ReadSession, _scope: PlantScope, _asked: object) -> int:
        return len(self.traced.links)

    def _paths(self, reads: ReadSession, scope: PlantScope, goal: int, limit: int) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []
        for seed in self.traced.seeds.batches:
            ends = ((seed, goal), (goal, seed))
            sides = {TraceDirection.FORWARD: ends[:1], TraceDirection.BACKWARD: ends[1:]}
            for start, end in sides.get(self.traced.direction, ends):
                found += genealogy.paths(reads, scope, start, end, limit).paths
        return sorted(dict.fromkeys(found), key=lambda path: (len(path), path))[:limit]

    def _step(self, number: int) -> TraceStep:
        return TraceStep(is_process=number in self.traced.processes, number=number)


@field("A trace over all plants that you may see, with no limit to its depth.")
async def trace(info: Info, input: Annotated[TraceInput, argument("Where it begins, and where it looks.")]) -> Trace:
    start = input.start

    def walk(reads: ReadSession, scope: PlantScope) -> Traced:
        return genealogy.trace(reads, scope, resolve_seeds(reads, scope, start), input.direction)

    traced = await info.context.read(Permission.TRACE_READ, walk)
    unknown = list(traced.seeds.unknown)
    return Trace(direction=input.direction, unknown=unknown, traced=traced, asked=(start, input.direction))
