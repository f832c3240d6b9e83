"""Lists below a batch over GraphQL are paged and counted. A batch names its process records."""

from typing import Any

import pytest

from auth.actors import Role
from plants.commands.inventory.aliases import Naming, alias_batch
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.production.process_records import ProcessOrder
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Output
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.production.process_records import RunKind
from plants.rules.quality.holds import HoldKind
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, Served, person
from tests.schema.group import Group, chain

RUN = ProcessOrder(RunKind.PRODUCTION, job_order="JO-1")


async def paged(node: Served, code: str, part: str, shown: str, given: str = "") -> list[JSON]:
    """Return all nodes of a list below a batch, one page of two at a time, and check the count and the ids."""
    document = (
        f"query($code: BatchCode!, $after: String) {{ batch(code: $code) {{ {part}({given} first: 2, after: $after)"
        f" {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ id {shown} }} }} }} }}"
    )
    nodes: list[JSON] = []
    after: str | None = None
    while True:
        page = (await node.ask(MANAGER, document, code=code, after=after))["batch"][part]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert page["totalCount"] == len(nodes)
    found = await node.ask(MANAGER, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[one["id"] for one in nodes])
    assert found["nodes"] == [{"id": one.pop("id")} for one in nodes]
    return nodes


async def test_stock_and_aliases_then_all_pages_in_order_and_each_is_a_node(here: Plant, node: Served) -> None:
    code, other = here.receive(), here.receive(location="B1")
    here.do(move_batch, Move(code, "A1", "B1", "10", "KGM"))
    names = tuple(AliasOrder("OLD", f"N-{number}/漢") for number in range(3))
    here.do(alias_batch, Naming(code, names))
    stock = await paged(node, code, "stock", "location { code } quantity { amount }")
    assert stock == [
        {"location": {"code": "A1"}, "quantity": {"amount": "90"}},
        {"location": {"code": "B1"}, "quantity": {"amount": "10"}},
    ]
    assert len(await paged(node, other, "stock", "location { code }")) == 1
    assert await paged(node, code, "aliases", "scheme value") == [
        {"scheme": "OLD", "value": f"N-{number}/漢"} for number in range(3)
    ]
    assert await paged(node, other, "aliases", "scheme") == []


async def test_holds_then_filtered_by_what_they_show(here: Plant, node: Served) -> None:
    code = here.receive()
    kinds = HoldKind.QUALITY, HoldKind.PARAMETER_BREACH, HoldKind.QUALITY
    placed = [here.do(quarantine_batch, Quarantine(code, f"R{n}", kind)).index for n, kind in enumerate(kinds)]
    with here.store.transaction() as session:
        session.run("UPDATE holds SET lifted_idx = 99, lifted_us = 0 WHERE hold_id = :hold", {"hold": placed[0]})
    for given, wanted in (
        ("", [0, 1, 2]),
        ("filter: {}", [0, 1, 2]),
        ("filter: {open: true}", [1, 2]),
        ("filter: {open: false}", [0]),
        ("filter: {kind: {eq: QUALITY}}", [0, 2]),
        ("filter: {kind: {notIn: [QUALITY]}, open: true}", [1]),
    ):
        found = await paged(node, code, "holds", "reason open placedIndex", given)
        assert found == [
            {"reason": f"R{number}", "open": number != 0, "placedIndex": placed[number]} for number in wanted
        ]


async def test_holds_listed_twice_with_other_filters_then_each_list_has_its_own_nodes_and_count(
    here: Plant, node: Served
) -> None:
    code = here.receive()
    kinds = HoldKind.QUALITY, HoldKind.PARAMETER_BREACH, HoldKind.QUALITY
    for number, kind in enumerate(kinds):
        here.do(quarantine_batch, Quarantine(code, f"R{number}", kind))
    document = """query($code: BatchCode!) { batch(code: $code) {
      quality: holds(filter: { kind: { eq: QUALITY } }) { totalCount nodes { reason } }
      breaches: holds(filter: { kind: { eq: PARAMETER_BREACH } }) { totalCount nodes { reason } } } }"""
    assert (await node.ask(MANAGER, document, code=code))["batch"] == {
        "quality": {"totalCount": 2, "nodes": [{"reason": "R0"}, {"reason": "R2"}]},
        "breaches": {"totalCount": 1, "nodes": [{"reason": "R1"}]},
    }


async def test_history_of_many_batches_then_each_has_its_own(here: Plant, node: Served) -> None:
    codes = [here.receive() for _ in range(3)]
    here.do(move_batch, Move(codes[1], "A1", "B1", "10", "KGM"))
    document = "{ batches { nodes { code history(first: 1) { totalCount nodes { index type } } } } }"
    found = (await node.ask(AUDITOR, document))["batches"]["nodes"]
    assert [(one["code"], one["history"]["totalCount"]) for one in found] == list(zip(codes, [1, 2, 1], strict=True))
    first = found[0]["history"]["nodes"][0]
    assert [one["history"]["nodes"] for one in found] == [
        [{"index": first["index"] + number, "type": "BatchReceived"}] for number in range(3)
    ]
    for given, types in (
        ("", ["BatchReceived", "BatchMoved"]),
        ("orderBy: {field: RECORDED}", ["BatchReceived", "BatchMoved"]),
        ("orderBy: {field: RECORDED, direction: DESCENDING}", ["BatchMoved", "BatchReceived"]),
    ):
        assert [one["type"] for one in await paged(node, codes[1], "history", "type", f"{given} ")] == types


async def test_made_and_used_then_the_records_and_the_receipt_are_named(here: Plant, node: Served) -> None:
    order = Delivery("RM-MILK", "100", "KGM", "A1", supplier="S1", supplier_lot="L-7", order="PO-1")
    milk = str(here.do(receive_batch, order).envelope["key"])
    fed = tuple(StockLine(milk, amount, "KGM", "A1") for amount in ("6", "4"))  # one record for both lines
    run = ProductionRun(RUN, fed, (Output("FP-YOG", "9", "KGM", "A1"),))
    runs = []
    for _ in range(3):
        here.clock.advance(seconds=1)
        runs.append(here.do(record_production, run))
    here.do(ship_batch, Shipment("C1", (StockLine(milk, "5", "KGM", "A1"),), "CO-1"))
    document = """query($code: BatchCode!) { batch(code: $code) { supplierLot purchaseOrder madeBy { id jobOrder }
      usedBy { totalCount nodes { id } } } }"""
    assert (await node.ask(MANAGER, document, code=milk))["batch"] == {
        "supplierLot": "L-7", "purchaseOrder": "PO-1", "madeBy": None,
        "usedBy": {
            "totalCount": 3, "nodes": [{"id": node_id("process", int(run.envelope["key"]))} for run in runs],
        },
    }  # fmt: skip
    yoghurt = str(runs[1].payload["batches"][0]["code"])
    assert (await node.ask(MANAGER, document, code=yoghurt))["batch"] == {
        "supplierLot": None, "purchaseOrder": None,
        "madeBy": {"id": node_id("process", int(runs[1].envelope["key"])), "jobOrder": "JO-1"},
        "usedBy": {"totalCount": 0, "nodes": []},
    }  # fmt: skip
    for direction, ordered in (("ASCENDING", runs), ("DESCENDING", runs[::-1])):
        for field in ("ORIGIN", "OPENED_AT", "CLOSED_AT"):
            sorting = f"orderBy: {{field: {field}, direction: {direction}}}"
            used = await paged(node, milk, "usedBy", "openedAt", sorting)
            assert [one["openedAt"] for one in used] == [run.payload["process"]["opened_at"] for run in ordered]
    traced = "query($input: TraceInput!) { trace(input: $input) { unknownNames batches { totalCount } } }"
    given = {"purchaseOrders": ["PO-1", "PO-2"], "direction": "FORWARD"}
    found = await node.ask(MANAGER, traced, input=given)
    assert found["trace"] == {"unknownNames": ["PO-2"], "batches": {"totalCount": 4}}


async def test_receipt_of_a_plant_that_one_may_not_see_then_lot_and_order_are_null(group: Group, hub: Served) -> None:
    goods = chain(group)
    document = "query($code: BatchCode!) { batch(code: $code) { supplierLot madeBy { id } usedBy { totalCount } } }"
    seen = (await hub.ask(DIRECTOR, document, code=goods.milk))["batch"]
    assert seen == {"supplierLot": "L-7", "madeBy": None, "usedBy": {"totalCount": 1}}
    there = person(6, (2, Role.MANAGER))
    assert (await hub.ask(there, document, code=goods.milk))["batch"] is None
    yoghurt = (await hub.ask(there, document, code=goods.yoghurt))["batch"]
    assert yoghurt == {"supplierLot": None, "madeBy": None, "usedBy": {"totalCount": 0}}


@pytest.mark.parametrize(
    "state, move, use",
    [
        ("free", None, None),
        ("held", None, "BATCH_ON_HOLD"),
        ("in the last hour of use", None, None),
        ("expired", None, "BATCH_EXPIRED"),
    ],
)
async def test_what_the_viewer_may_do_with_goods_then_as_the_mutations_answer(
    here: Plant, node: Served, state: str, move: str | None, use: str | None
) -> None:
    code = here.receive("FP-YOG")
    if state == "held":
        here.do(quarantine_batch, Quarantine(code, "Seal broken", HoldKind.QUALITY))
    # The last day of use ends at the plant's own midnight, 16:00 UTC.
    if state in {"in the last hour of use", "expired"}:
        here.clock.advance(days=21, hours=8 if state == "expired" else 7)
    document = """query($code: BatchCode!) { batch(code: $code) { atPlants { onHold inStock usable
      viewerCanMove { allowed blockedBy { code } } viewerCanShip { allowed blockedBy { code } }
      viewerCanTransfer { allowed blockedBy { code } } } } }"""

    async def asked(actor: Any) -> JSON:
        return dict((await node.ask(actor, document, code=code))["batch"]["atPlants"][0])

    def ability(refusal: str | None) -> JSON:
        return {"allowed": refusal is None, "blockedBy": None if refusal is None else {"code": refusal}}

    assert await asked(OPERATOR) == {
        "onHold": state == "held", "inStock": True, "usable": use is None, "viewerCanMove": ability(move),
        "viewerCanShip": ability(use), "viewerCanTransfer": ability(use),
    }  # fmt: skip
    line = {"batchCode": code, "locationCode": "A1", "quantity": {"amount": "1", "unit": "KGM"}}
    shipped = await node.do(OPERATOR, "shipGoods", "", customerCode="C1", lines=[line])
    assert shipped.get("code") == use
    for name in ("viewerCanMove", "viewerCanShip", "viewerCanTransfer"):
        assert (await asked(AUDITOR))[name] == ability("NOT_PERMITTED")
