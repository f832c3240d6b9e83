"""Units in queries: the built-in ones, and those that plants defined."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from infra.database import ReadSession
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.quantities import BASE_UNITS, UNITS
from plants.rules.values.scope import PlantScope
from plants.rules.values.search_forms import search_form
from plants.store.materials.definitions import (
    DefinitionOrderField,
    DefinitionsFilter,
    MasterRecord,
    masters_by_key,
    masters_count,
    masters_page,
)
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key

BUILT_IN = 0
"""The plant number of a built-in unit."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as an exact multiple of a built-in one. A built-in unit has the name that a list gave it, if any."""

    code: str
    plant_id: int
    name: str
    base: str
    factor: Fraction
    version: int | None = None

    @property
    def name_search(self) -> str:
        """The search form of the name."""
        return search_form(self.name)


@dataclass(frozen=True, slots=True)
class UnitsFilter:
    """Criteria for the units of plants, with their order, and the built-in units that meet the same criteria.

    `built_in` are their names by code, in the language of the list.
    """

    defined: DefinitionsFilter
    built_in: Mapping[str, str] = field(default_factory=dict)


def built_in_unit(code: str) -> UnitRow | None:
    """Return the built-in unit of a code."""
    unit = UNITS.get(code)
    return None if unit is None else UnitRow(code, BUILT_IN, "", BASE_UNITS[unit.dimension], unit.factor)


def units_by_key(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], UnitRow]:
    """Return what the codes mean at the plants: a built-in unit everywhere, or the plant's own."""
    found = {key: unit for key in keys if (unit := built_in_unit(key[1])) is not None}
    own = [(plant, MasterKind.UNIT.value, code) for plant, code in keys if code not in UNITS]
    rows = masters_by_key(reads, scope, own) if own else {}
    return found | {(plant, code): _defined(row) for (plant, _, code), row in rows.items()}


def units_page(
    reads: ReadSession, scope: PlantScope, filters: UnitsFilter, after: Key | None, limit: int
) -> Sequence[UnitRow]:
    """Return one page of units in the order that the filters name."""
    order = filters.defined.order
    key = unit_key(order)
    rows = [_defined(row) for row in masters_page(reads, scope, filters.defined, after, limit)]
    built_in = (replace(unit, name=name) for code, name in filters.built_in.items() if (unit := built_in_unit(code)))
    later = (
        unit for unit in built_in if after is None or (key(unit) < after if order.descending else key(unit) > after)
    )
    return sorted((*later, *rows), key=key, reverse=order.descending)[:limit]


def unit_key(order: Order[DefinitionOrderField]) -> Callable[[UnitRow], Key]:
    """Return the function that returns the key of a unit in this order, as of a definition."""
    if order.field is DefinitionOrderField.NAME:
        return lambda row: (row.name_search, row.code, row.plant_id)
    return lambda row: (row.code, row.plant_id)


def units_count(reads: ReadSession, scope: PlantScope, filters: UnitsFilter) -> int:
    """Return how many units there are."""
    return masters_count(reads, scope, filters.defined) + len(filters.built_in)


def _defined(row: MasterRecord) -> UnitRow:
    return UnitRow(row.code, row.plant_id, row.name, row.detail["of"], Fraction(row.detail["factor"]), row.version)
