"""Jobs: saves of many rows, with their progress and the result of each row."""

from asyncio import gather
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.rules.materials.saves import OnRefusal, RowOutcome, SaveState
from plants.store.materials.saves import (
    Save,
    SaveRow,
    SaveRowsFilter,
    read_refusal,
    save_rows,
    save_rows_by_key,
    save_rows_count,
    saves_by_id,
)
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import Filter, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import FINDERS, Node, findable
from schema.engine.refusals import RefusalAnswer, refused
from schema.engine.scalars import Code
from schema.group.plants import Plant, owner, plant_coded
from schema.people.actors import Actor

if TYPE_CHECKING:
    from schema.directives.directives import HubDirective

enum_type(OnRefusal)
enum_type(SaveState, name="JobState")
enum_type(RowOutcome)


@object_type
class JobProgress:
    """Numbers of rows of a job. `total` is the sum of all others but `done`, once the job has ended."""

    total: int = described("Rows in all.")
    done: int = described("Rows that have a result.")
    recorded: int = described("Rows that were saved.")
    unchanged: int = described("Rows that changed nothing.")
    refused: int = described("Rows that were refused.")
    rejected: int = described("Rows in order that were not saved, because another row was refused.")
    not_run: int = described("Rows that were not run, because the job was stopped.")


@object_type
class JobRow(Node):
    """A row of a job, and its result."""

    index: int = described("Position in the request, from 0.")
    code: Code = described("Code in the row, at most 40 characters of it.")
    outcome: RowOutcome | None = described("Outcome. Null until the row was run.")
    row: strawberry.Private[SaveRow]
    kind: strawberry.Private[str]

    @field("Thing that the row defined or changed, as it is now. Null unless it was saved, and at the hub.")
    async def saved(self, info: Info) -> Node | None:
        if self.row.entry_idx is None:
            return None
        found: Node | None = await FINDERS[self.kind.lower()][1](info, (self.row.plant_id, self.row.code))
        return found

    @field(
        "Ledger entry of the row, at the hub its first directive. Null unless it was saved, "
        "and without the right to read the ledger."
    )
    async def entry(self, info: Info) -> LedgerEntry | None:
        if self.row.entry_idx is not None:
            return await entry_of(info, (self.row.plant_id, self.row.entry_idx))
        (plant, index), *_ = self.row.places or ((0, -1),)
        return await entry_of(info, (-plant, index)) if plant else None

    @field("Directives of the row, one for each addressed plant. Empty at a plant, and unless it was saved.")
    async def directives(
        self, info: Info
    ) -> list[Annotated["HubDirective", strawberry.lazy("schema.directives.directives")]]:
        places = self.row.places
        info.context.spend(len(places))
        found: list[Any] = await gather(*(FINDERS["directive"][1](info, place) for place in places))
        return [one for one in found if one is not None]

    @field("Refusal of the row. Its path begins with `rows` and the index. A row that was not run has that of the job.")
    def refusal(self, info: Info) -> RefusalAnswer | None:
        return _refusal(info, self.row.refusal)

    @classmethod
    def of(cls, row: SaveRow, kind: str) -> Self:
        return cls(
            id=node_id("job-row", row.save_id, row.number),
            index=row.number,
            code=row.code,
            outcome=row.outcome,
            row=row,
            kind=kind,
        )


@input_type
class JobRowFilter:
    """Filters rows of a job. A field that is not given does not filter."""

    outcome: Filter[RowOutcome] | None = described("Outcome of the row.", default=None)


@object_type
class Job(Node):
    """A save of many rows, or its validation. It goes on after the node was restarted.

    Its rows are kept for 31 days after its end, and so is a validation.
    """

    state: SaveState = described("State of the job.")
    on_refusal: OnRefusal = described("Effect of a refused row on the others.")
    validate_only: bool = described("True for a validation: all rows are run and undone.")
    requested_at: datetime = described("Time of the request.")
    requested_by: Actor = described("Sender of the request.")
    finished_at: datetime | None = described("Time of the end. Null while it goes on.")
    progress: JobProgress = described("Numbers of rows.")
    row: strawberry.Private[Save]

    @field("Plant whose master data it saves. Null for a job of headquarters.")
    async def plant(self, info: Info) -> Plant | None:
        return await owner(info, self.row.plant_id) if self.row.plant_id else None

    @field("Addressed plants of a job of headquarters, one for each given code. Empty for a job of a plant.")
    async def addressed_plants(self, info: Info) -> list[Plant]:
        codes = self.row.plant_codes
        info.context.spend(len(codes))
        found = await gather(*(plant_coded(info, code) for code in codes))
        return [one for one in found if one is not None]

    @field("Refusal that stopped the job. Null unless it is STOPPED.")
    def refusal(self, info: Info) -> RefusalAnswer | None:
        return _refusal(info, self.row.refusal)

    @field("Rows in the order of the request.")
    async def rows(
        self,
        info: Info,
        filter: Annotated[JobRowFilter | None, argument("Filter. Without it, all.")] = None,
        first: First = PAGE_DEFAULT,
        after: After = None,
    ) -> Connection[JobRow]:
        filters = SaveRowsFilter(criterion((filter or JobRowFilter()).outcome))
        return await info.children(
            Permission.BATCH_READ, save_rows, save_rows_count, self.row.id, (first, after),
            key=lambda row: (row.number,), make=lambda row: JobRow.of(row, self.row.kind), filters=filters,
        )  # fmt: skip

    @classmethod
    def of(cls, row: Save) -> Self:
        return cls(
            id=node_id("job", row.id),
            state=row.state,
            on_refusal=row.on_refusal,
            validate_only=row.validates,
            requested_at=row.requested,
            requested_by=Actor.of(row.actor),
            finished_at=row.finished,
            progress=JobProgress(
                total=row.size,
                done=row.done,
                recorded=row.recorded,
                unchanged=row.unchanged,
                refused=row.refused,
                rejected=row.rejected,
                not_run=row.not_run,
            ),
            row=row,
        )


def _refusal(info: Info, said: str | None) -> RefusalAnswer | None:
    refusal = None if said is None else read_refusal(said)
    return None if refusal is None else refused(refusal, info.context.language)


async def job_of(info: Info, save: str) -> Job | None:
    """Return a job by the id of its save."""
    row = await info.load(Permission.BATCH_READ, saves_by_id, save)
    return None if row is None else Job.of(row)


@findable("job", str)
async def _find(info: Info, parts: tuple[str]) -> Job | None:
    return await job_of(info, parts[0])


@findable("job-row", str, int)
async def _find_row(info: Info, parts: tuple[Any, ...]) -> JobRow | None:
    row = await info.load(Permission.BATCH_READ, save_rows_by_key, parts)
    save = await info.load(Permission.BATCH_READ, saves_by_id, parts[0])
    return None if row is None or save is None else JobRow.of(row, save.kind)
