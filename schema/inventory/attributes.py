"""Named properties of a batch."""

from collections.abc import Iterable
from typing import Final

from plants.rules.values.refusals import TEXT_INVALID, Refusal, Refusals, message
from schema.engine.fields import described, input_type, object_type

RULE_UNIQUE: Final = message("RULE_UNIQUE", "different from the others in the list")


@input_type
class BatchAttributeInput:
    """A named property of a batch, such as fat content or colour."""

    name: str = described("Name of the property.")
    value: str = described("Value of the property.")


def attributes(inputs: Iterable[BatchAttributeInput]) -> dict[str, str]:
    """Return attributes by name, or raise Refusal for each that repeats the name of another."""
    found: dict[str, str] = {}
    with Refusals() as refusals:
        for index, one in enumerate(inputs):
            with refusals.at("attributes", index, "name"):
                if one.name in found:
                    raise Refusal(TEXT_INVALID, field="attribute", rule=RULE_UNIQUE())
            found[one.name] = one.value
    return found


@object_type
class BatchAttribute:
    """A named property of a batch."""

    name: str = described("Name of the property.")
    value: str = described("Value of the property.")
