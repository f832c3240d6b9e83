"""Apply master data that headquarters defines: stated in the plant's own ledger as if defined there."""

from collections.abc import Mapping
from typing import Any, Final

from plants.commands.directives.applying import Answer, Applying, NotUnderstood
from plants.commands.materials.changes import FIELDS, Change, MasterChange, MaterialChange, UnitChange, kind_of
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    master_content,
    record_changed_master,
    record_changed_material,
    record_changed_unit,
    record_material,
    unit_content,
)
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.events import MASTER_DEFINED, UNIT_DEFINED
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal

Definition = MaterialDefinition | UnitDefinition | MasterDefinition

DAYS: Final = frozenset({"shelf_life_days", "retest_days"})


def read_master(directive: Entry) -> Definition:
    """Return what a MasterDirected directive defines."""
    kind, content = directive.payload["kind"], directive.payload["content"]
    if not all(_fits(name, value) for name, value in content.items()):
        raise NotUnderstood(kind)
    if kind == MATERIAL:
        return MaterialDefinition(**content)
    if kind == MasterKind.UNIT:
        return UnitDefinition(**content)
    if kind in MASTER_DEFINED:
        return MasterDefinition(MasterKind(kind), **content)
    raise NotUnderstood(kind)


def thing_defined(defined: Definition) -> tuple[str, str]:
    """Return the kind and the code of what a directive defines."""
    if isinstance(defined, MaterialDefinition):
        return MATERIAL, defined.code
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


def read_change(directive: Entry) -> Change:
    """Return what a MasterChangeDirected directive changes."""
    payload = directive.payload
    kind, code, given = payload["kind"], payload["code"], payload["given"]
    expected = payload.get("expected_version")
    if not isinstance(code, str) or not (expected is None or type(expected) is int):
        raise NotUnderstood(kind)
    if not all(value is None or _fits(name, value) for name, value in given.items()):
        raise NotUnderstood(kind)
    values = {name: value for name, value in given.items() if value is not None}
    cleared = frozenset(given.keys() - values.keys())
    if kind == MATERIAL:
        pairs = tuple(values.pop("conversions").items()) if "conversions" in values else None
        change = MaterialChange(code, **values, conversions=pairs, cleared=cleared, expected_version=expected)
        return understood(change, given)
    if kind == MasterKind.UNIT:
        return understood(UnitChange(code, **values, cleared=cleared, expected_version=expected), given)
    if kind in MASTER_DEFINED:
        change_of_other = MasterChange(MasterKind(kind), code, **values, cleared=cleared, expected_version=expected)
        return understood(change_of_other, given)
    raise NotUnderstood(kind)


def understood(change: Change, given: Mapping[str, Any]) -> Change:
    """Return the change; raises NotUnderstood where it has not all the fields that the directive gives."""
    if given.keys() - set(FIELDS[type(change)]):
        raise NotUnderstood(kind_of(change))
    return change


def thing_changed(change: Change) -> tuple[str, str]:
    """Return the kind and the code of what a directive changes."""
    return kind_of(change), change.code


def apply_change(applying: Applying, change: Change) -> Answer:
    """Change what the directive gives; one that is as given already needs no entry."""
    writer, causes = applying.writer(), applying.causes
    try:
        if isinstance(change, MaterialChange):
            record_changed_material(writer, change, causes)
        elif isinstance(change, UnitChange):
            record_changed_unit(writer, change, causes)
        else:
            record_changed_master(writer, change, causes)
    except Refusal as refusal:
        if refusal.code is not NOTHING_CHANGES:
            raise
    return Answer()


def _fits(name: str, value: Any) -> bool:
    if name in DAYS:
        return value is None or type(value) is int
    if name == "conversions":
        return isinstance(value, Mapping) and all(isinstance(factor, str) for factor in value.values())
    return isinstance(value, str)
