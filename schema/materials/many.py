"""Saving many rows in one request: one mutation for each kind of master data."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from types import new_class
from typing import Any, Final

import strawberry

from auth.permissions import Permission
from infra.database import Session
from plants.commands.execution import Command, CommandContext
from plants.commands.materials import changes
from plants.commands.materials.definitions import define_master, define_material, define_unit
from plants.commands.materials.saves import ROWS_MAX, Rows, advance_save, begin_save, validate_rows
from plants.rules.ledger.events import Event
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.events import MASTER_DEFINED, MATERIAL_DEFINED
from plants.rules.materials.saves import OnRefusal
from plants.rules.values.actors import Author
from plants.rules.values.refusals import LINES_INVALID, RefusalCode
from plants.store.materials.saves import save_by_request
from schema.engine.context import Info, required
from schema.engine.cost_directives import weighing
from schema.engine.fields import described, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.refusals import SAVING, SAVING_UNIT
from schema.engine.scalars import EventType
from schema.engine.validations import Validated, ValidationEnded
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


@object_type
class JobAccepted:
    """The rows were accepted as a job. At most 1,000 rows have their results already; more are run after the answer."""

    job: Job = described("Job, with the result of each row.")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of master data whose rows can be saved together."""

    name: str  # MATERIAL or a MasterKind
    mutation: str
    row: type
    command: Command[Any]
    order: type
    event: Event[Any]
    refusals: frozenset[RefusalCode]

    example: str
    """A row, as a document writes it."""

    @property
    def things(self) -> str:
        """The things to save, as a sentence names them."""
        return self.mutation.removeprefix("save_").replace("equipment_items", "pieces of equipment")

    @property
    def input_name(self) -> str:
        """The name of the mutation's input type."""
        return "".join(word.capitalize() for word in self.mutation.split("_")) + "Input"


def _named(kind: MasterKind, mutation: str, row: type, example: str) -> Kind:
    return Kind(kind.value, mutation, row, define_master, changes.MasterChange, MASTER_DEFINED[kind], SAVING, example)


KINDS: Final[Iterable[Kind]] = (
    Kind(
        MATERIAL,
        "save_materials",
        MaterialRowInput,
        define_material,
        changes.MaterialChange,
        MATERIAL_DEFINED,
        SAVING_UNIT,
        '{ code: "RM-MILK", name: "Raw milk", unitCode: "KGM" }',
    ),
    Kind(
        MasterKind.UNIT.value,
        "save_units",
        UnitRowInput,
        define_unit,
        changes.UnitChange,
        MASTER_DEFINED[MasterKind.UNIT],
        SAVING_UNIT,
        '{ code: "BAG25", name: "Bag", baseUnitCode: "KGM", factor: "25" }',
    ),
    _named(MasterKind.SUPPLIER, "save_suppliers", SupplierRowInput, '{ code: "S1", name: "Green farm" }'),
    _named(MasterKind.CUSTOMER, "save_customers", CustomerRowInput, '{ code: "C1", name: "Corner shop" }'),
    _named(MasterKind.LOCATION, "save_locations", LocationRowInput, '{ code: "A1", name: "Cold store" }'),
    _named(MasterKind.EQUIPMENT, "save_equipment_items", EquipmentRowInput, '{ code: "MIX1", name: "Mixer" }'),
)


def _declare(kind: Kind) -> None:
    given: Any = _input(kind)

    async def save(info: Info, input: Input[given]) -> JobAccepted:
        return await _save(info, kind, input)

    save.__name__ = kind.mutation
    mutation(
        f"Save many {kind.things}, at most {ROWS_MAX:,}. Each row is like the input for one. "
        f"Above {AT_ONCE_MAX:,} rows, follow the job by its id with `node`. "
        "Repeating the request returns the same job, and no row is recorded twice. "
        f"Example: `{{ rows: [{kind.example}], onRefusal: SKIP_ROW }}`.",
        roles=PLANT_ONLY,
        permission=Permission.MASTERDATA_SAVE,
        command=kind.command,
        order=kind.order,
        refusals=kind.refusals | {LINES_INVALID},
        bulk=True,
    )(save)


def _input(kind: Kind) -> type:
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


async def _save(info: Info, kind: Kind, input: Any) -> JobAccepted:
    info.context.spend(len(input.rows))
    rows = Rows(kind.name, tuple(row.change() for row in input.rows), input.on_refusal)
    if info.validating:
        raise ValidationEnded(await info.work(kind.command, partial(_validate, kind, rows), input))
    save = await info.work(kind.command, partial(_begin, rows), input)
    if len(rows.changes) <= AT_ONCE_MAX:
        while await info.work(kind.command, partial(_advance, save), input):
            pass
    return JobAccepted(job=required(await job_of(info, save)))


def _validate(kind: Kind, rows: Rows, session: Session, author: Author, call: CommandContext) -> Validated:
    repeated = call.request is not None and save_by_request(session, call.plant, call.request) is not None
    validate_rows(session, rows, actor=author, call=call)
    return Validated(validated_at=call.now, event_type=EventType(kind.event.name), already_recorded=repeated)


def _begin(rows: Rows, session: Session, author: Author, call: CommandContext) -> str:
    return begin_save(session, rows, actor=author, call=call)


def _advance(save: str, session: Session, author: Author, call: CommandContext) -> bool:
    del author
    return advance_save(session, call.plant, call.now, save)


for _kind in KINDS:
    _declare(_kind)
