"""Production runs that are recorded after their end."""

from datetime import datetime

import strawberry

from auth.permissions import Permission
from plants.commands.production import runs
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.inventory.refusals import ALIAS_TAKEN
from plants.rules.ledger.events import LINES_MAX, Entry
from plants.rules.materials.refusals import NOT_DEFINED
from schema.engine.context import Info
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, field, input_type, object_type
from schema.engine.inputs import Input
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.refusals import AMOUNTS, TAKING
from schema.inventory.batches import Batch, batches_stated
from schema.inventory.stock_lines import StockLineInput
from schema.production.process_records import OpenProcessInput, ProcessRecord, process_written
from schema.production.yields import OutputInput, outputs_of


@input_type
class RecordProductionInput(OpenProcessInput):
    """A complete run: process, inputs and outputs."""

    inputs: list[StockLineInput] = described(
        f"Inputs, with their locations. At most {LINES_MAX}.", default_factory=list
    )
    outputs: list[OutputInput] = described(f"Outputs. At most {LINES_MAX} lines in all.", default_factory=list)
    opened_at: datetime | None = described(
        "Time of the start. The default is the time of the event, which is the end.", default=None
    )


@object_type
class ProductionRecorded(Recorded):
    """A run was recorded as one closed process record."""

    process: ProcessRecord = described("The new process record, which is closed.")
    written: strawberry.Private[Entry]

    @field(f"New batches, in the order of the outputs. At most {LINES_MAX}.")
    async def batches(self, info: Info) -> list[Batch]:
        return await batches_stated(info, self.written)


@mutation(
    "Record a complete run in one request, with the same checks as step by step. "
    'Example: `{ kind: PRODUCTION, inputs: [{ batchCode: "SH1-260314-0001P", quantity: { amount: "5", unit: '
    '"KGM" }, locationCode: "A1" }], outputs: [{ materialCode: "FP-YOG", quantity: { amount: "5", unit: '
    '"KGM" }, locationCode: "B1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=runs.record_production,
    refusals=(
        *AMOUNTS,
        *TAKING,
        ALIAS_TAKEN,
        BATCH_CODE_INVALID,
        NOT_DEFINED,
    ),
)
async def record_production(info: Info, input: Input[RecordProductionInput]) -> ProductionRecorded:
    order = runs.ProductionRun(
        input.order,
        tuple(one.line for one in input.inputs),
        outputs_of(input.outputs),
        input.opened_at,
    )
    entry = await info.write(runs.record_production, order, input)
    process = await process_written(info, entry.payload["process"]["id"])
    return ProductionRecorded(entry=RecordedEntry.of(entry), process=process, written=entry)
