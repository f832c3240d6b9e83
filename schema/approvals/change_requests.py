"""Change requests in the contract: asking for a change that needs a second pair of eyes, and deciding on it."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import NotPermitted, Permission, require
from infra.roles import Role
from plants.commands.approvals import change_requests as asking
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.approvals.decisions import decide_change as decide_change_here
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, ChangeVerdict
from plants.rules.approvals.refusals import (
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_LEVEL_WRONG,
    CHANGE_OWN_REQUEST,
    CHANGE_UNKNOWN,
    PROPOSAL_DIFFERS,
)
from plants.rules.identification.codes import HUB
from plants.rules.inventory.refusals import BATCH_UNKNOWN, EXPIRY_NOT_LATER
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import HOLD_DIRECTED, HOLD_UNKNOWN
from plants.rules.values.instants import from_micros
from plants.rules.values.refusals import NOTHING_CHANGES
from plants.store.approvals import change_requests as kept
from plants.store.approvals.change_requests import ChangeDecisionRow, ChangeRequestRow, ChangesSought
from plants.store.audit.history import LedgerKind, kind_of, log_named
from plants.store.directives import outcomes
from schema.audit.history import Difference, PlantOf
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.nodes import Node, findable, node_id
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, mutation
from schema.engine.scalars import BatchCode, PlantCode, RequestId
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered

ChangeKindEnum = strawberry.enum(ChangeKind, name="ChangeKind", description="What can be asked for.")
ChangeLevelEnum = strawberry.enum(ChangeLevel, name="ChangeLevel", description="Where a decision can be made.")
ChangeStateEnum = strawberry.enum(
    ChangeState, name="ChangeState", description="How far along a change request is, as its plant states it."
)
ChangeVerdictEnum = strawberry.enum(ChangeVerdict, name="ChangeVerdict", description="What a decider can say.")
CHANGE = "The number of the change request at its plant: the index of the entry that asked."
PROPOSAL = "The leaf hash of the entry that asked, hexadecimal: what a decision is on."
REASON = "Why, for those who decide and those who read the ledger later."


@strawberry.type(description="A decision on a change request, as it stands in a ledger.")
class ChangeDecision:
    """A decision on a change request."""

    verdict: ChangeVerdict = described("What was decided.")
    level: ChangeLevel = described("Where it was decided.")
    decided_by: str = described("Who decided, by employee number.")
    printed_name: str = described("The name of the decider as it is printed beside the signature.")
    comment: str = described("What the decider said of it.")
    decided_at: datetime = described("When it was decided.")
    ledger: LedgerKind = described("Where it stands: the plant's ledger, or the hub's directives to the plant.")
    index: int = described("The index of its entry there.")
    row: strawberry.Private[ChangeDecisionRow]

    @field("Whether the plant did what this directive says; null when it has not answered, or when it is no directive.")
    async def applied(self, info: Info) -> bool | None:
        outcome = await self._outcome(info)
        return None if outcome is None else bool(outcome.applied)

    @field("Why the plant did not do what this directive says.")
    async def refusal(self, info: Info) -> str | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.refusal

    async def _outcome(self, info: Info) -> Any:
        if self.ledger is not LedgerKind.DIRECTIVES:
            return None
        directive = self.row.plant_id, self.row.idx
        return await info.context.load(Permission.BATCH_READ, outcomes.outcomes_by_directive, directive)

    @classmethod
    def of(cls, row: ChangeDecisionRow) -> Self:
        """Return a decision as the contract answers it."""
        return cls(
            verdict=ChangeVerdict(row.verdict),
            level=ChangeLevel(row.level),
            decided_by=row.decided_by,
            printed_name=row.printed_name,
            comment=row.comment,
            decided_at=from_micros(row.decided_us),
            ledger=kind_of(row.log_id),
            index=row.idx,
            row=row,
        )


@strawberry.type(description="A change that another person has to decide, of exactly one version of a batch.")
class ChangeRequest(Node):
    """A change that another person has to decide."""

    change: int = described(CHANGE)
    kind: ChangeKind = described("What is asked for.")
    state: ChangeState = described("How far along it is, as its plant states it.")
    version: int = described("The version of the batch that it was asked for; on another one it is refused.")
    differences: list[Difference] = described("What it would change, field by field.")
    levels: list[ChangeLevel] = described("Where it may be decided.")
    reason: str = described("Why it is asked for.")
    proposal: str = described(PROPOSAL)
    requested_by: str = described("Who asks, by employee number; that person cannot decide it.")
    requested_at: datetime = described("When it was asked for.")
    expires_at: datetime = described("Until when it can be decided.")
    closed_index: int | None = described("The index of the entry that applied or refused it.")
    refusal: str | None = described("Why it was refused although it was approved.")
    row: strawberry.Private[ChangeRequestRow]

    @field("The plant that asks.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The batch that it is about.")
    async def batch(self, info: Info) -> Batch:
        return sure(await batch_numbered(info, self.row.batch_id))

    @field("The decisions on it in the order of time: the hub's stand twice once the plant has heard of them.")
    async def decisions(self, info: Info) -> list[ChangeDecision]:
        change = self.row.plant_id, self.row.change_id
        rows = await info.context.load(Permission.BATCH_READ, kept.decisions_by_change, change) or []
        return [ChangeDecision.of(row) for row in rows]

    @field("Whether it can no longer be decided because it is too late.")
    def expired(self, info: Info) -> bool:
        return self.state is ChangeState.REQUESTED and info.context.serving.clock.now() > self.expires_at

    @classmethod
    def of(cls, row: ChangeRequestRow) -> Self:
        """Return a change request as the contract answers it."""
        return cls(
            id=node_id("change", row.plant_id, row.change_id),
            change=row.change_id,
            kind=ChangeKind(row.kind),
            state=ChangeState(row.state),
            version=row.version,
            differences=[Difference(**one) for one in json.loads(row.differences)],
            levels=[ChangeLevel(level) for level in row.levels.split(",")],
            reason=row.reason,
            proposal=row.proposal,
            requested_by=row.requested_by,
            requested_at=from_micros(row.requested_us),
            expires_at=from_micros(row.expires_us),
            closed_index=row.closed_idx,
            refusal=row.refusal,
            row=row,
        )


@strawberry.input(description="Which change requests are wanted; what is not given does not matter.")
class ChangeRequestFilter:
    """Which change requests are wanted."""

    plant: PlantCode | None = described("Of this plant.", default=None)
    batch: BatchCode | None = described("About this batch.", default=None)
    kind: ChangeKind | None = described("Of this kind.", default=None)
    state: ChangeState | None = described("In this state.", default=None)
    level: ChangeLevel | None = described("That may be decided there.", default=None)
    requested_by: str | None = described("That this person asked for.", default=None)


async def change_numbered(info: Info, plant: int, change: int) -> ChangeRequest | None:
    """Return a plant's change request."""
    row = await info.context.load(Permission.BATCH_READ, kept.changes_by_id, (plant, change))
    return None if row is None else ChangeRequest.of(row)


@findable("change", 2)
async def _find(info: Info, numbers: tuple[int, ...]) -> ChangeRequest | None:
    return await change_numbered(info, numbers[0], numbers[1])


@field("The change request with this number, or null when there is none that you may see.")
async def change_request(
    info: Info, change: Annotated[int, argument(CHANGE)], plant: PlantOf = None
) -> ChangeRequest | None:
    number = await _plant_of(info, Permission.BATCH_READ, plant)
    return None if number is None else await change_numbered(info, number, change)


@field("Change requests, the last of each plant first.")
async def change_requests(
    info: Info,
    filter: Annotated[ChangeRequestFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[ChangeRequest]:
    wanted = filter or ChangeRequestFilter()
    kind, state, level = (one and one.value for one in (wanted.kind, wanted.state, wanted.level))
    sought = ChangesSought(wanted.plant, state, kind, level, wanted.batch, wanted.requested_by)
    return await info.context.connection(
        Permission.BATCH_READ, kept.changes_page, kept.changes_count, sought, (first, after),
        key=lambda row: (row.plant_id, row.change_id), make=ChangeRequest.of,
    )  # fmt: skip


@strawberry.input(description="Which hold of a batch shall be lifted.")
class RequestReleaseInput(MutationInput):
    """Which hold of a batch shall be lifted."""

    batch: BatchCode = described("The batch's code.")
    hold: int | None = described("The hold's id at the plant; all open QUALITY holds unless given.", default=None)
    reason: str = described(REASON)


@strawberry.input(description="Until when the plant's goods of a batch shall be usable.")
class RequestExpiryExtensionInput(MutationInput):
    """Until when the plant's goods of a batch shall be usable."""

    batch: BatchCode = described("The batch's code.")
    expires_on: date = described("The last day of use, later than now.")
    reason: str = described(REASON)


@strawberry.input(description="What was counted of a batch at a location.")
class RequestStockAdjustmentInput(MutationInput):
    """What was counted of a batch at a location."""

    batch: BatchCode = described("The batch's code.")
    location: str = described("The code of the location.")
    counted: QuantityInput = described("How much is there, none included.")
    reason: str = described(REASON)


@strawberry.input(description="What is decided on a change request, and on exactly what content of it.")
class DecideChangeInput:
    """What is decided on a change request. Nobody decides in the past, so that there is no `occurredAt`."""

    request_id: RequestId = described(
        "Made by the client: sent again with the same content it answers the same and does nothing again."
    )
    plant: PlantCode | None = described("The plant that asks; at a plant, itself unless given.", default=None)
    change: int = described(CHANGE)
    proposal: str = described(PROPOSAL)
    verdict: ChangeVerdict = described("What is decided.")
    comment: str = described("What there is to say of it; needed to reject.", default="")


@strawberry.type(description="A change was asked for; nothing has changed yet.")
class ChangeRequested:
    """A change was asked for."""

    entry: RecordedEntry = described(ENTRY)
    change_request: ChangeRequest = described("The change request.")


@strawberry.type(
    description="A change was decided; an approved one is applied by its plant, or refused if it no longer fits."
)
class ChangeDecided:
    """A change was decided."""

    entry: RecordedEntry = described("The ledger entry of the decision: the plant's, or the hub's directive to it.")
    change_request: ChangeRequest = described("The change request as this node knows it now.")


async def _ask(info: Info, order: asking.ChangeOrder, said: MutationInput) -> ChangeRequested:
    entry = await info.context.write(Permission.CHANGE_REQUEST, asking.request_change, order, said)
    change = await change_numbered(info, info.context.serving.plant, entry.index)
    return ChangeRequested(entry=RecordedEntry.of(entry), change_request=sure(change))


@mutation(
    ChangeRequested,
    BATCH_UNKNOWN,
    HOLD_DIRECTED,
    HOLD_UNKNOWN,
    description="Ask for a hold to be lifted.",
)
async def request_release(info: Info, input: Input[RequestReleaseInput]) -> Any:
    return await _ask(info, asking.ReleaseRequest(input.batch, input.reason, input.hold), input)


@mutation(
    ChangeRequested,
    BATCH_UNKNOWN,
    EXPIRY_NOT_LATER,
    description="Ask for goods to be usable longer.",
)
async def request_expiry_extension(info: Info, input: Input[RequestExpiryExtensionInput]) -> Any:
    return await _ask(info, asking.ExtensionRequest(input.batch, input.reason, input.expires_on), input)


@mutation(
    ChangeRequested,
    *AMOUNTS,
    BATCH_UNKNOWN,
    NOTHING_CHANGES,
    NOT_DEFINED,
    description="Ask for stock to be set to what was counted.",
)
async def request_stock_adjustment(info: Info, input: Input[RequestStockAdjustmentInput]) -> Any:
    counted = input.counted
    order = asking.AdjustmentRequest(input.batch, input.reason, input.location, counted.amount, counted.unit)
    return await _ask(info, order, input)


@mutation(
    ChangeDecided,
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_LEVEL_WRONG,
    CHANGE_OWN_REQUEST,
    CHANGE_UNKNOWN,
    PROPOSAL_DIFFERS,
    description="Approve or reject a change that another person asked for: at the plant, or at the hub for the group.",
)
async def decide_change(info: Info, input: Input[DecideChangeInput]) -> Any:
    serving, actor = info.context.serving, info.context.actor
    at_hub = serving.role is Role.HUB
    # The hub's level is the group's: a person of one plant decides at that plant.
    require(actor, Permission.CHANGE_DECIDE, HUB if at_hub else serving.plant)
    number = await _plant_of(info, Permission.CHANGE_DECIDE, input.plant)
    if number is None or not (at_hub or number == serving.plant):
        raise NotPermitted(actor, Permission.CHANGE_DECIDE, HUB)
    order = Decision(input.change, input.proposal, input.verdict, input.comment)
    command = decide_change_at_hub if at_hub else decide_change_here
    entry = await info.context.write(Permission.CHANGE_DECIDE, command, order, input, plant=number)
    change = sure(await change_numbered(info, number, input.change))
    return ChangeDecided(entry=RecordedEntry.of(entry), change_request=change)


async def _plant_of(info: Info, permission: Permission, plant: str | None) -> int | None:
    """Return the number of a plant, of this node's own unless given, as far as the caller may see it."""
    own = info.context.serving.plant
    number = await info.context.read(permission, log_named, plant, LedgerKind.PLANT, own)
    return None if number == HUB else number
