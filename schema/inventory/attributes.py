"""Named properties of a batch."""

from collections.abc import Iterable

import strawberry

from schema.engine.fields import described


@strawberry.input(description="A named property of a batch, such as fat content or colour.")
class AttributeInput:
    """A named property of a batch."""

    name: str = described("What is said.")
    value: str = described("What it is.")


def attributes(given: Iterable[AttributeInput]) -> dict[str, str]:
    """Return attributes as commands take them; of two with one name the later counts."""
    return {one.name: one.value for one in given}


@strawberry.type(description="A named property of a batch.")
class Attribute:
    """A named property of a batch."""

    name: str = described("What is said.")
    value: str = described("What it is.")
