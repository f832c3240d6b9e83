"""Directives: orders of headquarters to plants about master data, holds and releases."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.directives import directives as commands
from plants.commands.materials import definitions
from plants.rules.directives.directives import DirectiveState
from plants.rules.directives.refusals import DIRECTED_HOLD_UNKNOWN
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_INVALID, CODE_TAKEN
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.ledger.events import Entry, decode
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.holds import HoldKind
from plants.rules.values.instants import parse_instant
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, LINES_INVALID, UNIT_UNKNOWN
from plants.store.directives.directives import (
    DirectivesFilter,
    directives_by_place,
    directives_count,
    directives_page,
    waiting_by_directive,
)
from plants.store.directives.outcomes import DirectiveOutcomeRow, outcomes_by_directive
from plants.store.ledger.entries import LedgerEntry as EntryRow
from schema.audit.history import LedgerEntry, entry_of
from schema.audit.kept_refusals import kept_refusal_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import HUB_ONLY, mutation, query
from schema.engine.refusals import RefusalAnswer
from schema.engine.scalars import BatchCode, EventType, PlantCode, Rational
from schema.group.plants import Plant, owner
from schema.materials.materials import UnitConversionInput
from schema.materials.plant_definitions import CODE, NAME
from schema.people.actors import Actor

enum_type(DirectiveState)
PLANTS = "Codes of the addressed plants."
WHERE = "Codes of the addressed plants. Without any, all plants known to have goods of the batch."
REASON = "Reason, for the plants and for readers of the ledgers."


@object_type
class HubDirective(Node):
    """A directive to one plant, and the plant's answer."""

    index: int = described("Position among the directives to the plant, from 0.")
    type: EventType = described("Event type, such as HoldDirected or ChangeDecided.")
    about: str = described("Key of the subject: a batch code, a recall id or a master data code.")
    hold: str | None = described("Id of the hold or recall that it places or lifts.")
    batches: list[BatchCode] = described("Batches that it holds or releases.")
    reason: str | None = described("Why.")
    directed_by: Actor = described("Sender.")
    directed_at: datetime = described("Time at which it was sent.")
    number: strawberry.Private[int]

    @field("Addressed plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @field("State.")
    async def state(self, info: Info) -> DirectiveState:
        outcome = await self._outcome(info)
        if outcome is None:
            return DirectiveState.SENT
        return DirectiveState.APPLIED if outcome.applied else DirectiveState.REJECTED

    @field("Version of the batch when the plant applied it. With several batches, the highest version.")
    async def met_version(self, info: Info) -> int | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.met_version

    @field("Refusal of the plant that rejected it. Null if it did not.")
    async def refusal(self, info: Info) -> RefusalAnswer | None:
        return await kept_refusal_of(info, await self._outcome(info))

    @field("Batches that the plant does not know yet. It holds them when goods arrive.")
    async def waiting_for(self, info: Info) -> list[BatchCode]:
        found = await info.load(Permission.BATCH_READ, waiting_by_directive, (self.number, self.index))
        return [BatchCode(code) for code in found or []]

    @field(
        "Entry of the plant's ledger that answers it. Null without an answer or without the right to read the ledger."
    )
    async def answer(self, info: Info) -> LedgerEntry | None:
        outcome = await self._outcome(info)
        return None if outcome is None else await entry_of(info, (self.number, outcome.entry_idx))

    @field("The signed directive. Null without the right to read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (-self.number, self.index))

    async def _outcome(self, info: Info) -> DirectiveOutcomeRow | None:
        place = self.number, self.index
        return await info.load(Permission.BATCH_READ, outcomes_by_directive, place)

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return a directive. A directive of an unknown type has only the fields that all entries have."""
        envelope = decode(row.body)
        payload = envelope["payload"] if isinstance(envelope["payload"], dict) else {}
        hold = payload.get("hold", payload.get("recall"))
        return cls(
            id=node_id("directive", -row.log_id, row.idx),
            index=row.idx,
            type=EventType(row.type),
            about=row.key,
            hold=hold if isinstance(hold, str) else None,
            batches=_codes(payload),
            reason=envelope.get("reason") or _text(payload.get("reason")) or _text(payload.get("comment")),
            directed_by=Actor.of(row.actor),
            directed_at=parse_instant(envelope["occurred_at"]),
            number=-row.log_id,
        )


def _codes(payload: dict[str, Any]) -> list[BatchCode]:
    named = payload.get("batches", [payload.get("batch")])
    return [BatchCode(one["code"]) for one in named if isinstance(one, dict)]


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


@input_type
class DirectiveFilter:
    """Filters directives. A field that is not given does not filter."""

    plant: PlantCode | None = described("Addressed plant.", default=None)
    state: DirectiveState | None = described("State of the directive.", default=None)
    type: EventType | None = described("Event type, such as HoldDirected.", default=None)
    key: str | None = described("Key of the subject: a batch code, a recall id or a master data code.", default=None)


@findable("directive", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> HubDirective | None:
    row = await info.load(Permission.BATCH_READ, directives_by_place, numbers)
    return None if row is None else HubDirective.of(row)


@query(
    "Lists directives, newest first per plant. A plant returns only those it has received.",
    permission=Permission.BATCH_READ,
)
async def directives(
    info: Info,
    filter: Annotated[DirectiveFilter | None, argument("Filter. Without it, all.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[HubDirective]:
    wanted = filter or DirectiveFilter()
    filters = DirectivesFilter(wanted.plant, wanted.state, wanted.type, wanted.key)
    return await info.connection(
        directives_page, directives_count, filters, (first, after),
        key=lambda row: (row.log_id, row.idx), make=HubDirective.of,
    )  # fmt: skip


@input_type
class DirectMaterialInput(MutationInput):
    """A complete material definition for plants. It replaces an earlier one with the same code."""

    plant_codes: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)
    unit_code: str = described("Unit in which batches are counted: UN/ECE Rec 20, or defined at the plant.")
    shelf_life_days: int | None = described(
        "Shelf life in days after production. Null if batches do not expire.", default=None
    )
    retest_days: int | None = described("Days after production until a retest is due. Null if none is.", default=None)
    conversions: list[UnitConversionInput] = described(
        "Conversions of other units to the material's own.", default_factory=list
    )


@input_type
class DirectMasterInput(MutationInput):
    """A supplier, customer, location or piece of equipment for plants."""

    plant_codes: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)


@input_type
class DirectUnitInput(MutationInput):
    """A unit for plants, defined as an exact multiple of a built-in unit."""

    plant_codes: list[PlantCode] = described(PLANTS)
    code: str = described(CODE)
    name: str = described(NAME)
    base_unit_code: str = described("Built-in unit that it is a multiple of.")
    factor: Rational = described("Size in the built-in unit.")


@input_type
class DirectHoldInput(MutationInput):
    """The batch to hold, the plants and the reason."""

    batch_code: BatchCode = described("Batch code.")
    kind: HoldKind = described("Kind of hold.", default=HoldKind.QUALITY)
    reason: str = described(REASON)
    plant_codes: list[PlantCode] = described(WHERE, default_factory=list)


@input_type
class OpenRecallInput(MutationInput):
    """The batches to recall, the plants and the reason."""

    batch_codes: list[BatchCode] = described("Batch codes.")
    reason: str = described(REASON)
    plant_codes: list[PlantCode] = described(WHERE, default_factory=list)


@input_type
class LiftHoldInput(MutationInput):
    """The hold or recall to lift, and the reason."""

    hold: str = described("Id of the hold or recall at headquarters.")
    reason: str = described(REASON)


@object_type
class DirectivesSent(Recorded):
    """Directives were sent. Each plant applies or refuses its directive after receiving it.

    Each directive is an entry of its own. `entry` is the first of them.
    """

    directives: list[HubDirective] = described("Directives by plant number.")


MasterInput = DirectMaterialInput | DirectMasterInput | DirectUnitInput


async def _sent(info: Info, entries: list[Entry]) -> DirectivesSent:
    places = [(-entry.envelope["plant"], entry.index) for entry in entries]
    directives = [required(await _find(info, place)) for place in places]
    return DirectivesSent(entry=RecordedEntry.of(entries[0]), directives=directives)


async def _define(info: Info, definition: commands.Definition, input: MasterInput) -> DirectivesSent:
    order = commands.MasterDirection(tuple(input.plant_codes), definition)
    return await _sent(info, await info.direct(commands.direct_master, order, input))


@mutation(
    "Define a material for plants.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.MaterialDefinition,
    refusals=(
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        CODE_INVALID,
        LINES_INVALID,
        NOT_DEFINED,
    ),
)
async def direct_material(info: Info, input: Input[DirectMaterialInput]) -> DirectivesSent:
    factors = {line.unit_code: str(line.factor) for line in input.conversions}
    days = input.shelf_life_days, input.retest_days
    definition = definitions.MaterialDefinition(input.code, input.name, input.unit_code, *days, conversions=factors)
    return await _define(info, definition, input)


@mutation(
    "Define a unit for plants.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.UnitDefinition,
    refusals=(
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        CODE_INVALID,
        CODE_TAKEN,
        LINES_INVALID,
        NOT_DEFINED,
        UNIT_UNKNOWN,
    ),
)
async def direct_unit(info: Info, input: Input[DirectUnitInput]) -> DirectivesSent:
    return await _define(
        info, definitions.UnitDefinition(input.code, input.name, input.base_unit_code, input.factor), input
    )


async def _define_named(info: Info, kind: MasterKind, input: DirectMasterInput) -> DirectivesSent:
    return await _define(info, definitions.MasterDefinition(kind, input.code, input.name), input)


@mutation(
    "Define a supplier for plants, or change its name.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.MasterDefinition,
    refusals=(CODE_INVALID, LINES_INVALID, NOT_DEFINED),
)
async def direct_supplier(info: Info, input: Input[DirectMasterInput]) -> DirectivesSent:
    return await _define_named(info, MasterKind.SUPPLIER, input)


@mutation(
    "Define a customer for plants, or change its name.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.MasterDefinition,
    refusals=(CODE_INVALID, LINES_INVALID, NOT_DEFINED),
)
async def direct_customer(info: Info, input: Input[DirectMasterInput]) -> DirectivesSent:
    return await _define_named(info, MasterKind.CUSTOMER, input)


@mutation(
    "Define a location for plants, or change its name.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.MasterDefinition,
    refusals=(CODE_INVALID, LINES_INVALID, NOT_DEFINED),
)
async def direct_location(info: Info, input: Input[DirectMasterInput]) -> DirectivesSent:
    return await _define_named(info, MasterKind.LOCATION, input)


@mutation(
    "Define a piece of equipment for plants, or change its name.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_master,
    order=definitions.MasterDefinition,
    refusals=(CODE_INVALID, LINES_INVALID, NOT_DEFINED),
)
async def direct_equipment(info: Info, input: Input[DirectMasterInput]) -> DirectivesSent:
    return await _define_named(info, MasterKind.EQUIPMENT, input)


@mutation(
    "Hold a batch at every plant that has goods of it. Only headquarters can lift the hold.",
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
async def place_hold(info: Info, input: Input[DirectHoldInput]) -> DirectivesSent:
    order = commands.HoldDirection(input.batch_code, input.reason, input.kind, tuple(input.plant_codes))
    return await _sent(info, await info.direct(commands.direct_hold, order, input))


@mutation(
    "Recall batches: hold all of them, wherever there are goods. One release lifts all holds.",
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
async def open_recall(info: Info, input: Input[OpenRecallInput]) -> DirectivesSent:
    order = commands.RecallDirection(tuple(input.batch_codes), input.reason, tuple(input.plant_codes))
    return await _sent(info, await info.direct(commands.direct_recall, order, input))


@mutation(
    "Lift a hold or recall of headquarters at every plant that it was directed to.",
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=commands.direct_release,
    refusals=(DIRECTED_HOLD_UNKNOWN,),
)
async def lift_hold(info: Info, input: Input[LiftHoldInput]) -> DirectivesSent:
    order = commands.ReleaseDirection(input.hold, input.reason)
    return await _sent(info, await info.direct(commands.direct_release, order, input))
