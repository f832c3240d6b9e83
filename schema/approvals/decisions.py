"""Decisions on change requests."""

from typing import Any

import strawberry

from auth.permissions import NotPermitted, Permission, require
from infra.roles import Role
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.approvals.decisions import decide_change as decide_change_here
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.identification.codes import HUB
from plants.rules.values.refusals import RefusalCode as C
from schema.approvals.change_requests import CHANGE, PROPOSAL, ChangeRequest, plant_of, change_numbered
from schema.engine.context import Info, sure
from schema.engine.entries import RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input
from schema.engine.refusals import mutation
from schema.engine.scalars import PlantCode, RequestId


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


@strawberry.type(
    description="A change was decided; an approved one is applied by its plant, or refused if it no longer fits."
)
class ChangeDecided:
    """A change was decided."""

    entry: RecordedEntry = described("The ledger entry of the decision: the plant's, or the hub's directive to it.")
    change_request: ChangeRequest = described("The change request as this node knows it now.")


@mutation(
    ChangeDecided,
    C.CHANGE_ALREADY_DECIDED,
    C.CHANGE_EXPIRED,
    C.CHANGE_LEVEL_WRONG,
    C.CHANGE_OWN_REQUEST,
    C.CHANGE_UNKNOWN,
    C.PROPOSAL_DIFFERS,
    description="Approve or reject a change that another person asked for: at the plant, or at the hub for the group.",
)
async def decide_change(info: Info, input: Input[DecideChangeInput]) -> Any:
    serving, actor = info.context.serving, info.context.actor
    at_hub = serving.role is Role.HUB
    # The hub's level is the group's: a person of one plant decides at that plant.
    require(actor, Permission.CHANGE_DECIDE, HUB if at_hub else serving.plant)
    number = await plant_of(info, Permission.CHANGE_DECIDE, input.plant)
    if number is None or not (at_hub or number == serving.plant):
        raise NotPermitted(actor, Permission.CHANGE_DECIDE, HUB)
    order = Decision(input.change, input.proposal, input.verdict, input.comment)
    command = decide_change_at_hub if at_hub else decide_change_here
    entry = await info.context.write(Permission.CHANGE_DECIDE, command, order, input, plant=number)
    change = sure(await change_numbered(info, number, input.change))
    return ChangeDecided(entry=RecordedEntry.of(entry), change_request=change)
