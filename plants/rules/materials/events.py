"""Events of master data: plants, materials, units, partners, locations and equipment."""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from plants.rules.ledger.events import Event, Subject
from plants.rules.materials.definitions import MasterKind


class PlantOpened(TypedDict):
    number: int
    code: str
    name: str
    time_zone: str
    origin: str


class MaterialDefined(TypedDict):
    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None
    conversions: dict[str, str]  # unit -> its size in the material's unit, as an exact fraction "n/d" or decimal


class UnitDefined(TypedDict):
    code: str
    name: str
    of: str
    factor: str


class MasterDefined(TypedDict):
    """A supplier, a customer, a location or a piece of equipment."""

    code: str
    name: str


PLANT_OPENED: Final = Event(
    "PlantOpened",
    PlantOpened,
    "The first entry of a plant's ledger; it states the plant's number, code, name and time zone.",
    about=Subject.PLANT,
)
MATERIAL_DEFINED: Final = Event(
    "MaterialDefined",
    MaterialDefined,
    "A material was defined; a later definition of the same code replaces the whole one.",
    about=Subject.MATERIAL,
)
UNIT_DEFINED: Final = Event(
    "UnitDefined", UnitDefined, "A unit of measure was defined as a multiple of a known unit.", about=Subject.UNIT
)
SUPPLIER_DEFINED: Final = Event(
    "SupplierDefined",
    MasterDefined,
    "A supplier was defined; a later definition of the same code replaces its name.",
    about=Subject.SUPPLIER,
)
CUSTOMER_DEFINED: Final = Event(
    "CustomerDefined",
    MasterDefined,
    "A customer was defined; a later definition of the same code replaces its name.",
    about=Subject.CUSTOMER,
)
LOCATION_DEFINED: Final = Event(
    "LocationDefined",
    MasterDefined,
    "A location was defined; a later definition of the same code replaces its name.",
    about=Subject.LOCATION,
)
EQUIPMENT_DEFINED: Final = Event(
    "EquipmentDefined",
    MasterDefined,
    "A piece of equipment was defined; a later definition of the same code replaces its name.",
    about=Subject.EQUIPMENT,
)

MASTER_DEFINED: Final[Mapping[MasterKind, Event[Any]]] = {
    MasterKind.UNIT: UNIT_DEFINED,
    MasterKind.SUPPLIER: SUPPLIER_DEFINED,
    MasterKind.CUSTOMER: CUSTOMER_DEFINED,
    MasterKind.LOCATION: LOCATION_DEFINED,
    MasterKind.EQUIPMENT: EQUIPMENT_DEFINED,
}
"""The event that defines master data of each kind."""
