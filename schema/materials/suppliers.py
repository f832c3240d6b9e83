"""Suppliers: their type and queries, and the mutation that defines one."""

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
class Supplier(PlantDefinition):
    """A supplier: a party that goods are received from."""

    kind: ClassVar[MasterKind] = MasterKind.SUPPLIER


@query(
    "Returns the supplier with this code, or null.",
    permission=Permission.BATCH_READ,
)
async def supplier(info: Info, code: Code, plant_code: AtPlant = None) -> Supplier | None:
    return await Supplier.coded(info, code, plant_code)


@query("Lists suppliers by code and plant.", permission=Permission.BATCH_READ)
async def suppliers(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Supplier]:
    return await Supplier.page(info, filter, (first, after))


@input_type
class DefineSupplierInput(MutationInput):
    """A supplier. A later definition replaces the name."""

    code: str = described(CODE)
    name: str = described(NAME)


@object_type
class SupplierDefined(Recorded):
    """A supplier was defined."""

    supplier: Supplier = described("Supplier with its current definition.")


@mutation(
    "Define a supplier, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_supplier(info: Info, input: Input[DefineSupplierInput]) -> SupplierDefined:
    order = definitions.MasterDefinition(Supplier.kind, input.code, input.name)
    entry = await info.write(definitions.define_master, order, input)
    found = await Supplier.load(info, info.services.plant, input.code)
    return SupplierDefined(entry=RecordedEntry.of(entry), supplier=required(found))
