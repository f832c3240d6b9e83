"""Transfers over GraphQL: their plants, and their lines page by page with one balance each."""

from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.rules.logistics.transfers import transfer_manifest
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import DIRECTOR, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group

LINES = """query($id: ID!, $after: String) { transfer(id: $id) { differs source { code } destination { code }
  lines(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes {
    id batch { code } dispatched { amount } received { amount } difference { amount }
    balance { inTransit { amount } loss { amount } unexplained { amount } } } } } }"""


async def test_received_with_a_difference_then_lines_page_by_page_in_the_order_of_the_label(
    group: Group, hub: Served
) -> None:
    codes = [group.here.receive() for _ in range(3)]
    lines = tuple(StockLine(code, str(10 + number), "KGM", "A1") for number, code in enumerate(codes))
    sent = group.here.do(dispatch_transfer, Dispatch("NB1", lines))
    label = transfer_manifest(sent, group.here.origin)
    group.there.do(receive_transfer, TransferReceipt(label, "A1", (ReceiptLine(codes[1], "8", "A1"),)))
    group.hears()
    transfer = node_id("transfer", sent.payload["transfer"])
    first = (await hub.ask(DIRECTOR, LINES, id=transfer))["transfer"]
    assert (first["differs"], first["source"], first["destination"]) == (True, {"code": "SH1"}, {"code": "NB1"})
    assert (first["lines"]["totalCount"], first["lines"]["pageInfo"]["hasNextPage"]) == (3, True)
    second = (await hub.ask(DIRECTOR, LINES, id=transfer, after=first["lines"]["pageInfo"]["endCursor"]))["transfer"]
    assert second["lines"]["pageInfo"]["hasNextPage"] is False
    found = [*first["lines"]["nodes"], *second["lines"]["nodes"]]
    assert [one["batch"]["code"] for one in found] == codes
    assert [one["difference"]["amount"] for one in found] == ["0", "-3", "0"]
    assert [one["balance"]["loss"]["amount"] for one in found] == ["0", "3", "0"]
    assert {one["balance"]["unexplained"]["amount"] for one in found} == {"0"}
    ids = [one["id"] for one in found]
    nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on TransferLine { batch { code } } } }"
    expected = [{"id": one, "batch": {"code": code}} for one, code in zip(ids, codes, strict=True)]
    assert (await hub.ask(DIRECTOR, nodes, ids=ids))["nodes"] == expected
    assert (await hub.ask(person(4), nodes, ids=ids))["nodes"] == [None] * 3


async def test_asked_at_one_side_then_the_plant_that_one_may_not_see_is_null(group: Group, hub: Served) -> None:
    code = group.here.receive()
    sent = group.here.do(dispatch_transfer, Dispatch("NB1", (StockLine(code, "5", "KGM", "A1"),)))
    group.hears()
    transfer = node_id("transfer", sent.payload["transfer"])
    seen = (await hub.ask(MANAGER, LINES, id=transfer))["transfer"]
    assert (seen["source"], seen["destination"], seen["differs"]) == ({"code": "SH1"}, None, False)
    (line,) = seen["lines"]["nodes"]
    assert (line["received"], line["difference"], line["balance"]["inTransit"]) == (None, None, {"amount": "5"})


async def test_label_that_is_malformed_then_refused_in_the_union_and_nothing_changed(here: Plant, node: Served) -> None:
    here.receive()
    before = here.everything()
    for text in ("", " ", "x", "标签", "A" * 200_000, "eJyrVspPVrIC", "01 09506000134352"):
        answer = await node.do(OPERATOR, "receiveTransfer", "", manifest=text, locationCode="A1")
        assert answer["code"] == "TRANSFER_MANIFEST_INVALID"
    assert here.everything() == before
