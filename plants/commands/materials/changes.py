"""Changes of master data: orders that give some fields of a definition, and the whole definition that follows.

A field that is None is not given, unless `cleared` names it: then it is to be emptied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plants.rules.identification.codes import master_code
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.ledger.request_forms import stable_name
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.refusals import DEFINITION_AS_GIVEN, FIELD_REQUIRED, STALE_VERSION, not_defined
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal, Refusals, within
from plants.store.materials.definitions import CurrentDefinition


@stable_name("MaterialChange")
@dataclass(frozen=True, slots=True)
class MaterialChange:
    """A change of a material, or a new one. `conversions` are pairs of a unit and its size in the material's unit."""

    code: str
    name: str | None = None
    unit: str | None = None
    shelf_life_days: int | None = None
    retest_days: int | None = None
    conversions: tuple[tuple[str, str], ...] | None = None
    cleared: frozenset[str] = frozenset()
    expected_version: int | None = None


@stable_name("UnitChange")
@dataclass(frozen=True, slots=True)
class UnitChange:
    """A change of a unit of the plant, or a new one."""

    code: str
    name: str | None = None
    of: str | None = None
    factor: str | None = None
    cleared: frozenset[str] = frozenset()
    expected_version: int | None = None


@stable_name("MasterChange")
@dataclass(frozen=True, slots=True)
class MasterChange:
    """A change of a supplier, customer, location or piece of equipment, or a new one."""

    kind: MasterKind
    code: str
    name: str | None = None
    cleared: frozenset[str] = frozenset()
    expected_version: int | None = None


Change = MaterialChange | UnitChange | MasterChange

FIELDS: Final[Mapping[type[Change], tuple[str, ...]]] = {
    MaterialChange: ("name", "unit", "shelf_life_days", "retest_days", "conversions"),
    UnitChange: ("name", "of", "factor"),
    MasterChange: ("name",),
}
"""The fields of each kind of definition that a change can give, beside its code."""
EMPTY: Final[Mapping[str, Any]] = {"shelf_life_days": None, "retest_days": None, "conversions": {}}
"""The fields that may be empty, with what an entry says of them then."""
WIRE: Final[Mapping[str, str]] = {
    "name": "name",
    "unit": "unitCode",
    "of": "baseUnitCode",
    "factor": "factor",
    "shelf_life_days": "shelfLifeDays",
    "retest_days": "retestDays",
    "conversions": "conversions",
}
"""The name of each field in the GraphQL input."""
SHOWN: Final[Mapping[str, str]] = {"name": "name", "unit": "unit", "of": "base unit", "factor": "factor"}
"""The term for each field that a definition must have."""


def kind_of(change: Change) -> str:
    """Return the kind of what a change is about."""
    match change:
        case MaterialChange():
            return MATERIAL
        case UnitChange():
            return MasterKind.UNIT.value
        case MasterChange(kind=kind):
            return kind.value


def given_fields(change: Change) -> dict[str, Any]:
    """Return the fields that a change gives; None for one that is to be emptied."""
    values = {name: getattr(change, name) for name in FIELDS[type(change)]}
    return {name: value for name, value in values.items() if value is not None or name in change.cleared}


def given_conversions(change: MaterialChange) -> dict[str, dict[str, str]]:
    """Return the conversions that a change gives, as an entry says them; raises Refusal for a unit named twice."""
    by_unit: dict[str, str] = {}
    with Refusals() as refusals:
        for line, (unit, factor) in enumerate(change.conversions or ()):
            with refusals.at("conversions", line, "unitCode"):
                if unit in by_unit:
                    raise Refusal(CODE_TAKEN, code=unit[:40], thing="conversion")
            by_unit[unit] = factor
    return {} if change.conversions is None else {"conversions": by_unit}


def whole_definition(
    change: Change, current: CurrentDefinition | None, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the definition that a change makes of the current one, code included.

    `given` replaces fields of the change by what an entry says of them.

    Raises Refusal STALE_VERSION where the current version is not the expected one, and FIELD_REQUIRED for a field that
    a new definition lacks or that is to be emptied and cannot be.
    """
    thing = kind_of(change).lower()
    with within("code"):
        code = master_code(change.code, thing)
    check_version(change, current)
    fields = FIELDS[type(change)]
    merged = {"code": code, **({} if current is None else current.content), **given_fields(change), **(given or {})}
    with Refusals() as refusals:
        for name in (one for one in fields if merged.get(one) is None):
            with refusals.at(WIRE[name]):
                merged[name] = check_emptied(change, name)
    return merged


def check_emptied(change: Change, name: str) -> Any:
    """Return what an entry says of a field without a value; raises Refusal for one that cannot be without."""
    if name not in EMPTY:
        raise Refusal(FIELD_REQUIRED, thing=kind_of(change).lower(), field=SHOWN[name])
    return EMPTY[name]


def check_version(change: Change, current: CurrentDefinition | None) -> None:
    """Raise Refusal unless the current definition has the version that the change expects, if it expects one."""
    expected = change.expected_version
    if expected is None:
        return
    thing = kind_of(change).lower()
    if current is None:
        with within("code"):
            raise not_defined(thing, change.code)
    if current.version != expected:
        with within("expectedVersion"):
            raise Refusal(STALE_VERSION, thing=thing, code=change.code, expected=expected, current=current.version)


def check_changes(content: Mapping[str, Any], current: CurrentDefinition | None) -> None:
    """Raise Refusal NOTHING_CHANGES where the new content is the current one."""
    if current is not None and current.content == content:
        raise Refusal(NOTHING_CHANGES, why=DEFINITION_AS_GIVEN(code=content["code"]))
