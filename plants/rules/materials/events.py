"""Events of master data: plants, materials, units, partners, locations and equipment."""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from plants.rules.ledger.events import Event
from plants.rules.materials.definitions import MasterKind


class PlantOpened(TypedDict):
    """The first entry of a plant's ledger: the identity of the plant."""

    number: int
    code: str
    name: str
    time_zone: str
    origin: str


class MaterialDefined(TypedDict):
    """A whole material definition; a later one of the same code replaces it."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None
    conversions: dict[str, str]  # unit -> its size in the material's unit, as an exact fraction "n/d" or decimal


class UnitDefined(TypedDict):
    """A unit beyond the built-in ones, by its size in a known unit."""

    code: str
    name: str
    of: str
    factor: str


class MasterDefined(TypedDict):
    """A supplier, a customer, a location or a piece of equipment."""

    code: str
    name: str


PLANT_OPENED: Final = Event("PlantOpened", PlantOpened)
MATERIAL_DEFINED: Final = Event("MaterialDefined", MaterialDefined)
UNIT_DEFINED: Final = Event("UnitDefined", UnitDefined)
SUPPLIER_DEFINED: Final = Event("SupplierDefined", MasterDefined)
CUSTOMER_DEFINED: Final = Event("CustomerDefined", MasterDefined)
LOCATION_DEFINED: Final = Event("LocationDefined", MasterDefined)
EQUIPMENT_DEFINED: Final = Event("EquipmentDefined", MasterDefined)

MASTER_DEFINED: Final[Mapping[MasterKind, Event[Any]]] = {
    MasterKind.UNIT: UNIT_DEFINED,
    MasterKind.SUPPLIER: SUPPLIER_DEFINED,
    MasterKind.CUSTOMER: CUSTOMER_DEFINED,
    MasterKind.LOCATION: LOCATION_DEFINED,
    MasterKind.EQUIPMENT: EQUIPMENT_DEFINED,
}
"""The event that defines master data of each kind."""
