"""Saving master data at plants from headquarters: the mutations of a plant, with the plants that they address.

A directive carries the fields that were given. Each plant adds them to its own definition, or says why it cannot.
"""

from typing import Annotated, Final

from auth.permissions import Permission
from plants.commands.directives.directives import MasterDirection, direct_master
from plants.commands.materials import changes
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import LINES_MAX
from plants.rules.materials.refusals import FIELD_REQUIRED, NOT_DEFINED, VERSION_OF_ONE_PLANT
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, LINES_INVALID, UNIT_UNKNOWN
from schema.directives.directives import DirectivesSent, directives_sent
from schema.engine.context import Info
from schema.engine.fields import argument
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import HUB_ONLY, mutation
from schema.engine.scalars import PlantCode
from schema.materials.customers import SaveCustomerInput
from schema.materials.equipment import SaveEquipmentInput
from schema.materials.locations import SaveLocationInput
from schema.materials.materials import SaveMaterialInput
from schema.materials.suppliers import SaveSupplierInput
from schema.materials.units import SaveUnitInput

PlantCodes = Annotated[list[PlantCode], argument(f"Codes of the addressed plants, at most {LINES_MAX}.")]

SAVING: Final = frozenset({CODE_INVALID, FIELD_REQUIRED, LINES_INVALID, NOT_DEFINED, VERSION_OF_ONE_PLANT})
"""The refusals of headquarters. Those that depend on a plant's own definition come from the plant."""
SAVING_AMOUNTS: Final = SAVING | {AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, CODE_TAKEN}


async def _direct(
    info: Info, change: changes.Change, input: MutationInput, plant_codes: list[PlantCode]
) -> DirectivesSent:
    order = MasterDirection(tuple(plant_codes), change)
    return await directives_sent(info, await info.direct(direct_master, order, input))


@mutation(
    "Define a material at plants, or change the fields given of one. "
    'Example: `{ code: "RM-MILK", name: "Raw milk", unitCode: "KGM", shelfLifeDays: 3 }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.MaterialChange,
    refusals=SAVING_AMOUNTS,
)
async def save_material(info: Info, input: Input[SaveMaterialInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)


@mutation(
    "Define a unit at plants, or change the fields given of one. "
    'Example: `{ code: "BAG25", name: "Bag", baseUnitCode: "KGM", factor: "25" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.UnitChange,
    refusals=SAVING_AMOUNTS | {UNIT_UNKNOWN},
)
async def save_unit(info: Info, input: Input[SaveUnitInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)


@mutation(
    'Define a supplier at plants, or change the fields given of one. Example: `{ code: "S1", name: "Green farm" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_supplier(info: Info, input: Input[SaveSupplierInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)


@mutation(
    'Define a customer at plants, or change the fields given of one. Example: `{ code: "C1", name: "Corner shop" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_customer(info: Info, input: Input[SaveCustomerInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)


@mutation(
    'Define a location at plants, or change the fields given of one. Example: `{ code: "A1", name: "Cold store" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_location(info: Info, input: Input[SaveLocationInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)


@mutation(
    "Define a piece of equipment at plants, or change the fields given of one. "
    'Example: `{ code: "MIX1", name: "Mixer" }`.',
    roles=HUB_ONLY,
    permission=Permission.DIRECTIVE_SEND,
    command=direct_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_equipment(info: Info, input: Input[SaveEquipmentInput], plant_codes: PlantCodes) -> DirectivesSent:
    return await _direct(info, input.change(), input, plant_codes)
