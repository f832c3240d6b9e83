"""Inputs of orders: each list declares the fields that it can be ordered by."""

from plants.store.sql.orders import OrderDirection
from schema.engine.fields import described, enum_type, input_type

enum_type(OrderDirection)


@input_type
class Ordering:
    """Fields of every order. Its field `field` names the values to order by."""

    direction: OrderDirection = described(
        "Direction of the order. The default is ASCENDING.", default=OrderDirection.ASCENDING
    )
