"""Closed sets of texts whose members carry their description."""

from enum import StrEnum
from typing import Self


class DescribedEnum(StrEnum):
    """A StrEnum whose members are declared as value and description: `OPEN = "OPEN", "May still be fed."`.

    The value alone is compared, stored, pickled and written as JSON. The description is one sentence for clients; the
    SDL and the reference pages use it.
    """

    _value_: str
    description: str

    def __new__(cls, value: str, description: str = "") -> Self:
        """Declare a member; raises TypeError without a description. Enum(value) finds a member and declares none."""
        if not description:
            raise TypeError(f"{cls.__name__}.{value} has no description")
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member
