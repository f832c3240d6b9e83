"""Change requests: types, queries, and the mutations that request a change."""

from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.approvals import change_requests as commands
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, ChangeVerdict
from plants.rules.identification.codes import HUB
from plants.rules.inventory.refusals import BATCH_UNKNOWN, EXPIRY_NOT_LATER
from plants.rules.ledger.events import LedgerKind, kind_of
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import HOLD_DIRECTED, HOLD_UNKNOWN
from plants.rules.values.refusals import NOTHING_CHANGES
from plants.store.approvals.change_requests import (
    ChangeDecisionRow,
    ChangeRequestRow,
    ChangesFilter,
    changes_by_id,
    changes_count,
    changes_page,
    decisions_by_change,
)
from plants.store.audit.history import log_named
from plants.store.directives.outcomes import DirectiveOutcomeRow, outcomes_by_directive
from schema.audit.history import FieldChange, PlantOf
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode, PlantCode
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered

enum_type(ChangeKind)
enum_type(ChangeLevel)
enum_type(ChangeState)
enum_type(ChangeVerdict)
CHANGE = "Number of the change request at its plant. It is the index of the entry that requested the change."
PROPOSAL = "Leaf hash of the requesting entry, in hexadecimal. A decision refers to exactly this content."
REASON = "Reason, for the deciders and for readers of the ledger."


@object_type
class ChangeDecision:
    """A decision on a change request, as recorded in a ledger."""

    verdict: ChangeVerdict = described("Verdict.")
    level: ChangeLevel = described("Level at which the decision was made.")
    decided_by: str = described("Employee number of the decider.")
    printed_name: str = described("Name of the decider as printed with the signature.")
    comment: str = described("Comment of the decider.")
    decided_at: datetime = described("Time of the decision.")
    ledger: LedgerKind = described(
        "Ledger that holds the decision: the plant's own, or the hub's directives to the plant."
    )
    index: int = described("Index of the decision's entry in that ledger.")
    row: strawberry.Private[ChangeDecisionRow]

    @field(
        "True if the plant applied this directive, false if it refused. Null if it has not answered, "
        "or if this is no directive."
    )
    async def applied(self, info: Info) -> bool | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.applied

    @field("Reason why the plant refused this directive. Null if it did not.")
    async def refusal(self, info: Info) -> str | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.refusal

    async def _outcome(self, info: Info) -> DirectiveOutcomeRow | None:
        if self.ledger is not LedgerKind.DIRECTIVES:
            return None
        directive = self.row.plant_id, self.row.idx
        return await info.load(Permission.BATCH_READ, outcomes_by_directive, directive)

    @classmethod
    def of(cls, row: ChangeDecisionRow) -> Self:
        return cls(
            verdict=row.verdict,
            level=row.level,
            decided_by=row.decided_by,
            printed_name=row.printed_name,
            comment=row.comment,
            decided_at=row.decided_at,
            ledger=kind_of(row.log_id),
            index=row.idx,
            row=row,
        )


@object_type
class ChangeRequest(Node):
    """A change of exactly one version of a batch. Another user than the requester must decide it."""

    change: int = described(CHANGE)
    kind: ChangeKind = described("Kind of change.")
    state: ChangeState = described("State, as the plant recorded it.")
    version: int = described("Batch version that the request is for. A decision on any other version is refused.")
    differences: list[FieldChange] = described("Requested changes, field by field.")
    levels: list[ChangeLevel] = described("Levels at which it may be decided.")
    reason: str = described("Reason of the requester.")
    proposal: str = described(PROPOSAL)
    requested_by: str = described("Employee number of the requester, who cannot decide the request.")
    requested_at: datetime = described("Time of the request.")
    expires_at: datetime = described("Latest time for a decision.")
    closed_index: int | None = described(
        "Index of the entry that applied or refused the change. Null while it is open."
    )
    refusal: str | None = described("Reason why an approved change was refused. Null otherwise.")
    row: strawberry.Private[ChangeRequestRow]

    @field("Plant of the requester.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Batch to change.")
    async def batch(self, info: Info) -> Batch:
        return required(await batch_numbered(info, self.row.batch_id))

    @field("Decisions in order of time. A decision of the hub appears twice once the plant has received it.")
    async def decisions(self, info: Info) -> list[ChangeDecision]:
        change = self.row.plant_id, self.row.change_id
        rows = await info.load(Permission.BATCH_READ, decisions_by_change, change) or []
        return [ChangeDecision.of(row) for row in rows]

    @field("True if the time for a decision has passed.")
    def expired(self, info: Info) -> bool:
        return self.state is ChangeState.REQUESTED and info.services.clock.now() > self.expires_at

    @classmethod
    def of(cls, row: ChangeRequestRow) -> Self:
        return cls(
            id=node_id("change", row.plant_id, row.change_id),
            change=row.change_id,
            kind=row.kind,
            state=row.state,
            version=row.version,
            differences=[FieldChange(**one) for one in row.differences],
            levels=sorted(row.levels),
            reason=row.reason,
            proposal=row.proposal,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            closed_index=row.closed_idx,
            refusal=row.refusal,
            row=row,
        )


@input_type
class ChangeRequestFilter:
    """Filters change requests. A field that is not given does not filter."""

    plant: PlantCode | None = described("Plant.", default=None)
    batch: BatchCode | None = described("Batch.", default=None)
    kind: ChangeKind | None = described("Kind.", default=None)
    state: ChangeState | None = described("State.", default=None)
    level: ChangeLevel | None = described("Level at which it may be decided.", default=None)
    requested_by: str | None = described("Employee number of the requester.", default=None)


async def change_numbered(info: Info, plant: int, change: int) -> ChangeRequest | None:
    row = await info.load(Permission.BATCH_READ, changes_by_id, (plant, change))
    return None if row is None else ChangeRequest.of(row)


@findable("change", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> ChangeRequest | None:
    return await change_numbered(info, numbers[0], numbers[1])


@query(
    "Returns the change request with this number. Null if there is none that you may see.",
    permission=Permission.BATCH_READ,
)
async def change_request(
    info: Info, change: Annotated[int, argument(CHANGE)], plant: PlantOf = None
) -> ChangeRequest | None:
    number = await plant_of(info, plant)
    return None if number is None else await change_numbered(info, number, change)


@query("Lists change requests, newest first per plant.", permission=Permission.BATCH_READ)
async def change_requests(
    info: Info,
    filter: Annotated[ChangeRequestFilter | None, argument("Filter. Without it, all.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ChangeRequest]:
    wanted = filter or ChangeRequestFilter()
    filters = ChangesFilter(wanted.plant, wanted.state, wanted.kind, wanted.level, wanted.batch, wanted.requested_by)
    return await info.connection(
        changes_page, changes_count, filters, (first, after),
        key=lambda row: (row.plant_id, row.change_id), make=ChangeRequest.of,
    )  # fmt: skip


@input_type
class RequestReleaseInput(MutationInput):
    """The batch and the hold to release."""

    batch_code: BatchCode = described("Batch code.")
    hold: int | None = described("Id of the hold at the plant. Without it, all open QUALITY holds.", default=None)
    reason: str = described(REASON)


@input_type
class RequestExpiryExtensionInput(MutationInput):
    """The batch and its requested expiry date."""

    batch_code: BatchCode = described("Batch code.")
    expires_on: date = described("New last day of use. It must be later than the current one.")
    reason: str = described(REASON)


@input_type
class RequestStockAdjustmentInput(MutationInput):
    """The counted quantity of a batch at a location."""

    batch_code: BatchCode = described("Batch code.")
    location_code: str = described("Location code.")
    counted: QuantityInput = described("Counted quantity. It may be zero.")
    reason: str = described(REASON)


@object_type
class ChangeRequested(Recorded):
    """A change was requested. Nothing has changed yet."""

    change_request: ChangeRequest = described("Change request.")


async def _ask(info: Info, order: commands.ChangeOrder, input: MutationInput) -> ChangeRequested:
    entry = await info.write(commands.request_change, order, input)
    change = await change_numbered(info, info.services.plant, entry.index)
    return ChangeRequested(entry=RecordedEntry.of(entry), change_request=required(change))


@mutation(
    "Request the release of a hold.",
    roles=PLANT_ONLY,
    permission=Permission.CHANGE_REQUEST,
    command=commands.request_change,
    order=commands.ReleaseRequest,
    refusals=(
        BATCH_UNKNOWN,
        HOLD_DIRECTED,
        HOLD_UNKNOWN,
    ),
)
async def request_release(info: Info, input: Input[RequestReleaseInput]) -> ChangeRequested:
    return await _ask(info, commands.ReleaseRequest(input.batch_code, input.reason, input.hold), input)


@mutation(
    "Request a later expiry date.",
    roles=PLANT_ONLY,
    permission=Permission.CHANGE_REQUEST,
    command=commands.request_change,
    order=commands.ExtensionRequest,
    refusals=(
        BATCH_UNKNOWN,
        EXPIRY_NOT_LATER,
    ),
)
async def request_expiry_extension(info: Info, input: Input[RequestExpiryExtensionInput]) -> ChangeRequested:
    return await _ask(info, commands.ExtensionRequest(input.batch_code, input.reason, input.expires_on), input)


@mutation(
    "Request an adjustment of stock to the counted quantity.",
    roles=PLANT_ONLY,
    permission=Permission.CHANGE_REQUEST,
    command=commands.request_change,
    order=commands.AdjustmentRequest,
    refusals=(
        *AMOUNTS,
        BATCH_UNKNOWN,
        NOTHING_CHANGES,
        NOT_DEFINED,
    ),
)
async def request_stock_adjustment(info: Info, input: Input[RequestStockAdjustmentInput]) -> ChangeRequested:
    counted = input.counted
    order = commands.AdjustmentRequest(
        input.batch_code, input.reason, input.location_code, counted.amount, counted.unit
    )
    return await _ask(info, order, input)


async def plant_of(info: Info, plant: str | None) -> int | None:
    """Return the number of a plant that the caller may see; without a code, this node's own plant."""
    own = info.services.plant
    number = await info.read(log_named, plant, LedgerKind.PLANT, own)
    return None if number == HUB else number
