"""Running process records: opening, feeding, yielding and closing them, or recording a run that is over."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.production import process_records, yields
from plants.commands.production import runs as recording
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production.refusals import BATCH_OF_OTHER_PROCESS, PROCESS_CLOSED, PROCESS_UNKNOWN
from plants.rules.values.refusals import LINES_INVALID, Refusal
from schema.engine.context import Info
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import AliasInput, AttributeInput, Input, MutationInput, StockLineInput, attributes
from schema.engine.nodes import read_id
from schema.engine.quantities import QuantityInput
from schema.engine.refusals import AMOUNTS, TAKING, mutation
from schema.engine.scalars import BatchCode
from schema.inventory.batches import Batch, batches_stated
from schema.production.process_records import PROCESS_ID, ProcessRecord, process_written


@strawberry.enum(description="What sort of process people open, feed, yield and close.")
class RunKind(StrEnum):
    """What sort of process people open, feed, yield and close."""

    PRODUCTION = "PRODUCTION"
    REPACK = "REPACK"
    REWORK = "REWORK"
    RELABEL = "RELABEL"


@strawberry.enum(description="What part an output plays.")
class OutputUse(StrEnum):
    """What part an output plays."""

    PRODUCED = "PRODUCED"
    BY_PRODUCT = "BY_PRODUCT"
    CO_PRODUCT = "CO_PRODUCT"
    SAMPLE = "SAMPLE"


@strawberry.input(description="What is to be run.")
class OpenProcessInput(MutationInput):
    """What is to be run."""

    kind: RunKind = described("What sort of process it is.", default=RunKind.PRODUCTION)
    segment: str | None = described("The process segment.", default=None)
    job_order: str | None = described("The job order.", default=None)
    equipment: str | None = described("The code of what it runs on.", default=None)

    @property
    def order(self) -> process_records.ProcessOrder:
        """The order as commands take it."""
        return process_records.ProcessOrder(self.kind.value, self.segment, self.job_order, self.equipment)


@strawberry.input(description="What goes into an open process record.")
class FeedProcessInput(MutationInput):
    """What goes into an open process record."""

    process: strawberry.ID = described(PROCESS_ID)
    lines: list[StockLineInput] = described("What goes in, from which locations.")


@strawberry.input(description="A new batch that came out of a process record.")
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


@strawberry.input(description="More of a batch that the same process record made before.")
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


@strawberry.input(description="What comes out of an open process record.")
class YieldProcessInput(MutationInput):
    """What comes out of an open process record."""

    process: strawberry.ID = described(PROCESS_ID)
    outputs: list[OutputInput] = described("New batches.", default_factory=list)
    additions: list[AdditionInput] = described("More of batches it made before.", default_factory=list)
    returns: list[StockLineInput] = described("Inputs that were not used up, and where they go.", default_factory=list)


@strawberry.input(description="The process record that is done.")
class CloseProcessInput(MutationInput):
    """The process record that is done."""

    process: strawberry.ID = described(PROCESS_ID)


@strawberry.input(description="A whole run that is over: what was run, what went in, and what came out.")
class RecordProductionInput(OpenProcessInput):
    """A whole run that is over."""

    inputs: list[StockLineInput] = described("What went in, from which locations.", default_factory=list)
    outputs: list[OutputInput] = described("What came out.", default_factory=list)
    opened_at: datetime | None = described("When it began; when it ended unless given.", default=None)


@strawberry.type(description="A process record was opened.")
class ProcessOpened:
    """A process record was opened."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")


@strawberry.type(description="Goods went into a process record.")
class ProcessFed:
    """Goods went into a process record."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")


@strawberry.type(description="Goods came out of a process record.")
class ProcessYielded:
    """Goods came out of a process record."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")
    batches: list[Batch] = described("The new batches, in the order of the outputs.")


@strawberry.type(description="A process record was closed with its mass balance.")
class ProcessClosed:
    """A process record was closed with its mass balance."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")


@strawberry.type(description="A run that is over was recorded as one closed process record.")
class ProductionRecorded:
    """A run that is over was recorded as one closed process record."""

    entry: RecordedEntry = described(ENTRY)
    process: ProcessRecord = described("The process record.")
    batches: list[Batch] = described("The new batches, in the order of the outputs.")


def _number(id: str) -> int:
    numbers = read_id("process", id)
    if numbers is None:
        raise Refusal(PROCESS_UNKNOWN, process=id[:40])
    return numbers[0]


@mutation(ProcessOpened, NOT_DEFINED, description="Open a process record.")
async def open_process(info: Info, input: Input[OpenProcessInput]) -> Any:
    entry = await info.context.write(Permission.PROCESS_RUN, process_records.open_process, input.order, input)
    process = await process_written(info, entry.payload["process"]["id"])
    return ProcessOpened(entry=RecordedEntry.of(entry), process=process)


@mutation(
    ProcessFed, *AMOUNTS, *TAKING, PROCESS_CLOSED, PROCESS_UNKNOWN,
    description="Put goods from stock into an open process record; each must be usable and there.",
)  # fmt: skip
async def feed_process(info: Info, input: Input[FeedProcessInput]) -> Any:
    number = _number(input.process)
    order = process_records.Feed(number, tuple(line.line for line in input.lines))
    entry = await info.context.write(Permission.PROCESS_RUN, process_records.feed_process, order, input)
    return ProcessFed(entry=RecordedEntry.of(entry), process=await process_written(info, number))


@mutation(
    ProcessYielded, *AMOUNTS, ALIAS_TAKEN, BATCH_CODE_INVALID, BATCH_OF_OTHER_PROCESS, BATCH_UNKNOWN,
    LINES_INVALID, NOT_DEFINED, PROCESS_CLOSED, PROCESS_UNKNOWN, STOCK_SHORT,
    description="Put what came out of an open process record on stock: new batches, more of earlier ones, returns.",
)  # fmt: skip
async def yield_process(info: Info, input: Input[YieldProcessInput]) -> Any:
    number = _number(input.process)
    order = yields.Yield(
        number,
        tuple(one.output for one in input.outputs),
        tuple(one.addition for one in input.additions),
        tuple(one.line for one in input.returns),
    )
    entry = await info.context.write(Permission.PROCESS_RUN, yields.yield_process, order, input)
    process, made = await process_written(info, number), await batches_stated(info, entry)
    return ProcessYielded(entry=RecordedEntry.of(entry), process=process, batches=made)


@mutation(
    ProcessClosed, PROCESS_CLOSED, PROCESS_UNKNOWN,
    description="Close a process record with its mass balance; from then on it refuses everything.",
)  # fmt: skip
async def close_process(info: Info, input: Input[CloseProcessInput]) -> Any:
    number = _number(input.process)
    order = process_records.Closing(number)
    entry = await info.context.write(Permission.PROCESS_RUN, process_records.close_process, order, input)
    return ProcessClosed(entry=RecordedEntry.of(entry), process=await process_written(info, number))


@mutation(
    ProductionRecorded, *AMOUNTS, *TAKING, ALIAS_TAKEN, BATCH_CODE_INVALID, NOT_DEFINED,
    description="Record a run that is over, in one order, with the same checks as step by step.",
)  # fmt: skip
async def record_production(info: Info, input: Input[RecordProductionInput]) -> Any:
    order = recording.ProductionRun(
        input.order,
        tuple(one.line for one in input.inputs),
        tuple(one.output for one in input.outputs),
        input.opened_at,
    )
    entry = await info.context.write(Permission.PROCESS_RUN, recording.record_production, order, input)
    process = await process_written(info, entry.payload["process"]["id"])
    made = await batches_stated(info, entry)
    return ProductionRecorded(entry=RecordedEntry.of(entry), process=process, batches=made)
