"""Yielding: the outputs of a process record."""

from datetime import date, datetime
from enum import StrEnum

import strawberry

from auth.permissions import Permission
from plants.commands.production import yields
from plants.rules.values.refusals import RefusalCode as C
from schema.engine.context import Info
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described, enum_type, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode
from schema.inventory.aliases import AliasInput
from schema.inventory.attributes import AttributeInput, attributes
from schema.inventory.batches import Batch, batches_stated
from schema.inventory.stock import StockLineInput
from schema.production.process_records import PROCESS_ID, ProcessRecord, process_named, process_written


@enum_type
class OutputUse(StrEnum):
    """What part an output plays."""

    PRODUCED = "PRODUCED"
    BY_PRODUCT = "BY_PRODUCT"
    CO_PRODUCT = "CO_PRODUCT"
    SAMPLE = "SAMPLE"


@input_type
class OutputInput:
    """A new batch that came out of a process record."""

    material: str = described("The material's code.")
    quantity: QuantityInput = described("How much came out.")
    location: str = described("The code of the location where it is put.")
    use: OutputUse = described("What part it plays.", default=OutputUse.PRODUCED)
    produced_at: datetime | None = described("When it was produced; when it came out unless given.", default=None)
    expires_on: date | None = described("The last day of use; by the material's shelf life unless given.", default=None)
    grade: str | None = described("Its grade.", default=None)
    attributes: list[AttributeInput] = described("What else is said of it.", default_factory=list)
    aliases: list[AliasInput] = described("Other names that shall find it.", default_factory=list)

    @property
    def output(self) -> yields.Output:
        """The output as commands take it."""
        return yields.Output(
            material=self.material,
            amount=self.quantity.amount,
            unit=self.quantity.unit,
            location=self.location,
            use=self.use.value,
            produced_at=self.produced_at,
            expires_on=self.expires_on,
            grade=self.grade,
            attributes=attributes(self.attributes),
            aliases=tuple(alias.order for alias in self.aliases),
        )


@input_type
class AdditionInput:
    """More of a batch that the same process record made before."""

    batch: BatchCode = described("The batch's code.")
    quantity: QuantityInput = described("How much more came out.")
    location: str = described("The code of the location where it is put.")
    use: OutputUse = described("What part it plays.", default=OutputUse.PRODUCED)

    @property
    def addition(self) -> yields.Addition:
        """The addition as commands take it."""
        return yields.Addition(self.batch, self.quantity.amount, self.quantity.unit, self.location, self.use.value)


@input_type
class YieldProcessInput(MutationInput):
    """What comes out of an open process record."""

    process: strawberry.ID = described(PROCESS_ID)
    outputs: list[OutputInput] = described("New batches.", default_factory=list)
    additions: list[AdditionInput] = described("More of batches it made before.", default_factory=list)
    returns: list[StockLineInput] = described("Inputs that were not used up, and where they go.", default_factory=list)


@object_type
class ProcessYielded:
    """Goods came out of a process record."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")
    batches: list[Batch] = described("The new batches, in the order of the outputs.")


@mutation(
    "Put what came out of an open process record on stock: new batches, more of earlier ones, returns.",
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=yields.yield_process,
    refusals=(
        *AMOUNTS,
        C.ALIAS_TAKEN,
        C.BATCH_CODE_INVALID,
        C.BATCH_OF_OTHER_PROCESS,
        C.BATCH_UNKNOWN,
        C.LINES_INVALID,
        C.NOT_DEFINED,
        C.PROCESS_CLOSED,
        C.PROCESS_UNKNOWN,
        C.STOCK_SHORT,
    ),
)
async def yield_process(info: Info, input: Input[YieldProcessInput]) -> ProcessYielded:
    number = process_named(input.process)
    order = yields.Yield(
        number,
        tuple(one.output for one in input.outputs),
        tuple(one.addition for one in input.additions),
        tuple(one.line for one in input.returns),
    )
    entry = await info.write(yields.yield_process, order, input)
    process, made = await process_written(info, number), await batches_stated(info, entry)
    return ProcessYielded(entry=RecordedEntry.of(entry), process=process, batches=made)
