"""Equipment: their type and queries, and the mutation that saves one."""

from typing import Annotated, ClassVar

from auth.permissions import Permission
from plants.commands.materials import changes, definitions
from plants.rules.materials.definitions import MasterKind
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.refusals import SAVING
from schema.materials.plant_definitions import (
    AtPlant,
    DefinitionFilter,
    NamedRowInput,
    OfCode,
    OrderBy,
    PlantDefinition,
    register_finder,
)


@object_type
class Equipment(PlantDefinition):
    """A machine or line that a process record can name (ISA-95 equipment)."""

    kind: ClassVar[MasterKind] = MasterKind.EQUIPMENT


register_finder(Equipment)


@input_type
class EquipmentFilter(DefinitionFilter):
    """Filters equipment. A field that is not given does not filter."""


@query(
    "Returns the piece of equipment with this code. Null if there is none that you may see.",
    permission=Permission.BATCH_READ,
)
async def equipment(info: Info, code: OfCode, plant_code: AtPlant = None) -> Equipment | None:
    return await Equipment.coded(info, code, plant_code)


@query(
    "Lists equipment. A code that several plants define is listed once for each of them.",
    permission=Permission.BATCH_READ,
)
async def equipment_items(
    info: Info,
    filter: Annotated[EquipmentFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Equipment]:
    return await Equipment.page(info, filter, order_by, (first, after))


@input_type
class EquipmentRowInput(NamedRowInput):
    """A piece of equipment to save. An absent field stays as it is."""

    def change(self) -> changes.MasterChange:
        return self.named(MasterKind.EQUIPMENT)


@input_type
class SaveEquipmentInput(MutationInput, EquipmentRowInput):
    """A piece of equipment to save. An absent field stays as it is."""


@object_type
class EquipmentSaved(Recorded):
    """A piece of equipment was defined or changed."""

    equipment: Equipment = described("Equipment as it is now.")


@mutation(
    'Define a piece of equipment, or change the fields given of one. Example: `{ code: "MIX1", name: "Mixer" }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_equipment(info: Info, input: Input[SaveEquipmentInput]) -> EquipmentSaved:
    entry = await info.write(definitions.define_master, input.change(), input)
    saved = await Equipment.load(info, info.services.plant, input.code)
    return EquipmentSaved(entry=RecordedEntry.of(entry), equipment=required(saved))
