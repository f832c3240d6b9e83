"""Searches by name: plant and hub find the same, however it is written."""

from typing import Final

import pytest

from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.production.process_records import ProcessOrder, open_process
from plants.rules.inventory.refusals import ALIAS_TAKEN
from plants.rules.values.refusals import NOTHING_CHANGES
from tests.factories import Plant, rows_of
from tests.schema.asking import DIRECTOR, JSON, MANAGER, Served, served
from tests.schema.group import Group

NAMES: Final = {
    "Öl": ["ÖL", "öl", "O\u0308l", " Öl\u3000"],
    "Мука": ["МУКА", "мука"],
    "ＡＢＣ－１": ["abc-1", "ABC-1"],
    "Straße": ["STRASSE", "strasse", "straße"],
    "牛奶": ["牛奶", "\u3000牛奶"],
}
"""Names as they were written first, and as users look for them."""
SEARCHED: Final = """query($text: String!) {
  materials(filter: {text: $text}) { totalCount nodes { name } }
  suppliers(filter: {text: $text}) { totalCount nodes { name } }
  lots: batches(filter: {supplierLot: {eq: $text}}) { totalCount nodes { supplierLot } }
  orders: batches(filter: {purchaseOrder: {in: [$text]}}) { totalCount nodes { supplierLot } }
  aliases: batches(filter: {aliases: {value: {beginsWith: $text}}}) { totalCount nodes { supplierLot } }
  texts: batches(filter: {text: $text}) { totalCount nodes { supplierLot } }
  processRecords(filter: {jobOrder: {eq: $text}}) { totalCount nodes { jobOrder } }
  shipments(filter: {customerOrder: {eq: $text}}) { totalCount nodes { customerOrder } }
  trace(input: {supplierLots: [$text], purchaseOrders: [$text], jobOrders: [$text], customerOrders: [$text],
    aliases: [$text]}) { unknownNames batches { totalCount } } }"""

SAVED: Final = "... on Recorded { entry { index } }"
SHOWN: Final = {"materials": "name", "suppliers": "name", "processRecords": "jobOrder", "shipments": "customerOrder"}
"""The field that shows the name, of the lists that do not show a supplier's lot."""


def written(plant: Plant, name: str) -> None:
    """Let the name be that of a material, a supplier, a lot and orders."""
    plant.do(receive_batch, Delivery(
        "RM-MILK", "10", "KGM", "A1", supplier="S1", supplier_lot=name, order=name,
        aliases=(AliasOrder("OLD", name),),
    ))  # fmt: skip
    plant.do(open_process, ProcessOrder(job_order=name))
    code = plant.receive()
    plant.do(ship_batch, Shipment("C1", (StockLine(code, "1", "KGM", "A1"),), name))


async def test_name_in_any_form_then_plant_and_hub_find_the_same(group: Group, hub: Served) -> None:
    plant = served(group.here)
    try:
        for number, name in enumerate(NAMES):
            written(group.here, name)
            for mutation, more in (("saveMaterial", {"unitCode": "KGM"}), ("saveSupplier", {})):
                await plant.do(MANAGER, mutation, SAVED, code=f"N{number}", name=name, **more)
        group.hears()
        for name, given in NAMES.items():
            for text in (name, *given):
                here = await plant.ask(MANAGER, SEARCHED, text=text)
                assert await hub.ask(DIRECTOR, SEARCHED, text=text) == here
                trace = here.pop("trace")
                for part, found in here.items():
                    assert found == {"totalCount": 1, "nodes": [{SHOWN.get(part, "supplierLot"): name}]}, (part, text)
                assert trace == {"unknownNames": [], "batches": {"totalCount": 2}}
        for text in ("Ol", "牛乳", "abc-2", "Stra"):
            here = await plant.ask(MANAGER, SEARCHED, text=text)
            assert await hub.ask(DIRECTOR, SEARCHED, text=text) == here
            assert here["lots"]["nodes"] == here["orders"]["nodes"] == here["shipments"]["nodes"] == []
    finally:
        plant.close()


@pytest.mark.parametrize("lot", ["l-7é", "L-7É ", "L-7E\u0301"])
def test_lot_of_a_supplier_in_another_form_then_it_is_the_same_lot(here: Plant, lot: str) -> None:
    milk = Delivery("RM-MILK", "10", "KGM", "A1", supplier="S1", supplier_lot="L-7É")
    code = str(here.do(receive_batch, milk).envelope["key"])
    before = rows_of(here.store)
    again = Delivery("RM-MILK", "10", "KGM", "A1", supplier="S1", supplier_lot=lot)
    assert here.refuses(receive_batch, again, ALIAS_TAKEN) == {"alias": lot, "batch": code}
    assert rows_of(here.store) == before


def test_alias_ended_in_another_form_then_the_one_that_was_given_ends(here: Plant) -> None:
    milk, other = here.receive(), here.receive()
    here.do(alias_batch, Naming(milk, (AliasOrder("OLD", "Öl-1"),)))
    here.refuses(alias_batch, Naming(milk, (AliasOrder("OLD", "ÖL-1"),)), NOTHING_CHANGES)
    ended = here.do(end_alias, Naming(milk, (AliasOrder("OLD", "öl-1 "),)))
    assert here.rows("SELECT value, ended_idx FROM aliases") == [("Öl-1", ended.index)]
    here.do(alias_batch, Naming(other, (AliasOrder("OLD", "ÖL-1"),)))


def test_identifiers_of_epcis_in_another_case_then_they_are_two(here: Plant) -> None:
    milk, other = here.receive(), here.receive()
    here.do(alias_batch, Naming(milk, (AliasOrder("EPC", "urn:epc:id:sgtin:4012345.011111.a"),)))
    here.do(alias_batch, Naming(other, (AliasOrder("EPC", "urn:epc:id:sgtin:4012345.011111.A"),)))


async def test_names_in_their_order_then_case_does_not_divide_them(group: Group, hub: Served) -> None:
    plant = served(group.here)
    names = ["apple", "Birne", "École", "élan", "Яблоко", "яблоня"]
    document = """query($direction: OrderDirection!) { customers(filter: {code: {beginsWith: "N"}},
      orderBy: {field: NAME, direction: $direction}) { nodes { name } } }"""
    try:
        for number, name in enumerate(sorted(names)):
            await plant.do(MANAGER, "saveCustomer", SAVED, code=f"N{number}", name=name)
        group.hears()
        for direction, wanted in (("ASCENDING", names), ("DESCENDING", names[::-1])):
            shown: JSON = {"customers": {"nodes": [{"name": name} for name in wanted]}}
            assert await plant.ask(MANAGER, document, direction=direction) == shown
            assert await hub.ask(DIRECTOR, document, direction=direction) == shown
    finally:
        plant.close()
