"""Yields: outputs of an open process record."""

from collections.abc import Iterable
from datetime import date, datetime

import strawberry

from auth.permissions import Permission
from plants.commands.production import yields
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.ledger.events import LINES_MAX, Entry
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.process_records import OutputUse
from plants.rules.production.refusals import BATCH_OF_OTHER_PROCESS, PROCESS_CLOSED, PROCESS_UNKNOWN
from plants.rules.values.refusals import LINES_INVALID, Refusals
from schema.engine.context import Info
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS
from schema.engine.scalars import BatchCode, Code
from schema.inventory.aliases import BatchAliasInput
from schema.inventory.attributes import BatchAttributeInput, attributes
from schema.inventory.batches import Batch, batches_stated
from schema.inventory.stock_lines import StockLineInput
from schema.production.process_records import PROCESS_ID, ProcessRecord, process_named, process_written

enum_type(OutputUse)


@input_type
class OutputInput:
    """A new batch that a process record yields."""

    material_code: Code = described("Code of the material.")
    quantity: QuantityInput = described("Yielded quantity.")
    location_code: Code = described("Code of the location for the goods.")
    use: OutputUse = described("Material use.", default=OutputUse.PRODUCED)
    produced_at: datetime | None = described("Time of production. The default is the time of the yield.", default=None)
    expires_on: date | None = described(
        "Last day of use. The default follows from the material's shelf life.", default=None
    )
    grade: str | None = described("Quality grade, such as A.", default=None)
    attributes: list[BatchAttributeInput] = described("Properties of the batch.", default_factory=list)
    aliases: list[BatchAliasInput] = described("Aliases of the batch.", default_factory=list)

    @property
    def output(self) -> yields.Output:
        return yields.Output(
            material=self.material_code,
            amount=self.quantity.amount,
            unit=self.quantity.unit,
            location=self.location_code,
            use=self.use,
            produced_at=self.produced_at,
            expires_on=self.expires_on,
            grade=self.grade,
            attributes=attributes(self.attributes),
            aliases=tuple(alias.order for alias in self.aliases),
        )


def outputs_of(inputs: Iterable[OutputInput]) -> tuple[yields.Output, ...]:
    """Return the outputs of the field `outputs`, or raise their Refusals."""
    made: list[yields.Output] = []
    with Refusals() as refusals:
        for index, one in enumerate(inputs):
            with refusals.at("outputs", index):
                made.append(one.output)
    return tuple(made)


@input_type
class AdditionInput:
    """A further quantity of a batch that the same process record made."""

    batch_code: BatchCode = described("Code of the batch.")
    quantity: QuantityInput = described("Further quantity.")
    location_code: Code = described("Code of the location for the goods.")
    use: OutputUse = described("Material use.", default=OutputUse.PRODUCED)

    @property
    def addition(self) -> yields.Addition:
        return yields.Addition(self.batch_code, self.quantity.amount, self.quantity.unit, self.location_code, self.use)


@input_type
class AddProcessOutputsInput(MutationInput):
    """Outputs of an open process record."""

    process_id: strawberry.ID = described(PROCESS_ID)
    outputs: list[OutputInput] = described(f"New batches. At most {LINES_MAX} lines in all.", default_factory=list)
    additions: list[AdditionInput] = described(
        f"Additions to batches that the process record made. At most {LINES_MAX} lines in all.", default_factory=list
    )
    returns: list[StockLineInput] = described(
        f"Unused inputs, with the locations they return to. At most {LINES_MAX} lines in all.", default_factory=list
    )


@object_type
class ProcessOutputsAdded(Recorded):
    """Goods were yielded by a process record."""

    process: ProcessRecord = described("Process record as it is now.")
    written: strawberry.Private[Entry]

    @field(f"New batches, in the order of the outputs. At most {LINES_MAX}.")
    async def batches(self, info: Info) -> list[Batch]:
        return await batches_stated(info, self.written)


@mutation(
    "Yield outputs of an open process record to stock: new batches, additions to its batches, and returns. "
    'Example: `{ processId: "cHJvY2Vzcy83", outputs: [{ materialCode: "FP-YOG", quantity: { amount: "5", '
    'unit: "KGM" }, locationCode: "B1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=yields.yield_process,
    refusals=(
        *AMOUNTS,
        ALIAS_TAKEN,
        BATCH_CODE_INVALID,
        BATCH_OF_OTHER_PROCESS,
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOT_DEFINED,
        PROCESS_CLOSED,
        PROCESS_UNKNOWN,
        STOCK_SHORT,
    ),
)
async def add_process_outputs(info: Info, input: Input[AddProcessOutputsInput]) -> ProcessOutputsAdded:
    number = process_named(input.process_id)
    order = yields.Yield(
        number,
        outputs_of(input.outputs),
        tuple(one.addition for one in input.additions),
        tuple(one.line for one in input.returns),
    )
    entry = await info.write(yields.yield_process, order, input)
    return ProcessOutputsAdded(
        entry=RecordedEntry.of(entry), process=await process_written(info, number), written=entry
    )
