"""Mass balance of a process record."""

from typing import Self

from plants.rules.production import process_records as rules
from schema.engine.fields import described, object_type
from schema.engine.quantities import Quantity, quantities


@object_type
class MassBalance:
    """Mass balance of a process record, by unit."""

    inputs: list[Quantity] = described("Consumed quantities, one for each unit.")
    outputs: list[Quantity] = described(
        "Produced quantities, including by-products, co-products and samples: one for each unit."
    )
    returned: list[Quantity] = described("Quantities that were returned unused, one for each unit.")
    loss: list[Quantity] = described(
        "Inputs minus outputs minus returns, one for each unit. It is negative if the outputs exceed the inputs."
    )

    @classmethod
    def of(cls, balance: rules.MassBalance) -> Self:
        parts = balance.inputs, balance.outputs, balance.returned, balance.loss
        inputs, outputs, returned, loss = (quantities(rules.amounts(part)) for part in parts)
        return cls(inputs=inputs, outputs=outputs, returned=returned, loss=loss)
