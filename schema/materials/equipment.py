"""Equipment: their type and queries, and the mutation that defines one."""

from typing import ClassVar

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.materials.definitions import MasterKind
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.materials.plant_definitions import CODE, NAME, AtPlant, Code, Filter, PlantDefinition


@object_type
class Equipment(PlantDefinition):
    """A machine or line that a process record can name (ISA-95 equipment)."""

    kind: ClassVar[MasterKind] = MasterKind.EQUIPMENT


@query(
    "Returns the piece of equipment with this code, or null.",
    permission=Permission.BATCH_READ,
)
async def equipment(info: Info, code: Code, plant_code: AtPlant = None) -> Equipment | None:
    return await Equipment.coded(info, code, plant_code)


@query("Lists equipment by code and plant.", permission=Permission.BATCH_READ)
async def equipment_items(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Equipment]:
    return await Equipment.page(info, filter, (first, after))


@input_type
class DefineEquipmentInput(MutationInput):
    """A piece of equipment. A later definition replaces the name."""

    code: str = described(CODE)
    name: str = described(NAME)


@object_type
class EquipmentDefined(Recorded):
    """A piece of equipment was defined."""

    equipment: Equipment = described("Equipment with its current definition.")


@mutation(
    "Define a piece of equipment, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_equipment(info: Info, input: Input[DefineEquipmentInput]) -> EquipmentDefined:
    order = definitions.MasterDefinition(Equipment.kind, input.code, input.name)
    entry = await info.write(definitions.define_master, order, input)
    found = await Equipment.load(info, info.services.plant, input.code)
    return EquipmentDefined(entry=RecordedEntry.of(entry), equipment=required(found))
