"""Decisions on change requests."""

import strawberry

from auth.permissions import Permission
from infra.roles import BOTH_ROLES, Role
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.approvals.decisions import decide_change as decide_change_here
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.approvals.refusals import (
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_LEVEL_WRONG,
    CHANGE_OWN_REQUEST,
    CHANGE_UNKNOWN,
    PROPOSAL_DIFFERS,
)
from plants.rules.values.refusals import Refusal, within
from schema.approvals.change_requests import PROPOSAL, ChangeRequest, change_numbered
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input
from schema.engine.nodes import named
from schema.engine.operations import mutation
from schema.engine.scalars import RequestId, Sha256


@input_type
class DecideChangeRequestInput:
    """A decision on exactly one content of a change request."""

    request_id: RequestId = described(
        "Request id, made by the client. Repeating it with the same content returns the first answer "
        "and changes nothing."
    )
    change_request_id: strawberry.ID = described("Id of the change request.")
    proposal: Sha256 = described(PROPOSAL)
    verdict: ChangeVerdict = described("Verdict of the decision.")
    comment: str | None = described("Comment. A rejection needs one.", default=None)


@object_type
class ChangeRequestDecided(Recorded):
    """A change was decided. Its plant applies an approved change, or refuses it if it no longer fits.

    The entry is the plant's own, or the hub's directive to the plant.
    """

    change_request: ChangeRequest = described("Change request as this node knows it now.")


@mutation(
    "Approve or reject a change that another user requested. A plant decides for itself, the hub for the "
    "group. Give the `proposal` of the request that you read. "
    'Example: `{ changeRequestId: "Y2hhbmdlLzEvMTI", proposal: "9f86d081884c7d65…", verdict: APPROVED }`.',
    roles=BOTH_ROLES,
    permission=Permission.CHANGE_DECIDE,
    command=(decide_change_here, decide_change_at_hub),
    refusals=(
        CHANGE_ALREADY_DECIDED,
        CHANGE_EXPIRED,
        CHANGE_LEVEL_WRONG,
        CHANGE_OWN_REQUEST,
        CHANGE_UNKNOWN,
        PROPOSAL_DIFFERS,
    ),
)
async def decide_change_request(info: Info, input: Input[DecideChangeRequestInput]) -> ChangeRequestDecided:
    at_hub = info.services.role is Role.HUB
    plant, number = await _place(info, input.change_request_id)
    order = Decision(number, input.proposal, input.verdict, input.comment or "")
    entry = await info.write(decide_change_at_hub if at_hub else decide_change_here, order, input, plant=plant)
    change = required(await change_numbered(info, plant, number))
    return ChangeRequestDecided(entry=RecordedEntry.of(entry), change_request=change)


async def _place(info: Info, id: strawberry.ID) -> tuple[int, int]:
    """Return the plant and the number in the id of a change request that this node knows, or raise CHANGE_UNKNOWN."""
    plant, number = named("changeRequestId", "change", id, CHANGE_UNKNOWN)
    if await change_numbered(info, plant, number) is None:
        with within("changeRequestId"):
            raise Refusal(CHANGE_UNKNOWN, change=number)
    return plant, number
