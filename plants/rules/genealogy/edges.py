"""Edges of the genealogy: the uses of goods in a process record."""

from plants.rules.values.enums import DescribedEnum


class MaterialUse(DescribedEnum):
    """Use of goods in a process record (ISA-95 material use, extended by TRANSFERRED and SHIPPED)."""

    CONSUMED = "CONSUMED", "The goods went into the process and were used up there."
    PRODUCED = "PRODUCED", "The goods are the intended product of the process."
    BY_PRODUCT = "BY_PRODUCT", "The goods came out of the process without being its purpose, such as whey from cheese."
    CO_PRODUCT = "CO_PRODUCT", "The goods are a further intended product of the process, such as cream from skimming."
    SAMPLE = "SAMPLE", "The goods were taken for inspection or retention; a mass balance counts them as output."
    RETURNED = "RETURNED", "The goods were fed and came back to stock unused; a trace does not follow them."
    TRANSFERRED = "TRANSFERRED", "The goods left for, or came from, another plant and stay the same batch."
    SHIPPED = "SHIPPED", "The goods left the group for a customer."
