"""Traces over GraphQL: exact batches and quantities, limited to visible plants."""

from typing import Any

import pytest
from graphql import parse, validate

from api.trace import client
from auth.actors import Role
from infra.roles import Role as NodeRole
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.store.genealogy import walks as genealogy
from plants.store.traceability import trace_summary
from schema.engine.contracts import contract
from schema.engine.node_ids import node_id
from schema.traceability import trace_queries
from tests.factories import Plant
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, Served, person
from tests.schema.group import Group, chain

HERE = person(5, (1, Role.AUDITOR))
THERE = person(6, (2, Role.AUDITOR))
NOBODY = person(7)


def tracing(wanted: str) -> str:
    return f"query($input: TraceInput!) {{ trace(input: $input) {{ {wanted} }} }}"


async def traced(node: Served, wanted: str, actor: Any = DIRECTOR, **given: Any) -> JSON:
    return dict((await node.ask(actor, tracing(wanted), input=given))["trace"])


async def test_forward_from_a_supplier_lot_then_batches_with_distance_and_contribution(
    group: Group, hub: Served
) -> None:
    goods = chain(group)
    wanted = """direction unknownNames starts { nodes { ... on TracedBatch { code } } }
      batches { totalCount nodes { code distance materialCode material { name } quantityMade { amount unit } expiresOn
        origin { code } batch { id code } batchId contribution { least { amount unit } most { amount unit } }
        atPlants { plant { code } disposition onHand { amount unit } onHold } } }"""
    found = await traced(hub, wanted, supplierLots=["L-7"], direction="FORWARD")
    assert (found["direction"], found["unknownNames"]) == ("FORWARD", [])
    assert found["starts"] == {"nodes": [{"code": goods.milk}]}
    assert found["batches"]["totalCount"] == 2
    milk, yoghurt = found["batches"]["nodes"]
    assert (milk["code"], milk["distance"], milk["origin"]) == (goods.milk, 0, {"code": "SH1"})
    assert yoghurt["batch"] == {"id": yoghurt["batchId"], "code": goods.yoghurt}
    assert (yoghurt["distance"], yoghurt["materialCode"], yoghurt["expiresOn"]) == (1, "FP-YOG", "2026-04-04")
    assert yoghurt["material"] == {"name": "Yoghurt 酸奶"}
    assert yoghurt["quantityMade"] == {"amount": "60", "unit": "KGM"}
    assert yoghurt["contribution"] == {
        "least": {"amount": "60", "unit": "KGM"}, "most": {"amount": "60", "unit": "KGM"},
    }  # fmt: skip
    assert yoghurt["atPlants"] == [
        {"plant": {"code": code}, "disposition": "UNRESTRICTED", "onHand": {"amount": amount, "unit": "KGM"},
         "onHold": False}
        for code, amount in (("SH1", "20"), ("NB1", "25"))
    ]  # fmt: skip


async def test_backward_from_an_order_then_everything_it_was_made_of_and_no_contribution(
    group: Group, hub: Served
) -> None:
    goods = chain(group)
    wanted = (
        "starts { totalCount nodes { ... on TracedProcess { nodeId distance customerOrder } } }"
        " batches { nodes { code distance contribution { most { amount } } } }"
    )
    for given in ({"customerOrders": ["PO-9"]}, {"customerCodes": ["C1"]}):
        found = await traced(hub, wanted, direction="BACKWARD", **given)
        assert found == {
            "starts": {
                "totalCount": 1,
                "nodes": [{"nodeId": node_id("shipment", goods.shipment), "distance": 1, "customerOrder": "PO-9"}],
            },
            "batches": {
                "nodes": [
                    {"code": goods.yoghurt, "distance": 1, "contribution": None},
                    {"code": goods.milk, "distance": 2, "contribution": None},
                ]
            },
        }


async def test_edges_then_each_with_its_own_quantity_page_by_page(group: Group, hub: Served) -> None:
    goods = chain(group)
    milk, yoghurt = group.here.batch_id(goods.milk), group.here.batch_id(goods.yoghurt)
    document = """query($input: TraceInput!, $after: String) { trace(input: $input) { links(first: 2, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { sourceId targetId intoProcess use quantity { amount } plant { code } process { kind } } } } }"""
    edges, after, more = [], None, True
    while more:
        answer = await hub.ask(DIRECTOR, document, input={"batchCodes": [goods.milk]}, after=after)
        page = answer["trace"]["links"]
        assert page["totalCount"] == 5
        edges += [tuple(node.values()) for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    batch, run = node_id("batch", yoghurt), node_id("process", goods.run)
    transfer, shipment = node_id("transfer", goods.transfer), node_id("shipment", goods.shipment)
    assert edges == [
        (node_id("batch", milk), run, True, "CONSUMED", {"amount": "80"}, {"code": "SH1"}, {"kind": "PRODUCTION"}),
        (run, batch, False, "PRODUCED", {"amount": "60"}, {"code": "SH1"}, {"kind": "PRODUCTION"}),
        (batch, transfer, True, "TRANSFERRED", {"amount": "40"}, {"code": "SH1"}, {"kind": "TRANSFER"}),
        (batch, shipment, True, "SHIPPED", {"amount": "15"}, {"code": "NB1"}, {"kind": "SHIPMENT"}),
        (transfer, batch, False, "TRANSFERRED", {"amount": "40"}, {"code": "NB1"}, {"kind": "TRANSFER"}),
    ]
    answer = await hub.answer(DIRECTOR, document, input={"batchCodes": [goods.yoghurt]}, after=after)
    assert answer["errors"][0]["extensions"] == {"code": "CURSOR_INVALID"}


async def test_summary_then_exact_figures_by_plant_material_and_customer(group: Group, hub: Served) -> None:
    goods = chain(group)
    wanted = """summary { batchCount processCount transferCount linkCount depth unstatedCount
      shares { totalCount nodes {
        plant { code } materialCode knownCount batchCount quantityMade { amount } onHand { amount } } }
      deliveries { nodes {
        plant { code } customerCode customer { name } shipmentCount batchCount quantity { amount unit } } }
      flows { nodes { plant { code } takenFrom putIn quantity { amount } } } }"""
    summary = (await traced(hub, wanted, batchCodes=[goods.milk], direction="FORWARD"))["summary"]
    figures = ("batchCount", "processCount", "transferCount", "linkCount", "depth", "unstatedCount")
    assert [summary[name] for name in figures] == [2, 2, 1, 5, 1, 0]
    shares = [
        (one["plant"]["code"], one["materialCode"], one["knownCount"], one["batchCount"], one["quantityMade"]["amount"],
         one["onHand"]["amount"])
        for one in summary["shares"]["nodes"]
    ]  # fmt: skip
    assert shares == [
        ("SH1", "FP-YOG", 1, 1, "60", "20"),
        ("SH1", "RM-MILK", 1, 1, "100", "20"),
        ("NB1", "FP-YOG", 1, 0, "0", "25"),
    ]
    assert summary["deliveries"]["nodes"] == [
        {
            "plant": {"code": "NB1"}, "customerCode": "C1", "customer": {"name": "Corner shop 便利店"},
            "shipmentCount": 1, "batchCount": 1, "quantity": {"amount": "15", "unit": "KGM"},
        }
    ]  # fmt: skip
    flows = [
        (one["plant"]["code"], one["takenFrom"], one["putIn"], one["quantity"]["amount"])
        for one in summary["flows"]["nodes"]
    ]
    assert flows == [
        ("SH1", "PROCESS", "STOCK", "60"),
        ("SH1", "STOCK", "PROCESS", "120"),
        ("SH1", "SUPPLIER", "STOCK", "100"),
        ("NB1", "PROCESS", "STOCK", "40"),
        ("NB1", "STOCK", "PROCESS", "15"),
    ]


async def test_paths_then_the_way_of_the_goods_whichever_way_the_trace_looks(group: Group, hub: Served) -> None:
    goods = chain(group)
    way = [node_id("batch", group.here.batch_id(goods.milk)), node_id("process", goods.run)]
    way.append(node_id("batch", group.here.batch_id(goods.yoghurt)))
    for start, direction, goal in (
        (goods.milk, "FORWARD", goods.yoghurt),
        (goods.milk, "BOTH", goods.yoghurt),
        (goods.yoghurt, "BACKWARD", goods.milk),
    ):
        steps = (
            "steps { totalCount nodes { nodeId node { ... on TracedBatch { code } ... on TracedProcess { kind } } } }"
        )
        wanted = f'paths(toBatchCode: "{goal}") {{ totalCount nodes {{ length {steps} }} }}'
        nodes: list[JSON] = [{"code": goods.milk}, {"kind": "PRODUCTION"}, {"code": goods.yoghurt}]
        stepped = [{"nodeId": name, "node": node} for name, node in zip(way, nodes, strict=True)]
        assert (await traced(hub, wanted, batchCodes=[start], direction=direction))["paths"] == {
            "totalCount": 1, "nodes": [{"length": 1, "steps": {"totalCount": 3, "nodes": stepped}}],
        }  # fmt: skip
    for goal in ("SH1-NONE", goods.milk):
        wanted = f'paths(toBatchCode: "{goal}") {{ totalCount nodes {{ length }} }}'
        found = await traced(hub, wanted, batchCodes=[goods.yoghurt], direction="FORWARD")
        assert found["paths"] == {"totalCount": 0, "nodes": []}


@pytest.mark.parametrize(
    "sought, codes",
    [
        ({"plantCode": {"eq": "NB1"}}, ["yoghurt"]),
        ({"materialCode": {"eq": "RM-MILK"}}, ["milk"]),
        ({"code": {"beginsWith": "SH1"}}, ["milk", "yoghurt"]),
        ({"code": {"eq": "SH1-NONE"}}, []),
        ({"plantCode": {"eq": "NB1"}, "materialCode": {"eq": "RM-MILK"}}, []),
        ({"distance": {"before": 1}}, ["milk"]),
        ({"distance": {"from": 1}}, ["yoghurt"]),
        ({"inStock": True}, ["milk", "yoghurt"]),
        ({"inStock": False}, []),
        ({"onHold": True}, []),
        ({"disposition": {"eq": "UNRESTRICTED"}}, ["milk", "yoghurt"]),
        ({"disposition": {"in": ["CLOSED"]}}, []),
    ],
)
async def test_batches_wanted_then_those_alone(group: Group, hub: Served, sought: JSON, codes: list[str]) -> None:
    goods = chain(group)
    document = """query($input: TraceInput!, $filter: TracedBatchFilter) { trace(input: $input) {
      batches(filter: $filter) { totalCount nodes { code } } } }"""
    given = {"batchCodes": [goods.milk], "direction": "FORWARD"}
    found = (await hub.ask(DIRECTOR, document, input=given, filter=sought))["trace"]["batches"]
    expected = [{"code": getattr(goods, name)} for name in codes]
    assert found == {"totalCount": len(expected), "nodes": expected}


@pytest.mark.parametrize(
    "field, is_stated, ascending, descending",
    [
        ("DISTANCE", True, ["yoghurt", "milk"], ["milk", "yoghurt"]),
        ("CODE", True, ["milk", "yoghurt"], ["yoghurt", "milk"]),
        ("PRODUCED_AT", True, ["milk", "yoghurt"], ["yoghurt", "milk"]),
        ("DISTANCE", False, ["yoghurt", None], [None, "yoghurt"]),
        ("CODE", False, ["yoghurt", None], ["yoghurt", None]),
        ("PRODUCED_AT", False, ["yoghurt", None], ["yoghurt", None]),
    ],
)
async def test_batches_in_an_order_then_pages_in_it_and_those_not_stated_last(
    group: Group, hub: Served, field: str, ascending: list[str | None], descending: list[str | None], *, is_stated: bool
) -> None:
    goods = chain(group)
    if not is_stated:
        with group.hub.store.transaction() as session:
            session.run("DELETE FROM batches WHERE code = :code", {"code": goods.milk})
    document = """query($input: TraceInput!, $order: TracedBatchOrder, $after: String) { trace(input: $input) {
      batches(orderBy: $order, first: 1, after: $after) { pageInfo { hasNextPage endCursor } nodes { code } } } }"""
    start = {"batchCodes": [goods.yoghurt], "direction": "BACKWARD"}
    for direction, names in (("ASCENDING", ascending), ("DESCENDING", descending)):
        found: list[str | None] = []
        after, more = None, True
        while more:
            order = {"field": field, "direction": direction}
            page = (await hub.ask(DIRECTOR, document, input=start, order=order, after=after))["trace"]["batches"]
            found += [one["code"] for one in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert found == [None if name is None else getattr(goods, name) for name in names]


async def test_heard_to_the_end_then_complete_as_of_each_checkpoint(group: Group, hub: Served) -> None:
    goods = chain(group)
    group.checkpointed()
    group.here.clock.advance(seconds=90)
    wanted = """completeness { complete gaps { nodes { kind } }
      asOf { plant { code } size root checkpointAt lagSeconds } }"""
    found = (await traced(hub, wanted, supplierLots=["L-7"], direction="FORWARD"))["completeness"]
    assert (found["complete"], found["gaps"]) == (True, {"nodes": []})
    marks = [(one["plant"]["code"], one["size"], one["checkpointAt"], one["lagSeconds"]) for one in found["asOf"]]
    at = "2026-03-14T08:00:00.000000Z"
    assert marks == [("SH1", 13, at, 90), ("NB1", 12, at, 90)]
    assert all(len(one["root"]) == 64 for one in found["asOf"])
    unknown = await traced(hub, "unknownNames completeness { complete }", batchCodes=[goods.milk, "SH1-NONE"])
    assert unknown == {"unknownNames": ["SH1-NONE"], "completeness": {"complete": False}}


@pytest.mark.parametrize("given", [{}, {"batchCodes": []}, {"aliases": [], "jobOrders": [], "direction": "FORWARD"}])
async def test_no_name_then_refused_in_the_callers_language(group: Group, hub: Served, given: dict[str, Any]) -> None:
    chain(group)
    asked = tracing("completeness { complete }")
    for language, text in (("en", "The trace has no start."), ("zh", "追溯没有起点")):
        answer = await hub.answer(DIRECTOR, asked, language, input=given)
        (error,) = answer["errors"]
        assert (answer["data"], error["extensions"]["code"]) == (None, "TRACE_START_MISSING")
        assert error["message"].startswith(text)


async def test_every_name_unknown_then_nothing_is_found_and_not_complete(group: Group, hub: Served) -> None:
    goods = chain(group)
    wanted = "unknownNames batches { totalCount } completeness { complete }"
    names = {
        "batchCodes": ["SH1-NONE"], "aliases": [""], "supplierLots": ["L-0"], "purchaseOrders": ["PO-0"],
        "jobOrders": ["PO-9"], "customerOrders": ["JO-1"], "customerCodes": ["C0"],
    }  # fmt: skip
    for name, values in names.items():
        found = await traced(hub, wanted, **{name: values})
        assert found == {"unknownNames": values, "batches": {"totalCount": 0}, "completeness": {"complete": False}}
    # A batch that exists where the caller may not see it is unknown to the caller.
    unseen = await traced(hub, wanted, actor=THERE, jobOrders=["JO-1"])
    assert unseen == {"unknownNames": ["JO-1"], "batches": {"totalCount": 0}, "completeness": {"complete": False}}
    given = {"batchCodes": [goods.milk]}
    assert await hub.refuses(NOBODY, tracing(wanted), input=given) == ["trace"]


async def test_goods_on_the_road_then_the_gap_names_them(group: Group, hub: Served) -> None:
    goods = chain(group)
    group.checkpointed()
    sent = group.here.do(dispatch_transfer, Dispatch("NB1", (StockLine(goods.milk, "5", "KGM", "A1"),)))
    group.hears()
    group.checkpointed()
    wanted = """completeness { complete gaps { nodes {
      kind plantCode plant { code } transferId batches { nodes { code } } } } }"""
    assert (await traced(hub, wanted, batchCodes=[goods.milk], direction="FORWARD"))["completeness"] == {
        "complete": False,
        "gaps": {"nodes": [
            {
                "kind": "IN_TRANSIT", "plantCode": "NB1", "plant": {"code": "NB1"},
                "transferId": node_id("transfer", int(sent.envelope["key"])),
                "batches": {"nodes": [{"code": goods.milk}]},
            }
        ]},
    }  # fmt: skip


async def test_chain_goes_on_at_a_plant_that_one_may_not_see_then_only_that_is_said(group: Group, hub: Served) -> None:
    goods = chain(group)
    group.checkpointed()
    wanted = """batches { nodes { code } } links { nodes { plant { code } } }
      completeness { complete asOf { plant { code } } gaps { nodes { kind plantCode plant { code } } } }"""
    found = await traced(hub, wanted, HERE, batchCodes=[goods.milk], direction="FORWARD")
    assert [one["code"] for one in found["batches"]["nodes"]] == [goods.milk, goods.yoghurt]
    assert {one["plant"]["code"] for one in found["links"]["nodes"]} == {"SH1"}
    assert found["completeness"] == {
        "complete": False,
        "asOf": [{"plant": {"code": "SH1"}}],
        "gaps": {"nodes": [{"kind": "OTHER_PLANT", "plantCode": "NB1", "plant": None}]},
    }


async def test_names_of_another_plant_then_answered_like_names_of_nothing(group: Group, hub: Served) -> None:
    goods = chain(group)
    wanted = """unknownNames starts { totalCount nodes { __typename } }
      summary { batchCount processCount linkCount depth unstatedCount shares { nodes { knownCount } }
        deliveries { totalCount } flows { nodes { putIn } } }
      batches { totalCount nodes { code } } links { totalCount } paths(toBatchCode: "SH1-NONE") { totalCount }
      completeness { complete gaps { nodes { kind plantCode } } }"""
    for name, value in (("batchCodes", goods.milk), ("supplierLots", "L-7"), ("jobOrders", "JO-1")):
        seen = await traced(hub, wanted, THERE, **{name: [value]})
        nothing = await traced(hub, wanted, THERE, **{name: ["X"]})
        assert seen.pop("unknownNames") == [value]
        assert nothing.pop("unknownNames") == ["X"]
        assert seen == nothing
        assert seen["summary"]["batchCount"] == 0


async def test_only_figures_that_are_asked_for_are_worked_out_and_the_walk_once(
    group: Group, hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods = chain(group)
    done: list[str] = []

    def noting(module: Any, name: str) -> None:
        real = getattr(module, name)

        def noted(*args: Any, **given: Any) -> Any:
            done.append(name)
            return real(*args, **given)

        monkeypatch.setattr(module, name, noted)

    for name in ("summary", "contributions", "flows"):
        noting(trace_summary, name)
    noting(genealogy, "trace")
    noting(trace_queries, "completeness")
    given = {"batchCodes": [goods.milk], "direction": "FORWARD"}
    await traced(hub, "summary { batchCount linkCount depth } batches { nodes { code } } links { totalCount }", **given)
    assert done == ["trace"]
    done.clear()
    both = (
        "a: batches { nodes { contribution { most { amount } } } } b: batches { nodes { contribution { __typename } } }"
    )
    await traced(
        hub,
        f"{both} summary {{ unstatedCount shares {{ nodes {{ knownCount }} }} }} completeness {{ complete }}",
        **given,
    )
    assert sorted(done) == ["completeness", "contributions", "summary", "trace"]


async def test_a_plant_traces_its_own_goods_and_its_own_ledger_is_never_late(here: Plant, node: Served) -> None:
    code = here.receive()
    wanted = "summary { batchCount } completeness { complete asOf { size lagSeconds } gaps { totalCount } }"
    found = await traced(node, wanted, MANAGER, batchCodes=[code], direction="BACKWARD")
    assert found["summary"] == {"batchCount": 1}
    assert found["completeness"] == {
        "complete": True,
        "asOf": [{"size": 11, "lagSeconds": 0}],
        "gaps": {"totalCount": 0},
    }


async def test_too_many_names_or_paths_then_refused_by_the_limit(node: Served) -> None:
    for given, wanted in (
        ({"aliases": ["A"] * 1001}, "direction"),
        ({"aliases": ["A"]}, 'paths(toBatchCode: "A", first: 501) { totalCount }'),
        ({"aliases": ["A"]}, "batches(first: 501) { totalCount }"),
    ):
        answer = await node.answer(MANAGER, tracing(wanted), input=given)
        assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_code_that_cannot_be_one_then_it_is_unknown_like_any_other(node: Served) -> None:
    found = (await node.ask(AUDITOR, tracing("unknownNames"), input={"batchCodes": ["漢"]}))["trace"]
    assert found == {"unknownNames": ["漢"]}


@pytest.mark.parametrize("document", [client.HEADS, client.GAPS, client.BATCHES, client.LINKS])
@pytest.mark.parametrize("role", NodeRole)
def test_what_the_command_line_asks_then_it_is_in_the_contract(document: str, role: NodeRole) -> None:
    assert validate(contract(role)._schema, parse(document)) == []  # noqa: SLF001 -- there is no public way to it.
