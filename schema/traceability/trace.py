"""Traces: the origins and destinations of goods, with the completeness of the answer."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

import strawberry

from auth.permissions import Permission
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.quality.dispositions import Disposition
from plants.store.sql.orders import Order
from plants.store.traceability.trace_batches import (
    NEAREST_FIRST,
    PATHS_MAX,
    PathsFilter,
    TracedBatchesFilter,
    TracedBatchOrderField,
    paths_count,
    paths_page,
    start_key,
    starts_count,
    starts_page,
    traced_count,
    traced_edges,
    traced_edges_count,
    traced_key,
    traced_page,
)
from plants.store.traceability.trace_starts import Start
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.error_codes import START_MISSING
from schema.engine.errors import WordedError
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, Filter, IntRange, criterion
from schema.engine.limits import NAMES_TOO_MANY, PAGE_DEFAULT, TRACE_NAMES_MAX, exceeded
from schema.engine.operations import query
from schema.engine.orders import Ordering
from schema.engine.scalars import BatchCode, Code
from schema.traceability.completeness import Completeness
from schema.traceability.trace_queries import TraceQuery, query_from
from schema.traceability.trace_summary import TraceSummary
from schema.traceability.traced import TracedBatch, TraceLink, TraceNode, TracePath, node_of

TRACE_WEIGHT: Final = 100  # of a walk over the genealogy

enum_type(TraceDirection)
enum_type(TracedBatchOrderField)


@input_type
class TraceInput:
    """Names that a trace starts from, taken together, and its direction. At most 1,000 names may be given."""

    batch_codes: list[BatchCode] = described("Batch codes.", default_factory=list)
    aliases: list[str] = described("Aliases of batches, of any issuer.", default_factory=list)
    supplier_lots: list[str] = described("Lot codes of suppliers.", default_factory=list)
    purchase_orders: list[str] = described("Purchase orders, for everything received on them.", default_factory=list)
    job_orders: list[str] = described("Job orders, for the process records run on them.", default_factory=list)
    customer_orders: list[str] = described("Orders of customers, for the shipments on them.", default_factory=list)
    customer_codes: list[Code] = described("Customer codes, for everything shipped to them.", default_factory=list)
    direction: TraceDirection = described("Direction of the trace. The default is BOTH.", default=TraceDirection.BOTH)

    @property
    def start(self) -> Start:
        """The names to start from. Raises GraphQLError for more than TRACE_NAMES_MAX, and for none."""
        given: tuple[list[BatchCode] | list[str], ...] = (
            self.batch_codes, self.aliases, self.supplier_lots, self.purchase_orders, self.job_orders,
            self.customer_orders, self.customer_codes,
        )  # fmt: skip
        if sum(map(len, given)) > TRACE_NAMES_MAX:
            raise exceeded(TRACE_NAMES_MAX, NAMES_TOO_MANY(most=TRACE_NAMES_MAX))
        start = Start(*(tuple(dict.fromkeys(names)) for names in given))
        if not start.names:
            raise WordedError(START_MISSING)
        return start


@input_type
class TracedBatchFilter:
    """Filters the batches of a trace. One plant's goods of the batch must meet all fields given here."""

    code: CodeFilter | None = described("Code of the batch.", default=None)
    material_code: CodeFilter | None = described("Code of the material.", default=None)
    distance: IntRange | None = described("Number of process steps from the start.", default=None)
    plant_code: CodeFilter | None = described("Plant that knows the batch.", default=None)
    disposition: Filter[Disposition] | None = described("Disposition of the plant's goods.", default=None)
    on_hold: bool | None = described(
        "True for goods with an open hold, false for goods without one. Without it, both.", default=None
    )
    in_stock: bool | None = described(
        "True for goods on hand, false for goods that are used up. Without it, both.", default=None
    )

    def criteria(self, of: TracedBatchesFilter, order: Order[TracedBatchOrderField]) -> TracedBatchesFilter:
        return replace(
            of,
            code=criterion(self.code),
            plant=criterion(self.plant_code),
            material=criterion(self.material_code),
            disposition=criterion(self.disposition),
            in_stock=self.in_stock,
            on_hold=self.on_hold,
            distance=criterion(self.distance),
            order=order,
        )


@input_type
class TracedBatchOrder(Ordering):
    """Order of the batches of a trace."""

    field: TracedBatchOrderField = described("Field to order by.")


OrderBy = Annotated[
    TracedBatchOrder | None, argument("Order. Without it, by distance from the start, the nearest first.")
]


@object_type
class Trace:
    """A trace: everything that is reachable from its start, without a depth limit."""

    direction: TraceDirection = described("Direction of the trace.")
    query: strawberry.Private[TraceQuery]

    @field(f"Names for which you may see nothing, at most {TRACE_NAMES_MAX}.")
    def unknown_names(self, info: Info) -> list[str]:
        unknown = self.query.traced.seeds.unknown
        info.context.spend(len(unknown))
        return list(unknown)

    @field("Batches and process records that the names mean, batches first.", permission=Permission.TRACE_READ)
    async def starts(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceNode]:
        return await info.connection(
            starts_page, starts_count, self.query.filters, (first, after),
            key=start_key, make=lambda row: node_of(row, self.query),
        )  # fmt: skip

    @field("Figures of the trace.")
    def summary(self) -> TraceSummary:
        return TraceSummary.of(self.query)

    @field("Batches, including the start.", permission=Permission.TRACE_READ)
    async def batches(
        self,
        info: Info,
        filter: Annotated[TracedBatchFilter | None, argument("Filter. Without it, all.")] = None,
        order_by: OrderBy = None,
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[TracedBatch]:
        order = NEAREST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
        filters = (filter or TracedBatchFilter()).criteria(self.query.filters, order)
        return await info.connection(
            traced_page, traced_count, filters, (first, after),
            key=lambda row: traced_key(row, order), make=lambda row: TracedBatch.of(row, self.query),
        )  # fmt: skip

    @field(
        "Links between batches and process records, each with its quantity and time, by source and target.",
        permission=Permission.TRACE_READ,
    )
    async def links(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceLink]:
        return await info.connection(
            traced_edges, traced_edges_count, self.query.filters, (first, after),
            key=lambda row: row.key, make=lambda row: TraceLink.of(row, self.query),
        )  # fmt: skip

    @field(
        f"Paths of goods between the start and a batch, shortest first. The first {PATHS_MAX:,} are listed. "
        "`totalCount` is null if there are more.",
        permission=Permission.TRACE_READ,
        weight=TRACE_WEIGHT,
    )
    async def paths(
        self,
        info: Info,
        to_batch_code: Annotated[BatchCode, argument("Code of the batch.")],
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[TracePath]:
        return await info.connection(
            paths_page, paths_count, PathsFilter(self.query.filters, to_batch_code), (first, after),
            key=lambda row: (row[0],), make=lambda row: TracePath.of(row[1], self.query),
        )  # fmt: skip

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
    "Traces the origins and destinations of goods over every plant that you may see. "
    'Example: `{ supplierLots: ["L-7"], direction: FORWARD }`.',
    permission=Permission.TRACE_READ,
    weight=TRACE_WEIGHT,
)
async def trace(info: Info, input: Annotated[TraceInput, argument("Start and direction.")]) -> Trace:
    query = await info.read(query_from, input.start, input.direction)
    return Trace(direction=input.direction, query=query)
