"""Named properties of a batch."""

from collections.abc import Iterable

from schema.engine.fields import described, input_type, object_type


@input_type
class BatchAttributeInput:
    """A named property of a batch, such as fat content or colour."""

    name: str = described("Name of the property.")
    value: str = described("Value of the property.")


def attributes(inputs: Iterable[BatchAttributeInput]) -> dict[str, str]:
    """Return attributes by name. Of two with one name, the later counts."""
    return {one.name: one.value for one in inputs}


@object_type
class BatchAttribute:
    """A named property of a batch."""

    name: str = described("Name of the property.")
    value: str = described("Value of the property.")
