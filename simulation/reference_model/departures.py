"""Goods that leave the plant or come back: shipments, customers' returns, returns to suppliers, and scrap (rule 3).

Choices where domain.md is silent:
- A customer's return is at most the amount shipped less what came back; more is STOCK_SHORT.
- Returned goods are the same batch. Its holds and expiry block them as before.
- Scrap and returns to a supplier need a reason, and take blocked goods too.
- The remaining shelf life that a customer asks for is not modelled: the SDL has no field for it.
"""

from dataclasses import replace
from typing import Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import read_quantity
from simulation.reference_model.calls import Call
from simulation.reference_model.holds import check_usable, note_late_use
from simulation.reference_model.rows import Shipment, Stock
from simulation.reference_model.stock import put, take_line
from simulation.reference_model.verdicts import RefusalFound

OUTSIDE: Final = ("customer:", "transfer:", "supplier:")
"""Kinds of places outside the plant."""


@registry.command("shipGoods", "BatchShipped")
def ship_goods(call: Call) -> None:
    customer = call.master("CUSTOMER", call.input["customerCode"], "customerCode")
    call.subject = call.new_id("S")
    lines = []
    for place, line in enumerate(call.lines("lines")):
        path = ("lines", str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        late = check_usable(call, batch, str(line["locationCode"]), *path)
        amount = take_line(call, batch, line, f"customer:{customer}", *path)
        note_late_use(call, late)
        call.amend(batch.id, left=True)
        lines.append((batch.id, amount))
    call.tables.shipments[call.subject] = Shipment(call.subject, customer, call.at, call.index, tuple(lines))


@registry.command("receiveCustomerReturn", "GoodsReturned", planned=True)
def receive_customer_return(call: Call) -> None:
    """Input: shipmentId, lines of batchCode, quantity and locationCode."""
    shipment = call.tables.shipments.get(str(call.input["shipmentId"]))
    if shipment is None or shipment.void:
        raise RefusalFound("NOT_DEFINED", "shipmentId")
    call.subject = shipment.id
    call.in_order(shipment.at, shipment.entry)
    for place, line in enumerate(call.lines("lines")):
        path = ("lines", str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        location = call.master("LOCATION", line["locationCode"], *path, "locationCode")
        shipped = [amount for code, amount in shipment.lines if code == batch.id]
        back = sum(amount for _, code, amount in shipment.returned if code == batch.id)
        there = sum(shipped) - back
        amount = read_quantity(call, batch, line["quantity"], *path, "quantity", there=Stock(there, len(shipped)))
        if amount > there:
            raise RefusalFound("STOCK_SHORT", *path)
        shipment = replace(shipment, returned=(*shipment.returned, (call.index, batch.id, amount)))
        put(call, batch.id, location, amount, f"customer:{shipment.customer}")
    call.tables.shipments[shipment.id] = shipment


@registry.command("returnToSupplier", "GoodsReturnedToSupplier", planned=True)
def return_to_supplier(call: Call) -> None:
    """Input: reason, supplierCode, lines as of a shipment."""
    call.text("reason", required=True)
    supplier = call.master("SUPPLIER", call.input["supplierCode"], "supplierCode")
    for place, line in enumerate(call.lines("lines")):
        path = ("lines", str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        take_line(call, batch, line, f"supplier:{supplier}", *path)
        call.amend(batch.id, left=True)


@registry.command("scrapGoods", "GoodsScrapped", planned=True)
def scrap_goods(call: Call) -> None:
    """Input: reason, lines as of a shipment."""
    call.text("reason", required=True)
    for place, line in enumerate(call.lines("lines")):
        path = ("lines", str(place))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        take_line(call, batch, line, "scrap:", *path)
