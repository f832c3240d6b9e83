"""Locations: their type and queries, and the mutation that saves one."""

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
class Location(PlantDefinition):
    """A location in a plant where stock lies (ISA-95 storage location)."""

    kind: ClassVar[MasterKind] = MasterKind.LOCATION


register_finder(Location)


@input_type
class LocationFilter(DefinitionFilter):
    """Filters locations. A field that is not given does not filter."""


@query("Returns the location with this code. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def location(info: Info, code: OfCode, plant_code: AtPlant = None) -> Location | None:
    return await Location.coded(info, code, plant_code)


@query(
    "Lists locations. A code that several plants define is listed once for each of them.",
    permission=Permission.BATCH_READ,
)
async def locations(
    info: Info,
    filter: Annotated[LocationFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Location]:
    return await Location.page(info, filter, order_by, (first, after))


@input_type
class LocationRowInput(NamedRowInput):
    """A location to save. An absent field stays as it is."""

    def change(self) -> changes.MasterChange:
        return self.named(MasterKind.LOCATION)


@input_type
class SaveLocationInput(MutationInput, LocationRowInput):
    """A location to save. An absent field stays as it is."""


@object_type
class LocationSaved(Recorded):
    """A location was defined or changed."""

    location: Location = described("Location as it is now.")


@mutation(
    'Define a location, or change the fields given of one. Example: `{ code: "A1", name: "Cold store" }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_location(info: Info, input: Input[SaveLocationInput]) -> LocationSaved:
    entry = await info.write(definitions.define_master, input.change(), input)
    saved = await Location.load(info, info.services.plant, input.code)
    return LocationSaved(entry=RecordedEntry.of(entry), location=required(saved))
