"""Definitions of master data: their kinds."""

from typing import Final

from plants.rules.values.enums import DescribedEnum

MATERIAL: Final = "MATERIAL"
"""The kind of a material's definition, beside the kinds of master records."""


class MasterKind(DescribedEnum):
    """Kind of a master record."""

    SUPPLIER = "SUPPLIER", "A party that goods are received from; receipts name it."
    CUSTOMER = "CUSTOMER", "A party that goods are shipped to; shipments name it."
    LOCATION = "LOCATION", "A place in the plant where stock lies (ISA-95 storage location)."
    EQUIPMENT = "EQUIPMENT", "A machine or line that a process record can name (ISA-95 equipment)."
    UNIT = "UNIT", "A unit of measure, defined as an exact multiple of a built-in unit."
