"""Decisions on change requests."""

from auth.permissions import NotPermitted, Permission
from infra.roles import BOTH_ROLES, Role
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.approvals.decisions import decide_change as decide_change_here
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.identification.codes import HUB
from plants.rules.values.refusals import RefusalCode as C
from schema.approvals.change_requests import CHANGE, PROPOSAL, ChangeRequest, change_numbered, plant_of
from schema.engine.context import Info, required
from schema.engine.entries import RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input
from schema.engine.operations import mutation
from schema.engine.scalars import PlantCode, RequestId


@input_type
class DecideChangeInput:
    """What is decided on a change request, and on exactly what content of it."""

    request_id: RequestId = described(
        "Made by the client: sent again with the same content it answers the same and does nothing again."
    )
    plant: PlantCode | None = described("The plant that asks; at a plant, itself unless given.", default=None)
    change: int = described(CHANGE)
    proposal: str = described(PROPOSAL)
    verdict: ChangeVerdict = described("What is decided.")
    comment: str = described("What there is to say of it; needed to reject.", default="")


@object_type
class ChangeDecided:
    """A change was decided; an approved one is applied by its plant, or refused if it no longer fits."""

    entry: RecordedEntry = described("The ledger entry of the decision: the plant's, or the hub's directive to it.")
    change_request: ChangeRequest = described("The change request as this node knows it now.")


@mutation(
    "Approve or reject a change that another person asked for: at the plant, or at the hub for the group.",
    roles=BOTH_ROLES,
    permission=Permission.CHANGE_DECIDE,
    command=(decide_change_here, decide_change_at_hub),
    refusals=(
        C.CHANGE_ALREADY_DECIDED,
        C.CHANGE_EXPIRED,
        C.CHANGE_LEVEL_WRONG,
        C.CHANGE_OWN_REQUEST,
        C.CHANGE_UNKNOWN,
        C.PROPOSAL_DIFFERS,
    ),
)
async def decide_change(info: Info, input: Input[DecideChangeInput]) -> ChangeDecided:
    services = info.services
    at_hub = services.role is Role.HUB
    # The hub's level is the group's: a person of one plant decides at that plant.
    info.require(HUB if at_hub else services.plant)
    number = await plant_of(info, input.plant)
    if number is None or not (at_hub or number == services.plant):
        raise NotPermitted(info.context.actor, Permission.CHANGE_DECIDE, HUB)
    order = Decision(input.change, input.proposal, input.verdict, input.comment)
    command = decide_change_at_hub if at_hub else decide_change_here
    entry = await info.write(command, order, input, plant=number)
    change = required(await change_numbered(info, number, input.change))
    return ChangeDecided(entry=RecordedEntry.of(entry), change_request=change)
