"""Directives in the contract: what headquarters tells plants to define, hold and release, and what came of it."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.directives import directives as direct
from plants.commands.materials import definitions
from plants.rules.directives.directives import DirectiveState
from plants.rules.directives.refusals import DIRECTED_HOLD_UNKNOWN
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_INVALID, CODE_TAKEN
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.ledger.events import Entry, decode
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.dispositions import HoldKind
from plants.rules.values.instants import parse_instant
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, LINES_INVALID, UNIT_UNKNOWN
from plants.store.directives import directives as kept
from plants.store.directives import outcomes
from plants.store.directives.directives import DirectivesSought
from plants.store.directives.outcomes import DirectiveOutcomeRow
from plants.store.ledger.entries import LedgerEntry as EntryRow
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.nodes import Node, findable, node_id
from schema.engine.refusals import mutation
from schema.engine.scalars import BatchCode, ExactDecimal, PlantCode
from schema.group.plants import Plant, owner
from schema.materials.definitions import ConversionInput
from schema.materials.materials import CODE, NAME, MasterKind

DirectiveStateEnum = strawberry.enum(
    DirectiveState,
    name="DirectiveState",
    description="How far along a directive is: what headquarters said is in force at the plant when the plant says so.",
)
PLANTS = "The plants that it is for, by their codes."
WHERE = "At these plants alone; at all that have goods of it, as far as the hub knows, unless given."
REASON = "Why, for the plants and for those who read the ledgers later."


@strawberry.type(description="What headquarters told one plant, and what the plant answered.")
class Directive(Node):
    """What headquarters told one plant, and what the plant answered."""

    index: int = described("Its position among the directives to the plant, from 0.")
    type: str = described("What is directed, such as HoldDirected or ChangeDecided.")
    about: str = described("What it is about: a batch's code, a recall's id, a code of master data.")
    hold: str | None = described("The id of the hold or recall that it places or lifts.")
    batches: list[BatchCode] = described("The batches that it holds or releases.")
    reason: str | None = described("Why.")
    directed_by: str = described("Who directed it, by employee number.")
    directed_at: datetime = described("When it was directed.")
    number: strawberry.Private[int]

    @field("The plant that it is for.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @field("How far along it is.")
    async def state(self, info: Info) -> DirectiveState:
        outcome = await self._outcome(info)
        if outcome is None:
            return DirectiveState.SENT
        return DirectiveState.APPLIED if outcome.applied else DirectiveState.REJECTED

    @field("The version of the batch that it met at the plant; of several batches the latest.")
    async def met_version(self, info: Info) -> int | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.met_version

    @field("Why the plant did not do it.")
    async def refusal(self, info: Info) -> str | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.refusal

    @field("The batches that the plant does not know and holds as soon as goods of them come.")
    async def waiting_for(self, info: Info) -> list[BatchCode]:
        found = await info.context.load(Permission.BATCH_READ, kept.waiting_by_directive, (self.number, self.index))
        return [BatchCode(code) for code in found or []]

    @field("The entry of the plant's ledger that answers it, where you may read the ledger.")
    async def answer(self, info: Info) -> LedgerEntry | None:
        outcome = await self._outcome(info)
        return None if outcome is None else await entry_of(info, (self.number, outcome.entry_idx))

    @field("The directive as it stands signed, where you may read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (-self.number, self.index))

    async def _outcome(self, info: Info) -> DirectiveOutcomeRow | None:
        place = self.number, self.index
        return await info.context.load(Permission.BATCH_READ, outcomes.outcomes_by_directive, place)

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return a directive as the contract answers it; one of an unknown type says only what every entry says."""
        envelope = decode(row.body)
        payload = envelope["payload"] if isinstance(envelope["payload"], dict) else {}
        hold = payload.get("hold", payload.get("recall"))
        return cls(
            id=node_id("directive", -row.log_id, row.idx),
            index=row.idx,
            type=row.type,
            about=row.key,
            hold=hold if isinstance(hold, str) else None,
            batches=_codes(payload),
            reason=envelope.get("reason") or _text(payload.get("reason")) or _text(payload.get("comment")),
            directed_by=row.actor,
            directed_at=parse_instant(envelope["occurred_at"]),
            number=-row.log_id,
        )


def _codes(payload: dict[str, Any]) -> list[BatchCode]:
    named = payload.get("batches", [payload.get("batch")])
    return [BatchCode(one["code"]) for one in named if isinstance(one, dict)]


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


@strawberry.input(description="Which directives are wanted; what is not given does not matter.")
class DirectiveFilter:
    """Which directives are wanted."""

    plant: PlantCode | None = described("For this plant.", default=None)
    state: DirectiveState | None = described("So far along.", default=None)
    type: str | None = described("Of this type, such as HoldDirected.", default=None)
    key: str | None = described("About this: a batch's code, a recall's id, a code of master data.", default=None)


@findable("directive", 2)
async def _find(info: Info, numbers: tuple[int, ...]) -> Directive | None:
    row = await info.context.load(Permission.BATCH_READ, kept.directives_by_place, numbers)
    return None if row is None else Directive.of(row)


@field("What headquarters told plants, the last to each plant first: at a plant what has come there.")
async def directives(
    info: Info,
    filter: Annotated[DirectiveFilter | None, argument("Which are wanted; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[Directive]:
    wanted = filter or DirectiveFilter()
    sought = DirectivesSought(wanted.plant, wanted.state, wanted.type, wanted.key)
    return await info.context.connection(
        Permission.BATCH_READ, kept.directives_page, kept.directives_count, sought, (first, after),
        key=lambda row: (row.log_id, row.idx), make=Directive.of,
    )  # fmt: skip


@strawberry.input(description="A material definition for plants, whole; a later one of the same code replaces it.")
class DirectMaterialInput(MutationInput):
    """A material definition for plants."""

    plants: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)
    unit: str = described("The unit that its batches are counted in, UN/ECE Rec 20 or defined at the plant.")
    shelf_life_days: int | None = described("How many days a batch keeps after its production.", default=None)
    retest_days: int | None = described("After how many days a batch is due for a test.", default=None)
    conversions: list[ConversionInput] = described("How other units convert to its own.", default_factory=list)


@strawberry.input(description="A supplier, customer, location or piece of equipment for plants.")
class DirectMasterInput(MutationInput):
    """A supplier, customer, location or piece of equipment for plants."""

    plants: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)


@strawberry.input(description="A unit for plants, by its exact size in a built-in one.")
class DirectUnitInput(MutationInput):
    """A unit for plants, by its exact size in a built-in one."""

    plants: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)
    of: str = described("The built-in unit it is measured in.")
    factor: ExactDecimal = described('How many of that unit one of it is: a decimal or a fraction "n/d".')


@strawberry.input(description="Which batch headquarters holds, where, and why.")
class DirectHoldInput(MutationInput):
    """Which batch headquarters holds."""

    batch: BatchCode = described("The batch's code.")
    kind: HoldKind = described("Why, in one word.", default=HoldKind.QUALITY)
    reason: str = described(REASON)
    plants: list[PlantCode] = described(WHERE, default_factory=list)


@strawberry.input(description="Which batches headquarters recalls, where, and why.")
class DirectRecallInput(MutationInput):
    """Which batches headquarters recalls."""

    batches: list[BatchCode] = described("The batches' codes.")
    reason: str = described(REASON)
    plants: list[PlantCode] = described(WHERE, default_factory=list)


@strawberry.input(description="Which hold or recall headquarters lifts, and why.")
class DirectReleaseInput(MutationInput):
    """Which hold or recall headquarters lifts."""

    hold: str = described("The id of the hold or recall at headquarters.")
    reason: str = described(REASON)


@strawberry.type(description="Headquarters told plants something; each does it, and answers, when it hears of it.")
class DirectivesSent:
    """Headquarters told plants something."""

    directives: list[Directive] = described("What each plant was told, by plant number.")


async def _sent(info: Info, entries: list[Entry]) -> DirectivesSent:
    places = [(-entry.envelope["plant"], entry.index) for entry in entries]
    return DirectivesSent(directives=[sure(await _find(info, place)) for place in places])


async def _define(info: Info, definition: direct.Definition, said: Any) -> DirectivesSent:
    order = direct.MasterDirection(tuple(said.plants), definition)
    return await _sent(info, await info.context.direct(Permission.DIRECTIVE_SEND, direct.direct_master, order, said))


@mutation(
    DirectivesSent,
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    CODE_INVALID,
    LINES_INVALID,
    NOT_DEFINED,
    description="Define a material for plants.",
)
async def direct_material(info: Info, input: Input[DirectMaterialInput]) -> Any:
    factors = {line.unit: str(line.factor) for line in input.conversions}
    days = input.shelf_life_days, input.retest_days
    definition = definitions.MaterialDefinition(input.code, input.name, input.unit, *days, conversions=factors)
    return await _define(info, definition, input)


@mutation(
    DirectivesSent,
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    CODE_INVALID,
    CODE_TAKEN,
    LINES_INVALID,
    NOT_DEFINED,
    UNIT_UNKNOWN,
    description="Define a unit for plants.",
)
async def direct_unit(info: Info, input: Input[DirectUnitInput]) -> Any:
    return await _define(info, definitions.UnitDefinition(input.code, input.name, input.of, input.factor), input)


def _directing(kind: MasterKind, description: str) -> Any:
    async def direct_one(info: Info, input: Input[DirectMasterInput]) -> Any:
        return await _define(info, definitions.MasterDefinition(kind.value, input.code, input.name), input)

    direct_one.__name__ = f"direct_{kind.value.lower()}"
    listed = CODE_INVALID, LINES_INVALID, NOT_DEFINED
    return mutation(DirectivesSent, *listed, description=description)(direct_one)


direct_supplier = _directing(MasterKind.SUPPLIER, "Define a supplier for plants, or give one another name.")
direct_customer = _directing(MasterKind.CUSTOMER, "Define a customer for plants, or give one another name.")
direct_location = _directing(MasterKind.LOCATION, "Define a location for plants, or give one another name.")
direct_equipment = _directing(MasterKind.EQUIPMENT, "Define equipment for plants, or give it another name.")


@mutation(
    DirectivesSent,
    BATCH_CODE_INVALID,
    BATCH_UNKNOWN,
    LINES_INVALID,
    NOT_DEFINED,
    description="Hold a batch at every plant that has goods of it; only headquarters lifts it.",
)
async def direct_hold(info: Info, input: Input[DirectHoldInput]) -> Any:
    order = direct.HoldDirection(input.batch, input.reason, input.kind, tuple(input.plants))
    return await _sent(info, await info.context.direct(Permission.DIRECTIVE_SEND, direct.direct_hold, order, input))


@mutation(
    DirectivesSent,
    BATCH_CODE_INVALID,
    BATCH_UNKNOWN,
    LINES_INVALID,
    NOT_DEFINED,
    description="Hold several batches as one thing, wherever there are goods of any; one release lifts them all.",
)
async def direct_recall(info: Info, input: Input[DirectRecallInput]) -> Any:
    order = direct.RecallDirection(tuple(input.batches), input.reason, tuple(input.plants))
    return await _sent(info, await info.context.direct(Permission.DIRECTIVE_SEND, direct.direct_recall, order, input))


@mutation(
    DirectivesSent,
    DIRECTED_HOLD_UNKNOWN,
    description="Lift a hold or recall of headquarters, whole, at every plant that it was directed to.",
)
async def direct_release(info: Info, input: Input[DirectReleaseInput]) -> Any:
    order = direct.ReleaseDirection(input.hold, input.reason)
    return await _sent(info, await info.context.direct(Permission.DIRECTIVE_SEND, direct.direct_release, order, input))
