"""Apply master data that headquarters defines: stated in the plant's own ledger as if defined there."""

from collections.abc import Mapping
from typing import Any, Final

from plants.commands.directives.applying import Answer, Applying, NotUnderstood
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    master_content,
    record_material,
    unit_content,
)
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.events import MASTER_DEFINED, UNIT_DEFINED

Definition = MaterialDefinition | UnitDefinition | MasterDefinition

DAYS: Final = frozenset({"shelf_life_days", "retest_days"})


def read_master(directive: Entry) -> Definition:
    """Return what a MasterDirected directive defines."""
    kind, content = directive.payload["kind"], directive.payload["content"]
    if not all(_fits(name, value) for name, value in content.items()):
        raise NotUnderstood(kind)
    if kind == "MATERIAL":
        return MaterialDefinition(**content)
    if kind == MasterKind.UNIT:
        return UnitDefinition(**content)
    if kind in MASTER_DEFINED:
        return MasterDefinition(MasterKind(kind), **content)
    raise NotUnderstood(kind)


def thing_defined(defined: Definition) -> tuple[str, str]:
    """Return the kind and the code of what a directive defines."""
    if isinstance(defined, MaterialDefinition):
        return "MATERIAL", defined.code
    if isinstance(defined, UnitDefinition):
        return MasterKind.UNIT, defined.code
    return defined.kind, defined.code


def apply_master(applying: Applying, defined: Definition) -> Answer:
    """Define what the directive says; raises the Refusal that the plant's own definition would meet."""
    writer, causes = applying.writer(), applying.causes
    if isinstance(defined, MaterialDefinition):
        record_material(writer, defined, causes)
    elif isinstance(defined, UnitDefinition):
        writer.record(UNIT_DEFINED, defined.code, unit_content(defined), causes)
    else:
        writer.record(MASTER_DEFINED[defined.kind], defined.code, master_content(defined), causes)
    return Answer()


def _fits(name: str, value: Any) -> bool:
    if name in DAYS:
        return value is None or type(value) is int
    if name == "conversions":
        return isinstance(value, Mapping) and all(isinstance(factor, str) for factor in value.values())
    return isinstance(value, str)
