"""Customers: their type and queries, and the mutation that saves one."""

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
class Customer(PlantDefinition):
    """A customer: a party that goods are shipped to."""

    kind: ClassVar[MasterKind] = MasterKind.CUSTOMER


register_finder(Customer)


@input_type
class CustomerFilter(DefinitionFilter):
    """Filters customers. A field that is not given does not filter."""


@query("Returns the customer with this code. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def customer(info: Info, code: OfCode, plant_code: AtPlant = None) -> Customer | None:
    return await Customer.coded(info, code, plant_code)


@query(
    "Lists customers. A code that several plants define is listed once for each of them.",
    permission=Permission.BATCH_READ,
)
async def customers(
    info: Info,
    filter: Annotated[CustomerFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Customer]:
    return await Customer.page(info, filter, order_by, (first, after))


@input_type
class CustomerRowInput(NamedRowInput):
    """A customer to save. An absent field stays as it is."""

    def change(self) -> changes.MasterChange:
        return self.named(MasterKind.CUSTOMER)


@input_type
class SaveCustomerInput(MutationInput, CustomerRowInput):
    """A customer to save. An absent field stays as it is."""


@object_type
class CustomerSaved(Recorded):
    """A customer was defined or changed."""

    customer: Customer = described("Customer as it is now.")


@mutation(
    'Define a customer, or change the fields given of one. Example: `{ code: "C1", name: "Corner shop" }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_master,
    order=changes.MasterChange,
    refusals=SAVING,
)
async def save_customer(info: Info, input: Input[SaveCustomerInput]) -> CustomerSaved:
    entry = await info.write(definitions.define_master, input.change(), input)
    saved = await Customer.load(info, info.services.plant, input.code)
    return CustomerSaved(entry=RecordedEntry.of(entry), customer=required(saved))
