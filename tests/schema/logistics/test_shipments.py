"""Shipments over GraphQL: a list and a node of their own, apart from process records."""

from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.production.process_records import ProcessOrder, open_process
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import MANAGER, OPERATOR, Served, person

SHIPMENT = """id customerOrder shippedAt plant { code } customer { code }
  lines(first: 1) { totalCount pageInfo { hasNextPage } nodes { id quantity { amount unit } batch { code } } }"""


async def test_shipped_then_found_as_shipment_and_not_as_process_record(here: Plant, node: Served) -> None:
    milk, sugar = here.receive(), here.receive("RM-SUGAR")
    lines = tuple({"batchCode": code, "locationCode": "A1", "quantity": {"amount": "7", "unit": "KGM"}}
                  for code in (milk, sugar))  # fmt: skip
    given = {"customerCode": "C1", "customerOrder": "PO-5", "lines": lines}
    answer = await node.do(OPERATOR, "shipGoods", f"... on GoodsShipped {{ shipment {{ {SHIPMENT} }} }}", **given)
    shipped = answer["shipment"]
    (line,) = shipped["lines"].pop("nodes")
    assert line.pop("id")
    assert line == {"quantity": {"amount": "7", "unit": "KGM"}, "batch": {"code": milk}}
    assert shipped == {
        "id": shipped["id"], "customerOrder": "PO-5", "shippedAt": "2026-03-14T08:00:00.000000Z",
        "plant": {"code": "SH1"}, "customer": {"code": "C1"},
        "lines": {"totalCount": 2, "pageInfo": {"hasNextPage": True}},
    }  # fmt: skip
    here.do(open_process, ProcessOrder())
    document = """query($id: ID!) { shipment(id: $id) { id } node(id: $id) { id __typename }
      shipments { totalCount nodes { id } } processRecords { totalCount nodes { kind } } }"""
    assert await node.ask(MANAGER, document, id=shipped["id"]) == {
        "shipment": {"id": shipped["id"]},
        "node": {"id": shipped["id"], "__typename": "Shipment"},
        "shipments": {"totalCount": 1, "nodes": [{"id": shipped["id"]}]},
        "processRecords": {"totalCount": 1, "nodes": [{"kind": "PRODUCTION"}]},
    }


async def test_ids_of_others_then_null(here: Plant, node: Served) -> None:
    milk = here.receive()
    process = here.do(open_process, ProcessOrder()).payload["process"]["id"]
    entry = here.do(ship_batch, Shipment("C1", (StockLine(milk, "1", "KGM", "A1"),)))
    number = entry.payload["process"]["id"]
    document = "query($id: ID!) { shipment(id: $id) { id } }"
    unknown = [node_id("shipment", process), node_id("process", number), node_id("shipment", -1), str(number), ""]
    for one in unknown:
        assert await node.ask(MANAGER, document, id=one) == {"shipment": None}
    ids = [node_id("shipment-line", number, 1, entry.index, 0), node_id("shipment-line", process, 1, entry.index, 0),
           node_id("shipment", number)]  # fmt: skip
    nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await node.ask(MANAGER, nodes, ids=ids))["nodes"] == [{"id": ids[0]}, None, {"id": ids[2]}]
    assert (await node.ask(person(4), nodes, ids=ids))["nodes"] == [None, None, None]
