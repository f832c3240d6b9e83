"""Suppliers: their type and queries, and the mutation that saves one."""

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
class Supplier(PlantDefinition):
    """A supplier: a party that goods are received from."""

    kind: ClassVar[MasterKind] = MasterKind.SUPPLIER


register_finder(Supplier)


@input_type
class SupplierFilter(DefinitionFilter):
    """Filters suppliers. A field that is not given does not filter."""


@query("Returns the supplier with this code. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def supplier(info: Info, code: OfCode, plant_code: AtPlant = None) -> Supplier | None:
    return await Supplier.coded(info, code, plant_code)


@query(
    "Lists suppliers. A code that several plants define is listed once for each of them.",
    permission=Permission.BATCH_READ,
)
async def suppliers(
    info: Info,
    filter: Annotated[SupplierFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Supplier]:
    return await Supplier.page(info, filter, order_by, (first, after))


@input_type
class SupplierRowInput(NamedRowInput):
    """A supplier to save. An absent field stays as it is."""

    def change(self) -> changes.MasterChange:
        return self.named(MasterKind.SUPPLIER)


@input_type
class SaveSupplierInput(MutationInput, SupplierRowInput):
    """A supplier to save. An absent field stays as it is."""


@object_type
class SupplierSaved(Recorded):
    """A supplier was defined or changed."""

    supplier: Supplier = described("Supplier as it is now.")


@mutation(
    'Define a supplier, or change the fields given of one. Example: `{ code: "S1", name: "Green farm" }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_supplier(info: Info, input: Input[SaveSupplierInput]) -> SupplierSaved:
    entry = await info.write(definitions.define_master, input.change(), input)
    saved = await Supplier.load(info, info.services.plant, input.code)
    return SupplierSaved(entry=RecordedEntry.of(entry), supplier=required(saved))
