"""Lists of batches and stock over GraphQL: filters mirror the fields that they test, orders page in both directions."""

from typing import Any

import pytest

from auth.actors import Role
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.quality.holds import HoldKind
from schema.engine.limits import VALUES_MAX
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import DIRECTOR, JSON, MANAGER, Served, person
from tests.schema.group import Group, chain, send

BATCHES = """query($filter: BatchFilter, $orderBy: BatchOrder, $first: Int, $after: String) {
  batches(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { code } } }"""
STOCK = """query($filter: StockFilter) { stock(filter: $filter) {
  totalCount nodes { plant { code } batch { code } location { code } } } }"""


async def listed(node: Served, wanted: JSON | None = None, order: JSON | None = None, first: int = 50) -> list[str]:
    """Return the codes of all pages, and check that they are as many as counted."""
    codes: list[str] = []
    after: str | None = None
    while True:
        asked = {"filter": wanted, "orderBy": order, "first": first, "after": after}
        page = (await node.ask(DIRECTOR if not node.services.plant else MANAGER, BATCHES, **asked))["batches"]
        codes += [one["code"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(codes)
            return codes


@pytest.fixture
def goods(here: Plant) -> dict[str, str]:
    """Four batches of the plant by a short name, received at successive seconds."""
    made: dict[str, str] = {}
    for name, order in {
        "milk": Delivery("RM-MILK", "100", "KGM", "A1", supplier="S1", supplier_lot="L-7", order="PO-1", grade="I"),
        "sugar": Delivery("RM-SUGAR", "5", "KGM", "B1", order="PO-2", grade="II"),
        "yoghurt": Delivery("FP-YOG", "7", "KGM", "A1"),
        "cups": Delivery("PK-CUP", "9", "H87", "A1", aliases=(AliasOrder("OLD", "C-1"),)),
    }.items():
        made[name] = str(here.do(receive_batch, order).envelope["key"])
        here.clock.advance(seconds=1)
    here.do(quarantine_batch, Quarantine(made["yoghurt"], "Seal broken", HoldKind.QUALITY))
    return made


@pytest.mark.parametrize(
    "wanted, names",
    [
        ({}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"code": None, "onHold": None, "disposition": {"eq": None}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"code": {"beginsWith": "SH1"}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"code": {"beginsWith": "sh1"}}, []),
        ({"materialCode": {"eq": "RM-MILK"}}, ["milk"]),
        ({"materialCode": {"in": ["RM-MILK", "PK-CUP"]}}, ["milk", "cups"]),
        ({"materialCode": {"beginsWith": "RM-"}}, ["milk", "sugar"]),
        ({"materialCode": {"beginsWith": "RM-", "in": ["RM-SUGAR", "PK-CUP"]}}, ["sugar"]),
        ({"supplierCode": {"eq": "S1"}}, ["milk"]),
        ({"supplierLot": {"eq": "L-7"}}, ["milk"]),
        ({"supplierLot": {"in": ["L-8"]}}, []),
        ({"purchaseOrder": {"beginsWith": "PO-"}}, ["milk", "sugar"]),
        ({"purchaseOrder": {"eq": "PO-2"}, "supplierLot": {"eq": "L-7"}}, []),
        ({"originCode": {"eq": "SH1"}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"originCode": {"eq": "NB1"}}, []),
        ({"grade": {"in": ["I", "II"]}}, ["milk", "sugar"]),
        ({"plantCode": {"eq": "SH1"}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"plantCode": {"in": ["NB1"]}}, []),
        ({"aliases": {"value": {"eq": "L-7"}}}, ["milk"]),
        ({"aliases": {"scheme": {"in": ["OLD", "SUPPLIER_LOT"]}}}, ["milk", "cups"]),
        ({"aliases": {"scheme": {"eq": "OLD"}, "value": {"eq": "L-7"}}}, []),
        ({"aliases": {"issuerCode": {"eq": "S1"}}}, ["milk"]),
        ({"disposition": {"eq": "UNRESTRICTED"}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"disposition": {"in": ["CLOSED", "RESTRICTED"]}}, []),
        ({"disposition": {"notIn": ["CLOSED"]}}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"onHold": True}, ["yoghurt"]),
        ({"onHold": False}, ["milk", "sugar", "cups"]),
        ({"inStock": True}, ["milk", "sugar", "yoghurt", "cups"]),
        ({"inStock": False}, []),
        ({"expiresOn": {"from": "2026-04-04", "before": "2026-04-13"}}, ["yoghurt"]),
        ({"expiresOn": {"before": "2026-04-14"}}, ["milk", "yoghurt"]),
        ({"retestOn": {"from": "2026-01-01"}}, ["yoghurt"]),
        ({"producedAt": {"from": "2026-03-14T08:00:01Z", "before": "2026-03-14T08:00:03Z"}}, ["sugar", "yoghurt"]),
    ],
)
async def test_filter_then_the_batches_whose_fields_match_in_pages(
    goods: dict[str, str], node: Served, wanted: JSON, names: list[str]
) -> None:
    assert await listed(node, wanted, first=1) == [goods[name] for name in names]


@pytest.mark.parametrize(
    "field, names",
    [
        (None, ["milk", "sugar", "yoghurt", "cups"]),
        ("ORIGIN", ["milk", "sugar", "yoghurt", "cups"]),
        ("PRODUCED_AT", ["milk", "sugar", "yoghurt", "cups"]),
        ("CODE", ["milk", "sugar", "yoghurt", "cups"]),
    ],
)
async def test_order_then_pages_in_it_and_in_its_reverse(
    goods: dict[str, str], node: Served, field: str | None, names: list[str]
) -> None:
    codes = [goods[name] for name in names]
    assert await listed(node, order=None if field is None else {"field": field}, first=3) == codes
    if field is not None:
        for direction, wanted in (("ASCENDING", codes), ("DESCENDING", codes[::-1])):
            assert await listed(node, order={"field": field, "direction": direction}, first=3) == wanted


async def test_order_by_expiry_then_what_does_not_expire_comes_last_in_both_directions(
    goods: dict[str, str], node: Served
) -> None:
    for direction, names in (
        ("ASCENDING", ["yoghurt", "milk", "sugar", "cups"]),
        ("DESCENDING", ["milk", "yoghurt", "cups", "sugar"]),
    ):
        order = {"field": "EXPIRES_ON", "direction": direction}
        assert await listed(node, order=order, first=1) == [goods[name] for name in names]


async def test_expiry_differs_by_plant_then_filtered_pages_miss_nothing(group: Group, hub: Served) -> None:
    codes = [group.here.receive("FP-YOG", "10") for _ in range(4)]
    for code in codes:
        send(group, code, "4")
    group.hears()
    # NB1 restated the first two, so that they sort last there and first at their origin.
    with group.hub.store.transaction() as session:
        for number, code in enumerate(codes[:2]):
            session.run(
                "UPDATE batches SET expires_on = :day WHERE code = :code AND plant_id = 2",
                {"day": f"2027-01-0{number + 1}", "code": code},
            )
    wanted = [codes[2], codes[3], codes[0], codes[1]]
    order = {"field": "EXPIRES_ON"}
    assert await listed(hub, {"plantCode": {"eq": "NB1"}}, order, first=1) == wanted


async def test_origin_filter_at_the_hub_then_the_batches_that_the_plant_made(group: Group, hub: Served) -> None:
    goods = chain(group)
    assert await listed(hub, {"originCode": {"eq": "SH1"}}) == [goods.milk, goods.yoghurt]
    assert await listed(hub, {"originCode": {"eq": "SH1"}, "plantCode": {"eq": "NB1"}}) == [goods.yoghurt]
    assert await listed(hub, {"originCode": {"eq": "NB1"}}) == []
    assert await listed(hub, {"supplierLot": {"eq": "L-7"}, "plantCode": {"eq": "NB1"}}) == []
    assert await listed(hub, {"supplierLot": {"eq": "L-7"}}) == [goods.milk]


BATCH_CODE = """query($batch: String!) {
  processRecords(filter: {batchCode: {eq: $batch}}) { totalCount nodes { id } }
  shipments(filter: {batchCode: {eq: $batch}}) { totalCount nodes { id } }
  transfers(filter: {batchCode: {eq: $batch}}) { totalCount nodes { id } } }"""


async def test_filter_by_batch_then_the_records_that_its_goods_went_through(group: Group, hub: Served) -> None:
    goods = chain(group)
    other = group.here.receive("RM-MILK")
    group.here.do(ship_batch, Shipment("C1", (StockLine(other, "5", "KGM", "A1"),), "CO-1"))
    send(group, other, "5")
    group.hears()
    run, shipment, transfer = (
        [{"id": node_id(kind, number)}]
        for kind, number in (("process", goods.run), ("shipment", goods.shipment), ("transfer", goods.transfer))
    )
    for batch, wanted in (
        (goods.milk, (run, [], [])),
        (goods.yoghurt, (run, shipment, transfer)),
        ("SH1-NONE", ([], [], [])),
    ):
        found = await hub.ask(DIRECTOR, BATCH_CODE, batch=batch)
        assert tuple(found[name]["nodes"] for name in ("processRecords", "shipments", "transfers")) == wanted
        assert [found[name]["totalCount"] for name in found] == [len(one) for one in wanted]


async def test_filters_of_one_plants_goods_then_another_plants_goods_do_not_count(group: Group, hub: Served) -> None:
    milk = group.here.receive(amount="10")
    send(group, milk, "10")
    group.there.do(alias_batch, Naming(milk, (AliasOrder("LINE_TAG", "T-1"),)))
    group.hears()
    alias = {"aliases": {"value": {"eq": "T-1"}}}
    for wanted, found in (
        ({"inStock": True}, {"NB1"}),
        ({"inStock": False}, {"SH1"}),
        (alias, {"NB1"}),
    ):
        for plant in ("SH1", "NB1"):
            given = {"plantCode": {"eq": plant}, **wanted}
            assert (given, await listed(hub, given)) == (given, [milk] if plant in found else [])
    one_plant = person(5, (1, Role.MANAGER))
    assert (await hub.ask(one_plant, BATCHES, filter=alias))["batches"]["nodes"] == []


async def test_alias_ended_then_it_finds_nothing(here: Plant, goods: dict[str, str], node: Served) -> None:
    naming = Naming(goods["cups"], (AliasOrder("OLD", "C-1"),))
    here.do(end_alias, naming)
    assert await listed(node, {"aliases": {"value": {"eq": "C-1"}}}) == []
    here.do(alias_batch, Naming(goods["sugar"], naming.aliases))
    assert await listed(node, {"aliases": {"value": {"eq": "C-1"}}}) == [goods["sugar"]]


async def test_too_many_values_then_refused_by_the_limit_in_the_callers_language(node: Served) -> None:
    for wanted in ({"code": {"in": ["A"] * (VALUES_MAX + 1)}}, {"disposition": {"notIn": ["CLOSED"] * 101}}):
        answer = await node.answer(MANAGER, BATCHES, "zh", filter=wanted)
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert "100" in error["message"]
        assert "filter" not in error["message"]
    assert (await node.ask(MANAGER, BATCHES, filter={"code": {"in": ["A"] * VALUES_MAX}}))["batches"]["nodes"] == []


@pytest.mark.parametrize(
    "given, rows",
    [
        ({}, [("SH1", "milk", "A1"), ("SH1", "yoghurt", "A1"), ("NB1", "yoghurt", "A1")]),
        ({"plantCode": {"eq": "NB1"}}, [("NB1", "yoghurt", "A1")]),
        ({"materialCode": {"beginsWith": "FP"}}, [("SH1", "yoghurt", "A1"), ("NB1", "yoghurt", "A1")]),
        (
            {"locationCode": {"in": ["A1"]}, "plantCode": {"in": ["SH1"]}},
            [("SH1", "milk", "A1"), ("SH1", "yoghurt", "A1")],
        ),
        ({"locationCode": {"eq": "B1"}}, []),
        ({"batchCode": {"eq": "NB1-NONE"}}, []),
    ],
)
async def test_stock_filter_then_the_rows_whose_fields_match(
    group: Group, hub: Served, given: JSON, rows: list[tuple[str, ...]]
) -> None:
    goods: Any = chain(group)
    found = (await hub.ask(DIRECTOR, STOCK, filter=given))["stock"]
    found_rows = [(one["plant"]["code"], one["batch"]["code"], one["location"]["code"]) for one in found["nodes"]]
    assert found_rows == [(plant, getattr(goods, name), location) for plant, name, location in rows]
    assert found["totalCount"] == len(rows)
