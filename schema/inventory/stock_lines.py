"""Lines of goods in inputs: a quantity of a batch at a location."""

from plants.commands.inventory.issues import StockLine
from schema.engine.fields import described, input_type
from schema.engine.quantities import QuantityInput
from schema.engine.scalars import BatchCode, Code


@input_type
class StockLineInput:
    """A quantity of a batch at a location."""

    batch_code: BatchCode = described("Code of the batch.")
    quantity: QuantityInput = described("Quantity, in any unit that converts to the batch's own.")
    location_code: Code = described("Code of the location.")

    @property
    def line(self) -> StockLine:
        return StockLine(self.batch_code, self.quantity.amount, self.quantity.unit, self.location_code)
