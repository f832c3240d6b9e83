"""Change requests: what somebody asks to change, what it is now and would be, and who decided it."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands import decide_change as deciding
from plants.commands import request_change as requesting
from plants.rules.changes import ChangeKind, ChangeLevel, ChangeState, ChangeVerdict
from plants.rules.instants import from_micros
from plants.rules.refusals import Refusal
from plants.rules.refusals import RefusalCode as C
from plants.store import changes as kept
from plants.store.changes import ChangesSought
from plants.store.master import known_plants
from plants.store.tables import ChangeDecisionRow, ChangeRequestRow
from schema.batches import Batch, batch_numbered
from schema.connections import After, Connection, First
from schema.context import Info, sure
from schema.entries import ENTRY, RecordedEntry
from schema.fields import argument, described, field
from schema.inputs import Input, MutationInput
from schema.nodes import Node, findable, node_id, read_id
from schema.plants import Plant, owner
from schema.quantities import QuantityInput
from schema.refusals import AMOUNTS, mutation
from schema.scalars import BatchCode, PlantCode

strawberry.enum(ChangeKind, name="ChangeKind", description="What can be asked for.")
strawberry.enum(ChangeLevel, name="ChangeLevel", description="Where a decision can be made.")
strawberry.enum(
    ChangeState, name="ChangeState", description="How far along a change request is, as its plant states it."
)
strawberry.enum(ChangeVerdict, name="ChangeVerdict", description="What a decider can say.")

BATCH = "The batch's code."


@strawberry.type(description="One field of a change: what it is and what it would be.")
class FieldDifference:
    """One field of a change."""

    field: str = described("What would change.")
    before: str | None = described("What it was when the change was asked for.")
    after: str | None = described("What it would be.")


@strawberry.type(description="A decision on a change request, with the name it was signed with.")
class ChangeDecision:
    """A decision on a change request."""

    verdict: ChangeVerdict = described("What was decided.")
    level: ChangeLevel = described("Where it was decided.")
    decided_by: str = described("Who decided, by employee number.")
    printed_name: str = described("The name of who decided, as printed at the time.")
    comment: str = described("What the decider said.")
    decided_at: datetime = described("When it was decided.")

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
        )


@strawberry.type(description="A gated change that somebody asks another person to decide.")
class ChangeRequest(Node):
    """A gated change that somebody asks another person to decide."""

    kind: ChangeKind = described("What is asked for.")
    state: ChangeState = described("How far along it is, as its plant states it.")
    version: int = described("The version of the batch that it was asked on.")
    differences: list[FieldDifference] = described("What it would change, field by field.")
    levels: list[ChangeLevel] = described("Where it may be decided.")
    reason: str = described("Why it is asked for.")
    proposal: str = described("The hash of the request; a decision names it, so that it is on exactly this content.")
    requested_by: str = described("Who asked, by employee number.")
    requested_at: datetime = described("When it was asked for.")
    expires_at: datetime = described("Until when it may be decided.")
    refusal: C | None = described("Why an approved change was not applied.")
    row: strawberry.Private[ChangeRequestRow]

    @field("The plant whose goods it is about.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("The batch it is about.")
    async def batch(self, info: Info) -> Batch:
        return sure(await batch_numbered(info, self.row.batch_id))

    @field("What was decided, at the plant and at the hub, in the order of time.")
    async def decisions(self, info: Info) -> list[ChangeDecision]:
        key = self.row.plant_id, self.row.change_id
        rows = await info.context.load(Permission.BATCH_READ, kept.decisions_by_change, key) or []
        return [ChangeDecision.of(row) for row in rows]

    @classmethod
    def of(cls, row: ChangeRequestRow) -> Self:
        """Return a change request as the contract answers it."""
        return cls(
            id=node_id("change", row.plant_id, row.change_id),
            kind=ChangeKind(row.kind),
            state=ChangeState(row.state),
            version=row.version,
            differences=differences(json.loads(row.differences)),
            levels=[ChangeLevel(level) for level in row.levels.split(",")],
            reason=row.reason,
            proposal=row.proposal,
            requested_by=row.requested_by,
            requested_at=from_micros(row.requested_us),
            expires_at=from_micros(row.expires_us),
            refusal=None if row.refusal is None else C(row.refusal),
            row=row,
        )


@strawberry.input(description="Which change requests are wanted; what is not given does not matter.")
class ChangeRequestFilter:
    """Which change requests are wanted."""

    plant: PlantCode | None = described("Of this plant.", default=None)
    state: ChangeState | None = described("In this state.", default=None)
    kind: ChangeKind | None = described("Of this kind.", default=None)
    batch: BatchCode | None = described("About this batch.", default=None)


@strawberry.input(description="Lift one open hold, or all open QUALITY holds; `reason` is needed.")
class RequestReleaseInput(MutationInput):
    """Lift one open hold, or all open QUALITY holds."""

    batch: BatchCode = described(BATCH)
    hold: int | None = described("The hold's id at the plant; all open QUALITY holds unless given.", default=None)


@strawberry.input(description="Let goods be used until the end of a later day; `reason` is needed.")
class RequestExtensionInput(MutationInput):
    """Let goods be used until the end of a later day."""

    batch: BatchCode = described(BATCH)
    expires_on: date = described("The new last day of use.")


@strawberry.input(description="Set stock to what was counted, whatever the difference; `reason` is needed.")
class RequestAdjustmentInput(MutationInput):
    """Set stock to what was counted."""

    batch: BatchCode = described(BATCH)
    location: str = described("The code of the location.")
    counted: QuantityInput = described("How much is there, none included.")


@strawberry.input(description="What you decide on a change request that you were shown.")
class DecideChangeInput(MutationInput):
    """What you decide on a change request."""

    change: strawberry.ID = described("The id of the change request.")
    proposal: str = described("Its `proposal`, as you were shown it.")
    verdict: ChangeVerdict = described("What you decide.")
    comment: str = described("What you say; needed to reject.", default="")


@strawberry.type(description="A change was asked for; nothing is changed yet.")
class ChangeRequested:
    """A change was asked for."""

    entry: RecordedEntry = described(ENTRY)
    change_request: ChangeRequest = described("The request.")


@strawberry.type(description="A change request was decided; its state says whether the change took effect.")
class ChangeDecided:
    """A change request was decided."""

    entry: RecordedEntry = described(ENTRY)
    change_request: ChangeRequest = described("The request.")


def differences(given: list[dict[str, Any]]) -> list[FieldDifference]:
    """Return differences as the contract answers them."""
    return [FieldDifference(field=one["field"], before=one["before"], after=one["after"]) for one in given]


@mutation(
    ChangeRequested, C.BATCH_UNKNOWN, C.HOLD_UNKNOWN,
    description="Ask another person to release goods from quarantine.",
)  # fmt: skip
async def request_release(info: Info, input: Input[RequestReleaseInput]) -> Any:
    order = requesting.ReleaseRequest(input.batch, input.reason or "", input.hold)
    return await _request(info, order, input)


@mutation(
    ChangeRequested, C.BATCH_UNKNOWN, C.EXPIRY_NOT_LATER,
    description="Ask another person to let goods be used for longer.",
)  # fmt: skip
async def request_extension(info: Info, input: Input[RequestExtensionInput]) -> Any:
    order = requesting.ExtensionRequest(input.batch, input.reason or "", input.expires_on)
    return await _request(info, order, input)


@mutation(
    ChangeRequested, *AMOUNTS, C.BATCH_UNKNOWN, C.NOTHING_CHANGES, C.NOT_DEFINED,
    description="Ask another person to set stock to what was counted.",
)  # fmt: skip
async def request_adjustment(info: Info, input: Input[RequestAdjustmentInput]) -> Any:
    counted = input.counted.amount, input.counted.unit
    order = requesting.AdjustmentRequest(input.batch, input.reason or "", input.location, *counted)
    return await _request(info, order, input)


async def _request(info: Info, order: requesting.ChangeOrder, input: MutationInput) -> ChangeRequested:
    entry = await info.context.write(Permission.CHANGE_REQUEST, requesting.request_change, order, input)
    change = await _written(info, info.context.serving.plant, entry.index)
    return ChangeRequested(entry=RecordedEntry.of(entry), change_request=change)


DECIDING = (
    C.CHANGE_ALREADY_DECIDED,
    C.CHANGE_EXPIRED,
    C.CHANGE_LEVEL_WRONG,
    C.CHANGE_OWN_REQUEST,
    C.CHANGE_UNKNOWN,
    C.PROPOSAL_DIFFERS,
)


@mutation(
    ChangeDecided, *DECIDING,
    description="Approve or reject a change that another person asked for; an approved one takes effect at once.",
)  # fmt: skip
async def decide_change(info: Info, input: Input[DecideChangeInput]) -> Any:
    plant, change = _change(input.change)
    if plant != info.context.serving.plant:
        raise Refusal(C.CHANGE_UNKNOWN, change=input.change[:40])
    entry = await info.context.write(Permission.CHANGE_DECIDE, deciding.decide_change, _decision(input, change), input)
    return ChangeDecided(entry=RecordedEntry.of(entry), change_request=await _written(info, plant, change))


@mutation(
    ChangeDecided, *DECIDING,
    description="Approve or reject at the hub: a directive to the plant, which checks it again and applies it.",
)  # fmt: skip
async def decide_change_at_hub(info: Info, input: Input[DecideChangeInput]) -> Any:
    plant, change = _change(input.change)
    info.context.require(Permission.CHANGE_DECIDE, plant)
    if plant not in await info.context.ask(known_plants):
        raise Refusal(C.CHANGE_UNKNOWN, change=input.change[:40])
    command, order = deciding.decide_change_at_hub, _decision(input, change)
    entry = await info.context.write(Permission.CHANGE_DECIDE, command, order, input, plant=plant)
    return ChangeDecided(entry=RecordedEntry.of(entry), change_request=await _written(info, plant, change))


def _change(id: str) -> tuple[int, int]:
    numbers = read_id("change", id)
    if numbers is None:
        raise Refusal(C.CHANGE_UNKNOWN, change=id[:40])
    return numbers[0], numbers[1]


def _decision(input: DecideChangeInput, change: int) -> deciding.Decision:
    return deciding.Decision(change, input.proposal, input.verdict, input.comment)


@findable("change", 2)
async def change_numbered(info: Info, numbers: tuple[int, ...]) -> ChangeRequest | None:
    """Return a change request by its plant's number and its own."""
    row = await info.context.load(Permission.BATCH_READ, kept.changes_by_id, (numbers[0], numbers[1]))
    return None if row is None else ChangeRequest.of(row)


async def _written(info: Info, plant: int, change: int) -> ChangeRequest:
    return sure(await change_numbered(info, (plant, change)))


@field("The change request with this id, or null when there is none that you may see.")
async def change_request(
    info: Info, id: Annotated[strawberry.ID, argument("The id of the change request.")]
) -> ChangeRequest | None:
    numbers = read_id("change", id)
    return None if numbers is None else await change_numbered(info, numbers)


@field("Change requests, the last of each plant first.")
async def change_requests(
    info: Info,
    filter: Annotated[ChangeRequestFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[ChangeRequest]:
    wanted = filter or ChangeRequestFilter()
    state, kind = (None if one is None else one.value for one in (wanted.state, wanted.kind))
    sought = ChangesSought(wanted.plant, state, kind, wanted.batch)
    return await info.context.connection(
        Permission.BATCH_READ, kept.changes_page, kept.changes_count, sought, (first, after),
        key=lambda row: (row.plant_id, row.change_id), make=ChangeRequest.of,
    )  # fmt: skip
