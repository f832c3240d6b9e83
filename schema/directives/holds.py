"""Holds and recalls that headquarters directs to plants."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from auth.permissions import Permission
from plants.commands.directives import directives as commands
from plants.commands.execution import check_lines
from plants.rules.directives.refusals import DIRECTED_HOLD_UNKNOWN
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.ledger.events import LINES_MAX
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import LINES_INVALID, Refusal, within
from schema.directives.directives import DirectivesSent, directives_sent
from schema.engine.context import Info
from schema.engine.fields import argument, described, input_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.node_ids import read_parts
from schema.engine.nodes import ID_SHOWN_MAX
from schema.engine.operations import HUB_ONLY, mutation
from schema.engine.scalars import BatchCode, PlantCode
from schema.quality.holds import PlaceHoldInput

PlantCodes = Annotated[
    list[PlantCode] | None,
    argument("Codes of the addressed plants. Without it, all plants known to have goods of a batch."),
]


def named_plants(codes: Sequence[PlantCode] | None) -> tuple[str, ...]:
    """Return the plants of an order. An order without plants addresses those with goods, so an empty list is refused.

    Raises Refusal LINES_INVALID.
    """
    if codes is None:
        return ()
    check_lines(codes, "plantCodes")
    return tuple(codes)


@input_type
class OpenRecallInput(MutationInput):
    """The batches to recall, and the reason."""

    batch_codes: list[BatchCode] = described(f"Codes of the batches, at most {LINES_MAX}.")
    reason: str = described("Reason, for the plants and for readers of the ledgers.")


@input_type
class LiftHoldInput(MutationInput):
    """The hold or recall to lift, and the reason."""

    hold_id: strawberry.ID = described(
        "Id of the hold or recall at headquarters: `directedHoldId` of a directive or of a hold."
    )
    reason: str = described("Reason, for the plants and for readers of the ledgers.")


@mutation(
    "Hold a batch at every plant that has goods of it, or at the given plants. Only headquarters can lift "
    "the hold. "
    'Example: `{ batchCode: "SH1-260314-0001P", reason: "Supplier warning" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_hold,
    refusals=(
        BATCH_CODE_INVALID,
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOT_DEFINED,
    ),
)
async def place_hold(info: Info, input: Input[PlaceHoldInput], plant_codes: PlantCodes = None) -> DirectivesSent:
    order = commands.HoldDirection(input.batch_code, input.reason, input.kind, named_plants(plant_codes))
    return await directives_sent(info, await info.direct(commands.direct_hold, order, input))


@mutation(
    "Recall batches: hold all of them at every plant that has goods of one, or at the given plants. One "
    "`liftHold` lifts all holds. "
    'Example: `{ batchCodes: ["SH1-260314-0001P", "SH1-260314-0002M"], reason: "Metal found" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_recall,
    refusals=(
        BATCH_CODE_INVALID,
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOT_DEFINED,
    ),
)
async def open_recall(info: Info, input: Input[OpenRecallInput], plant_codes: PlantCodes = None) -> DirectivesSent:
    order = commands.RecallDirection(tuple(input.batch_codes), input.reason, named_plants(plant_codes))
    return await directives_sent(info, await info.direct(commands.direct_recall, order, input))


@mutation(
    "Lift a hold or recall of headquarters at every plant that it was directed to. "
    'Example: `{ holdId: "ZGlyZWN0ZWQtaG9sZC9IUS03", reason: "Test passed" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_release,
    refusals=(DIRECTED_HOLD_UNKNOWN,),
)
async def lift_hold(info: Info, input: Input[LiftHoldInput]) -> DirectivesSent:
    named = read_parts("directed-hold", (str,), input.hold_id)
    if named is None:
        with within("holdId"):
            raise Refusal(DIRECTED_HOLD_UNKNOWN, hold=input.hold_id[:ID_SHOWN_MAX])
    order = commands.ReleaseDirection(named[0], input.reason)
    return await directives_sent(info, await info.direct(commands.direct_release, order, input))
