"""Transfers over GraphQL: their plants, and their lines page by page with one balance each."""

from typing import Any

import pytest

from auth.actors import Actor, Role
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
from tests.schema.asking import DIRECTOR, JSON, MANAGER, OPERATOR, Served, person
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


LISTED = """query($filter: TransferFilter, $orderBy: TransferOrder, $after: String) {
  transfers(filter: $filter, orderBy: $orderBy, first: 1, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id } } }"""
ABLE = "query($id: ID!) { transfer(id: $id) { viewerCanReceive { allowed blockedBy { code } } } }"


@pytest.fixture
def sent(group: Group) -> list[int]:
    """Three transfers that were dispatched a day apart: received in full, received short, and in transit.

    Each receipt is 6 hours after its dispatch.
    """
    found = []
    group.there.clock.advance(hours=6)
    for amount in ("10", "20", "30"):
        code = group.here.receive()
        entry = group.here.do(dispatch_transfer, Dispatch("NB1", (StockLine(code, amount, "KGM", "A1"),)))
        found.append(entry.payload["transfer"])
        lines = (ReceiptLine(code, "15", "A1"),) if amount == "20" else ()
        if amount != "30":
            label = transfer_manifest(entry, group.here.origin)
            group.there.do(receive_transfer, TransferReceipt(label, "A1", lines))
        for plant in (group.here, group.there):
            plant.clock.advance(days=1)
    group.hears()
    return found


@pytest.mark.parametrize(
    "filter_, expected",
    [
        ({}, [2, 1, 0]),
        ({"sourceCode": {"eq": "SH1"}, "destinationCode": {"beginsWith": "NB"}}, [2, 1, 0]),
        ({"sourceCode": {"eq": "NB1"}}, []),
        ({"state": {"eq": "RECEIVED"}}, [1, 0]),
        ({"state": {"notIn": ["RECEIVED"]}}, [2]),
        ({"differs": True}, [1]),
        ({"differs": False}, [2, 0]),
        ({"dispatchedAt": {"from": "2026-03-15T08:00:00Z"}}, [2, 1]),
        ({"receivedAt": {"before": "2026-03-14T14:00:00Z"}}, []),
        ({"receivedAt": {"from": "2026-03-14T14:00:00Z", "before": "2026-03-15T14:00:00Z"}}, [0]),
        ({"receivedAt": {"from": "2026-03-15T14:00:00Z"}}, [1]),
    ],
)
async def test_filter_then_exactly_what_fits_in_both_directions(
    sent: list[int], hub: Served, filter_: dict[str, Any], expected: list[int]
) -> None:
    wanted = [node_id("transfer", sent[one]) for one in expected]
    assert await pages(hub, filter=filter_) == wanted
    for field in ("ORIGIN", "DISPATCHED_AT"):
        for direction, order in (("ASCENDING", wanted[::-1]), ("DESCENDING", wanted)):
            assert await pages(hub, filter=filter_, orderBy={"field": field, "direction": direction}) == order


async def test_receipt_that_one_may_not_see_then_its_difference_filters_nothing(sent: list[int], hub: Served) -> None:
    assert await pages(hub, MANAGER, filter={"differs": True}) == []
    assert await pages(hub, MANAGER, filter={"differs": False}) == [node_id("transfer", one) for one in sent[::-1]]


async def pages(node: Served, actor: Actor = DIRECTOR, **given: Any) -> list[str]:
    """Return the ids of a list, page by page."""
    found: list[str] = []
    after, more = None, True
    page: JSON = {}
    while more:
        page = (await node.ask(actor, LISTED, after=after, **given))["transfers"]
        found += [one["id"] for one in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert page["totalCount"] == len(found)
    return found


async def test_may_it_be_received_then_by_the_destination_alone_and_once(sent: list[int], hub: Served) -> None:
    received, open_ = (node_id("transfer", sent[one]) for one in (0, 2))
    there, here = (person(7, (one, Role.OPERATOR), (3 - one, Role.AUDITOR)) for one in (2, 1))
    for actor, transfer, code in (
        (there, open_, None),
        (there, received, "TRANSFER_RECEIVED"),
        (OPERATOR, open_, "NOT_PERMITTED"),
        (here, open_, "NOT_PERMITTED"),
    ):
        blocked = None if code is None else {"code": code}
        seen = (await hub.ask(actor, ABLE, id=transfer))["transfer"]["viewerCanReceive"]
        assert seen == {"allowed": code is None, "blockedBy": blocked}


async def test_label_that_is_malformed_then_refused_in_the_union_and_nothing_changed(here: Plant, node: Served) -> None:
    here.receive()
    before = here.everything()
    for text in ("", " ", "x", "标签", "A" * 200_000, "eJyrVspPVrIC", "01 09506000134352"):
        answer = await node.do(OPERATOR, "receiveTransfer", "", manifest=text, locationCode="A1")
        assert answer["code"] == "TRANSFER_MANIFEST_INVALID"
    assert here.everything() == before
