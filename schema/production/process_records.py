"""Process records: their type and queries, and opening, feeding and closing them."""

import json
from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.production import process_records as commands
from plants.rules.ledger.events import LINES_MAX, Subject
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.production import process_records as rules
from plants.rules.production.process_records import ProcessKind, ProcessState, RunKind
from plants.rules.production.refusals import PROCESS_CLOSED, PROCESS_UNKNOWN
from plants.rules.values.instants import from_micros
from plants.store.audit.history import corrections_of_records
from plants.store.production.process_listings import (
    NEWEST_FIRST,
    process_key,
    processes_count,
    processes_page,
)
from plants.store.production.process_records import (
    ProcessRow,
    inputs_count,
    inputs_page,
    line_totals,
    outputs_count,
    outputs_page,
    processes_by_id,
)
from plants.store.sql.orders import Order
from schema.audit.history import EntryCorrection, correction_of_record, history_field
from schema.engine.abilities import Ability, ability
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, named, read_id
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.quantities import Quantity, quantities
from schema.engine.refusals import AMOUNTS, TAKING
from schema.engine.scalars import Code, instant
from schema.group.plants import Plant, owner
from schema.inventory.stock_lines import StockLineInput
from schema.materials.equipment import Equipment
from schema.production.mass_balance import MassBalance
from schema.production.process_lines import ProcessLine, line_key
from schema.production.process_lists import ProcessRecordFilter, ProcessRecordOrder

PROCESS_ID = "Id of the process record."

enum_type(RunKind)


@object_type
class ProcessRecord(Node):
    """A process record, such as a production, split or merge."""

    kind: ProcessKind = described("Kind of process.")
    state: ProcessState = described("State of the record.")
    job_order: str | None = described("Number of the job order that it was run on. Null without one.")
    segment: str | None = described("Process segment, such as MIXING (ISA-95). Null without one.")
    opened_at: datetime = described("Time of the start.")
    closed_at: datetime | None = described("Time of the end. Null while it is open.")
    row: strawberry.Private[ProcessRow]

    @field("Plant of the record.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Equipment that it ran on. Null if none was given.")
    async def equipment(self, info: Info) -> Equipment | None:
        return await Equipment.load(info, self.row.plant_id, self.row.equipment)

    @field("Inputs minus outputs minus returns at closing, one for each unit. Empty while it is open.")
    def loss(self, info: Info) -> list[Quantity]:
        amounts: dict[str, str] = json.loads(self.row.loss)
        info.context.spend(len(amounts))
        return quantities(amounts)

    @field("Inputs, in the order fed.")
    async def inputs(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[ProcessLine]:
        return await info.children(
            Permission.BATCH_READ, inputs_page, inputs_count, self.row.id, (first, after),
            key=line_key, make=ProcessLine.of_input,
        )  # fmt: skip

    @field("Outputs, in the order yielded.")
    async def outputs(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[ProcessLine]:
        return await info.children(
            Permission.BATCH_READ, outputs_page, outputs_count, self.row.id, (first, after),
            key=line_key, make=ProcessLine.of_output,
        )  # fmt: skip

    @field("Mass balance of the inputs and outputs up to now.")
    async def balance(self, info: Info) -> MassBalance:
        totals = await info.load(Permission.BATCH_READ, line_totals, self.row.id) or []
        info.context.spend(len(totals))
        return MassBalance.of(rules.mass_balance(totals))

    @field("Your ability to feed goods into it now.")
    async def viewer_can_add_inputs(self, info: Info) -> Ability:
        return await ability(info, Permission.PROCESS_RUN, self.row.plant_id, self._check_open)

    @field("Your ability to yield goods from it now.")
    async def viewer_can_add_outputs(self, info: Info) -> Ability:
        return await ability(info, Permission.PROCESS_RUN, self.row.plant_id, self._check_open)

    @field("Your ability to close it now.")
    async def viewer_can_close(self, info: Info) -> Ability:
        async def check() -> None:
            await self._check_open()
            commands.check_order(self.opened_at, info.services.clock.now())

        return await ability(info, Permission.PROCESS_RUN, self.row.plant_id, check)

    async def _check_open(self) -> None:
        rules.check_open(self.row.id, self.row.kind, self.row.state)

    @field("True if the entry that recorded it was corrected. The process did not take place so. It is closed.")
    async def corrected(self, info: Info) -> bool:
        return await info.load(Permission.BATCH_READ, corrections_of_records, self._place) is not None

    @field("Correction of the entry that recorded it. Null without one.", permission=Permission.LEDGER_READ)
    async def correction(self, info: Info) -> EntryCorrection | None:
        return await correction_of_record(info, self._place)

    history = history_field("Ledger entries about it.", lambda one: (Subject.PROCESS_RECORD, (one.row.id,)))

    @property
    def _place(self) -> tuple[int, int]:
        return self.row.plant_id, self.row.id

    @classmethod
    def of(cls, row: ProcessRow) -> Self:
        return cls(
            id=node_id("process", row.id),
            kind=ProcessKind(row.kind),
            state=ProcessState(row.state),
            job_order=row.job_order,
            segment=row.segment,
            opened_at=from_micros(row.opened_us),
            closed_at=instant(row.closed_us),
            row=row,
        )


async def process_numbered(info: Info, number: int) -> ProcessRecord | None:
    """Return the process record with this number."""
    row = await info.load(Permission.BATCH_READ, processes_by_id, number)
    return None if row is None else ProcessRecord.of(row)


async def process_written(info: Info, number: int) -> ProcessRecord:
    """Return a process record that was just written."""
    return required(await process_numbered(info, number))


@findable("process", int)
async def _find(info: Info, numbers: tuple[int, ...]) -> ProcessRecord | None:
    return await process_numbered(info, numbers[0])


@query(
    "Returns the process record with this id. Null if there is none that you may see.", permission=Permission.BATCH_READ
)
async def process_record(info: Info, id: Annotated[strawberry.ID, argument(PROCESS_ID)]) -> ProcessRecord | None:
    numbers = read_id("process", id)
    return None if numbers is None else await process_numbered(info, numbers[0])


@query(
    "Lists process records. Transfers and shipments have lists of their own.",
    permission=Permission.BATCH_READ,
)
async def process_records(
    info: Info,
    filter: Annotated[ProcessRecordFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        ProcessRecordOrder | None, argument("Order. Without it, plant by plant, the newest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ProcessRecord]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        processes_page, processes_count, (filter or ProcessRecordFilter()).criteria(order), (first, after),
        key=lambda row: process_key(row, order), make=ProcessRecord.of,
    )  # fmt: skip


@input_type
class OpenProcessInput(MutationInput):
    """The process to open."""

    kind: RunKind = described("Kind of process to open.", default=RunKind.PRODUCTION)
    segment: str | None = described("Process segment, such as MIXING (ISA-95).", default=None)
    job_order: str | None = described("Number of the job order.", default=None)
    equipment_code: Code | None = described("Code of the equipment.", default=None)

    @property
    def order(self) -> commands.ProcessOrder:
        return commands.ProcessOrder(self.kind, self.segment, self.job_order, self.equipment_code)


@input_type
class AddProcessInputsInput(MutationInput):
    """Goods to feed into an open process record."""

    process_id: strawberry.ID = described(PROCESS_ID)
    lines: list[StockLineInput] = described(f"Goods to feed, with their locations. At most {LINES_MAX}.")


@input_type
class CloseProcessInput(MutationInput):
    """The process record to close."""

    process_id: strawberry.ID = described(PROCESS_ID)


@object_type
class ProcessOpened(Recorded):
    """A process record was opened."""

    process: ProcessRecord = described("Process record as it is now.")


@object_type
class ProcessInputsAdded(Recorded):
    """Goods were fed into a process record."""

    process: ProcessRecord = described("Process record as it is now.")


@object_type
class ProcessClosed(Recorded):
    """A process record was closed with its mass balance."""

    process: ProcessRecord = described("Process record as it is now.")


def process_named(id: str) -> int:
    """Return the number of the process record in the field `processId`, or raise Refusal PROCESS_UNKNOWN."""
    return int(named("processId", "process", id, PROCESS_UNKNOWN)[0])


@mutation(
    "Open a process record. Then add inputs and outputs, and close it. "
    'Example: `{ kind: PRODUCTION, jobOrder: "JO-17", equipmentCode: "MIX1" }`.',
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=commands.open_process,
    refusals=(NOT_DEFINED,),
)
async def open_process(info: Info, input: Input[OpenProcessInput]) -> ProcessOpened:
    entry = await info.write(commands.open_process, input.order, input)
    process = await process_written(info, entry.payload["process"]["id"])
    return ProcessOpened(entry=RecordedEntry.of(entry), process=process)


@mutation(
    "Feed goods from stock into an open process record. The goods must be usable and on hand. "
    'Example: `{ processId: "cHJvY2Vzcy83", lines: [{ batchCode: "SH1-260314-0001P", quantity: { amount: '
    '"5", unit: "KGM" }, locationCode: "A1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=commands.feed_process,
    refusals=(
        *AMOUNTS,
        *TAKING,
        PROCESS_CLOSED,
        PROCESS_UNKNOWN,
    ),
)
async def add_process_inputs(info: Info, input: Input[AddProcessInputsInput]) -> ProcessInputsAdded:
    number = process_named(input.process_id)
    order = commands.Feed(number, tuple(line.line for line in input.lines))
    entry = await info.write(commands.feed_process, order, input)
    return ProcessInputsAdded(entry=RecordedEntry.of(entry), process=await process_written(info, number))


@mutation(
    "Close a process record with its mass balance. It accepts nothing afterwards. "
    'Example: `{ processId: "cHJvY2Vzcy83" }`.',
    roles=PLANT_ONLY,
    permission=Permission.PROCESS_RUN,
    command=commands.close_process,
    refusals=(
        PROCESS_CLOSED,
        PROCESS_UNKNOWN,
    ),
)
async def close_process(info: Info, input: Input[CloseProcessInput]) -> ProcessClosed:
    number = process_named(input.process_id)
    order = commands.Closing(number)
    entry = await info.write(commands.close_process, order, input)
    return ProcessClosed(entry=RecordedEntry.of(entry), process=await process_written(info, number))
