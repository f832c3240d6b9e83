"""Locations: their type and queries, and the mutation that defines one."""

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
class Location(PlantDefinition):
    """A location in a plant where stock lies (ISA-95 storage location)."""

    kind: ClassVar[MasterKind] = MasterKind.LOCATION


@query(
    "Returns the location with this code, or null.",
    permission=Permission.BATCH_READ,
)
async def location(info: Info, code: Code, plant_code: AtPlant = None) -> Location | None:
    return await Location.coded(info, code, plant_code)


@query("Lists locations by code and plant.", permission=Permission.BATCH_READ)
async def locations(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Location]:
    return await Location.page(info, filter, (first, after))


@input_type
class DefineLocationInput(MutationInput):
    """A location. A later definition replaces the name."""

    code: str = described(CODE)
    name: str = described(NAME)


@object_type
class LocationDefined(Recorded):
    """A location was defined."""

    location: Location = described("Location with its current definition.")


@mutation(
    "Define a location, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_location(info: Info, input: Input[DefineLocationInput]) -> LocationDefined:
    order = definitions.MasterDefinition(Location.kind, input.code, input.name)
    entry = await info.write(definitions.define_master, order, input)
    found = await Location.load(info, info.services.plant, input.code)
    return LocationDefined(entry=RecordedEntry.of(entry), location=required(found))
