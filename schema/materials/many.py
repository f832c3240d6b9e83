"""Saving many rows in one request: one mutation for each kind of master data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from types import new_class
from typing import Any, Final, Protocol

import strawberry

from auth.permissions import Permission
from infra.database import Session
from plants.commands.execution import Command, CommandContext
from plants.commands.materials import changes
from plants.commands.materials.definitions import define_master, define_material, define_unit
from plants.commands.materials.saves import ROWS_MAX, AuthorCheck, Rows, advance_save, begin_save
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.saves import OnRefusal
from plants.rules.values.actors import Author
from plants.rules.values.refusals import LINES_INVALID
from schema.engine.access import AnyCommand
from schema.engine.context import Info, required
from schema.engine.cost_directives import weighing
from schema.engine.fields import described, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.materials.customers import CustomerRowInput
from schema.materials.equipment import EquipmentRowInput
from schema.materials.jobs import Job, job_of
from schema.materials.locations import LocationRowInput
from schema.materials.materials import MaterialRowInput
from schema.materials.suppliers import SupplierRowInput
from schema.materials.units import UnitRowInput

AT_ONCE_MAX: Final = 1_000
"""The limit of rows that are run before the answer. More rows are run after it."""
ROW_WEIGHT: Final = 4  # of a row that is written together with others
ANSWER: Final = (
    "Each row is like the input for one. The answer is `JobAccepted`, which is no `Recorded`: "
    "each row has a result of its own. "
    f"Above {AT_ONCE_MAX:,} rows, follow the job by its id with `node`. "
    "Repeating the request returns the same job, and no row is recorded twice."
)
"""The part of a description that all mutations of many rows share."""


@object_type
class JobAccepted:
    """The rows were accepted as a job. Up to 1,000 rows have their results already. More are run after the answer."""

    job: Job = described("Job, with the result of each row.")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of master data whose rows can be saved together."""

    name: str  # MATERIAL or a MasterKind
    mutation: str
    row: type
    command: Command[Any]
    order: type

    example: str
    """A row, as a document writes it."""

    @property
    def things(self) -> str:
        """The things to save, as a sentence names them."""
        return self.mutation.removeprefix("save_").replace("equipment_items", "pieces of equipment")

    @property
    def example_sentence(self) -> str:
        """The sentence of a description that shows an input."""
        return f"Example: `{{ rows: [{self.example}], onRefusal: SKIP_ROW }}`."

    @property
    def input_name(self) -> str:
        """The name of the mutation's input type."""
        return "".join(word.capitalize() for word in self.mutation.split("_")) + "Input"


def _named(kind: MasterKind, mutation: str, row: type, example: str) -> Kind:
    return Kind(kind.value, mutation, row, define_master, changes.MasterChange, example)


KINDS: Final[Iterable[Kind]] = (
    Kind(
        MATERIAL,
        "save_materials",
        MaterialRowInput,
        define_material,
        changes.MaterialChange,
        '{ code: "RM-MILK", name: "Raw milk", unitCode: "KGM" }',
    ),
    Kind(
        MasterKind.UNIT.value,
        "save_units",
        UnitRowInput,
        define_unit,
        changes.UnitChange,
        '{ code: "BAG25", name: "Bag", baseUnitCode: "KGM", factor: "25" }',
    ),
    _named(MasterKind.SUPPLIER, "save_suppliers", SupplierRowInput, '{ code: "S1", name: "Green farm" }'),
    _named(MasterKind.CUSTOMER, "save_customers", CustomerRowInput, '{ code: "C1", name: "Corner shop" }'),
    _named(MasterKind.LOCATION, "save_locations", LocationRowInput, '{ code: "A1", name: "Cold store" }'),
    _named(MasterKind.EQUIPMENT, "save_equipment_items", EquipmentRowInput, '{ code: "MIX1", name: "Mixer" }'),
)


def _declare(kind: Kind) -> None:
    given: Any = input_of(kind)

    async def save(info: Info, input: Input[given]) -> JobAccepted:
        begin = partial(begin_save, rows=rows_of(kind, input), validates=info.validating)
        return await run_job(info, kind.command, input, begin, advance_save)

    save.__name__ = kind.mutation
    mutation(
        f"Save many {kind.things}, at most {ROWS_MAX:,}. {ANSWER} {kind.example_sentence}",
        roles=PLANT_ONLY,
        permission=Permission.MASTERDATA_SAVE,
        command=kind.command,
        order=kind.order,
        refusals=(LINES_INVALID,),
        bulk=True,
    )(save)


@cache
def input_of(kind: Kind) -> type:
    """Return the input type of a mutation that saves rows of a kind."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {"rows": list[kind.row], "on_refusal": OnRefusal}  # type: ignore[name-defined]  # a type at run time
        namespace["__module__"] = __name__
        namespace["rows"] = strawberry.field(
            description=f"Rows in the order in which they are saved, at most {ROWS_MAX:,}.",
            directives=weighing(ROW_WEIGHT),
        )
        namespace["on_refusal"] = strawberry.field(description="Effect of a refused row on the others.")

    made = new_class(kind.input_name, (MutationInput,), {}, fill)
    return strawberry.input(made, description=f"The {kind.things} to save, under one request id.")


def rows_of(kind: Kind, input: Any, plants: tuple[str, ...] = ()) -> Rows:
    """Return the rows of an input."""
    return Rows(kind.name, tuple(row.change() for row in input.rows), input.on_refusal, plants)


class Begin(Protocol):
    """Stores the rows of a save."""

    def __call__(self, session: Session, *, actor: Author, call: CommandContext) -> str:
        """Return the id of the save."""


class Advance(Protocol):
    """Runs the next rows of a save."""

    def __call__(self, session: Session, plant: int, now: datetime, save_id: str, *, check: AuthorCheck) -> bool:
        """Return whether there may be more."""


async def run_job(info: Info, command: AnyCommand, input: Any, begin: Begin, advance: Advance) -> JobAccepted:
    """Begin a save of rows, run it unless it has many, and return its job."""
    info.context.spend(len(input.rows))

    def begin_rows(session: Session, author: Author, call: CommandContext) -> str:
        return begin(session, actor=author, call=call)

    def advance_rows(session: Session, author: Author, call: CommandContext) -> bool:
        del author
        return advance(session, call.plant, call.now, save, check=_checked)

    save = await info.work(command, begin_rows, input)
    if len(input.rows) <= AT_ONCE_MAX:
        while await info.work(command, advance_rows, input):
            pass
    return JobAccepted(job=required(await job_of(info, save)))


def _checked(_session: Session, _author: Author) -> None:
    """Accept the author of a save within its request: `Info.work` has checked the permission."""


for _kind in KINDS:
    _declare(_kind)
