"""Mutations that request a change. Nothing changes until another user decides it."""

from datetime import date

import strawberry

from auth.permissions import Permission
from plants.commands.approvals import change_requests as commands
from plants.rules.inventory.refusals import BATCH_UNKNOWN, EXPIRY_NOT_LATER
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import HOLD_DIRECTED, HOLD_UNKNOWN
from plants.rules.values.refusals import NOTHING_CHANGES
from schema.approvals.change_requests import ChangeRequest, change_numbered
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode, Code
from schema.quality.holds import placed_index

REASON = "Reason, for the deciders and for readers of the ledger."


@input_type
class RequestReleaseInput(MutationInput):
    """The batch and the hold to release."""

    batch_code: BatchCode = described("Code of the batch.")
    hold_id: strawberry.ID | None = described(
        "Id of the hold. Without it, all open QUALITY holds of the batch are meant.", default=None
    )
    reason: str = described(REASON)


@input_type
class RequestExpiryExtensionInput(MutationInput):
    """The batch and its requested expiry date."""

    batch_code: BatchCode = described("Code of the batch.")
    expires_on: date = described("New last day of use. It must be later than the current one.")
    reason: str = described(REASON)


@input_type
class RequestStockAdjustmentInput(MutationInput):
    """The counted quantity of a batch at a location."""

    batch_code: BatchCode = described("Code of the batch.")
    location_code: Code = described("Code of the location.")
    counted: QuantityInput = described("Counted quantity. It may be zero.")
    reason: str = described(REASON)


@object_type
class ChangeRequested(Recorded):
    """A change was requested. Nothing has changed yet."""

    change_request: ChangeRequest = described("The new change request.")


async def _ask(info: Info, order: commands.ChangeOrder, input: MutationInput) -> ChangeRequested:
    entry = await info.write(commands.request_change, order, input)
    change = await change_numbered(info, info.services.plant, entry.index)
    return ChangeRequested(entry=RecordedEntry.of(entry), change_request=required(change))


@mutation(
    "Request the release of one hold, or of all open QUALITY holds of a batch. "
    'Example: `{ batchCode: "SH1-260314-0001P", reason: "Laboratory result is in order" }`.',
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
    hold = None if input.hold_id is None else await placed_index(info, input.batch_code, input.hold_id)
    return await _ask(info, commands.ReleaseRequest(input.batch_code, input.reason, hold), input)


@mutation(
    "Request a later last day of use for the plant's goods of a batch. "
    'Example: `{ batchCode: "SH1-260314-0001P", expiresOn: "2026-12-31", reason: "Retest passed" }`.',
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
    "Request an adjustment of stock to the counted quantity, where `countStock` refuses the difference. "
    'Example: `{ batchCode: "SH1-260314-0001P", locationCode: "A1", counted: { amount: "80", unit: "KGM" }, '
    'reason: "Spill" }`.',
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
