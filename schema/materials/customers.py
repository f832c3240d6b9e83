"""Customers: their type and queries, and the mutation that defines one."""

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
class Customer(PlantDefinition):
    """A customer: a party that goods are shipped to."""

    kind: ClassVar[MasterKind] = MasterKind.CUSTOMER


@query(
    "Returns the customer with this code, or null.",
    permission=Permission.BATCH_READ,
)
async def customer(info: Info, code: Code, plant_code: AtPlant = None) -> Customer | None:
    return await Customer.coded(info, code, plant_code)


@query("Lists customers by code and plant.", permission=Permission.BATCH_READ)
async def customers(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Customer]:
    return await Customer.page(info, filter, (first, after))


@input_type
class DefineCustomerInput(MutationInput):
    """A customer. A later definition replaces the name."""

    code: str = described(CODE)
    name: str = described(NAME)


@object_type
class CustomerDefined(Recorded):
    """A customer was defined."""

    customer: Customer = described("Customer with its current definition.")


@mutation(
    "Define a customer, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_customer(info: Info, input: Input[DefineCustomerInput]) -> CustomerDefined:
    order = definitions.MasterDefinition(Customer.kind, input.code, input.name)
    entry = await info.write(definitions.define_master, order, input)
    found = await Customer.load(info, info.services.plant, input.code)
    return CustomerDefined(entry=RecordedEntry.of(entry), customer=required(found))
