"""Decisions on change requests."""

from typing import Final

from auth.permissions import NotPermitted, Permission
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
from plants.rules.identification.codes import HUB
from plants.rules.values.refusals import TEXT_INVALID, Refusal, message
from schema.approvals.change_requests import CHANGE, PROPOSAL, ChangeRequest, change_numbered, plant_of
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input
from schema.engine.operations import mutation
from schema.engine.scalars import PlantCode, RequestId

RULE_GIVEN_AT_HUB: Final = message("RULE_GIVEN_AT_HUB", "given at the hub: the code of the plant that asks")


@input_type
class DecideChangeRequestInput:
    """A decision on exactly one content of a change request."""

    request_id: RequestId = described(
        "Request id, made by the client. Repeating it with the same content returns the first answer "
        "and changes nothing."
    )
    plant: PlantCode | None = described(
        "Plant of the change request. At a plant, the default is the plant itself. At the hub it must be given.",
        default=None,
    )
    change: int = described(CHANGE)
    proposal: str = described(PROPOSAL)
    verdict: ChangeVerdict = described("Verdict of the decision.")
    comment: str = described("Comment. A rejection needs one.", default="")


@object_type
class ChangeRequestDecided(Recorded):
    """A change was decided. Its plant applies an approved change, or refuses it if it no longer fits.

    The entry is the plant's own, or the hub's directive to the plant.
    """

    change_request: ChangeRequest = described("Change request as this node knows it now.")


@mutation(
    "Approve or reject a change that another user requested. A plant decides for itself, the hub for the group.",
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
    services = info.services
    at_hub = services.role is Role.HUB
    # The hub decides for the group. A user with a role at one plant decides at that plant.
    info.require(HUB if at_hub else services.plant)
    if at_hub and input.plant is None:
        raise Refusal(TEXT_INVALID, field="plant", rule=RULE_GIVEN_AT_HUB())
    number = await plant_of(info, input.plant)
    if number is None or not (at_hub or number == services.plant):
        raise NotPermitted(info.context.actor, info.access.only, HUB)
    order = Decision(input.change, input.proposal, input.verdict, input.comment)
    command = decide_change_at_hub if at_hub else decide_change_here
    entry = await info.write(command, order, input, plant=number)
    change = required(await change_numbered(info, number, input.change))
    return ChangeRequestDecided(entry=RecordedEntry.of(entry), change_request=change)
