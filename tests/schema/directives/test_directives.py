"""Directives over GraphQL: headquarters alone sends them, and what is in force where is said by who says it."""

from collections.abc import Iterator
from typing import Any

import pytest

from auth.actors import Actor, Role
from infra.ids import new_id
from plants.rules.identification.codes import HUB
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.plants.replicas import answer_next, pending
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, Served, person, served
from tests.schema.group import Group, chain

SENT = """... on DirectivesSent { directives { id index type about hold batches reason directedBy state metVersion
  refusal waitingFor plant { code } answer { index } } }"""
LISTED = """query($filter: DirectiveFilter, $first: Int, $after: String) {
  directives(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
  nodes { index type about state metVersion refusal waitingFor plant { code } answer { type } entry { type } } } }"""
HELD = """query($code: BatchCode!) { batch(code: $code) {
  holds { id kind reason placedBy hold directed inForceAtPlant plant { code } }
  atPlants { plant { code } usable blockedBy { code ... on BatchOnHold { holdId } } } } }"""
NOT_ALLOWED = (
    person(4), OPERATOR, MANAGER, AUDITOR, person(5, (1, Role.HEADQUARTERS), (2, Role.HEADQUARTERS)),
    person(6, (HUB, Role.MANAGER)), person(7, (HUB, Role.QUALITY)),
)  # fmt: skip


@pytest.fixture
def here_node(group: Group) -> Iterator[Served]:
    """The node of the first plant of the group."""
    node = served(group.here)
    yield node
    node.close()


async def direct(hub: Served, actor: Actor, mutation: str, wanted: str, **said: Any) -> JSON:
    """Direct a supplier, customer, location or piece of equipment: all four take the same input."""
    document = (
        f"mutation($input: DirectMasterInput!) {{ {mutation}(input: $input)"
        f" {{ __typename ... on Refusal {{ code message }} {wanted} }} }}"
    )
    answer = await hub.answer(actor, document, input={"requestId": new_id(), **said})
    return dict(answer["data"][mutation])


async def listed(hub: Served, *, held: bool) -> set[str]:
    """Return the codes of the batches that the list's filter `onHold` selects at the hub."""
    document = "query($held: Boolean) { batches(filter: { onHold: $held }) { nodes { code } } }"
    return {one["code"] for one in (await hub.ask(DIRECTOR, document, held=held))["batches"]["nodes"]}


def obeys(group: Group, plant: Plant) -> None:
    group.hub.tells(plant)
    while pending(plant) is not None:
        answer_next(plant)
    group.hub.hears(plant)


async def test_hold_then_shown_at_once_and_in_force_at_each_plant_once_it_says_so(
    group: Group, hub: Served, here_node: Served
) -> None:
    yoghurt = chain(group).yoghurt
    answer = await hub.do(DIRECTOR, "placeHold", SENT, batchCode=yoghurt, reason="Glass found 发现玻璃")
    first, second = answer["directives"]
    hold = first["hold"]
    assert first == {
        "id": node_id("directive", 1, 0), "index": 0, "type": "HoldDirected", "about": yoghurt, "hold": hold,
        "batchCodes": [yoghurt], "reason": "Glass found 发现玻璃", "directedBy": "person-9", "state": "SENT",
        "metVersion": None, "refusal": None, "waitingFor": [], "plant": {"code": "SH1"}, "answer": None,
    }  # fmt: skip
    assert second == first | {"id": node_id("directive", 2, 0), "plant": {"code": "NB1"}}

    async def seen(node: Served, actor: Actor = DIRECTOR) -> JSON:
        return dict((await node.ask(actor, HELD, code=yoghurt))["batch"])

    batch = group.here.batch_id(yoghurt)
    on_its_way = {
        "id": node_id("directed-hold", 1, batch, 0), "kind": "QUALITY", "reason": "Glass found 发现玻璃",
        "placedBy": "person-9", "hold": None, "directed": hold, "inForceAtPlant": False, "plant": {"code": "SH1"},
    }  # fmt: skip
    there = on_its_way | {"id": node_id("directed-hold", 2, batch, 0), "plant": {"code": "NB1"}}
    blocked = {"code": "BATCH_ON_HOLD", "holdId": hold}
    before = await seen(hub)
    assert before["holds"] == [on_its_way, there]
    assert [(one["usable"], one["blockedBy"]) for one in before["atPlants"]] == [(False, blocked)] * 2
    assert (await seen(here_node, MANAGER))["holds"] == [], "SH1 has not heard of it"
    assert await listed(hub, held=True) == {yoghurt}
    assert yoghurt not in await listed(hub, held=False)

    obeys(group, group.here)
    placed = group.here.entry(-2).index
    in_force = on_its_way | {"id": node_id("hold", 1, batch, placed), "hold": placed, "inForceAtPlant": True}
    after = await seen(hub)
    assert after["holds"] == [in_force, there]
    assert (await seen(here_node, MANAGER))["holds"] == [in_force]
    found = await hub.ask(DIRECTOR, "query($id: ID!) { node(id: $id) { id } }", id=on_its_way["id"])
    assert found == {"node": {"id": in_force["id"]}}, "the name that it had on its way finds it still"

    released = await hub.do(DIRECTOR, "liftHold", SENT, hold=hold, reason="Was sugar")
    assert [(one["type"], one["about"], one["hold"]) for one in released["directives"]] == [
        ("ReleaseDirected", yoghurt, hold)
    ] * 2
    assert (await seen(hub))["holds"] == [in_force], "SH1 has not lifted it; NB1 never placed it"
    obeys(group, group.here)
    assert (await seen(hub))["holds"] == []
    assert await listed(hub, held=True) == set()
    assert yoghurt in await listed(hub, held=False)


async def test_answered_and_not_then_listed_by_state_page_by_page_at_hub_and_plant(
    group: Group, hub: Served, here_node: Served
) -> None:
    milk = chain(group).milk
    await hub.do(DIRECTOR, "placeHold", SENT, batchCode=milk, reason="Glass", plantCodes=["SH1", "NB1"])
    await direct(hub, DIRECTOR, "directLocation", SENT, plants=["NB1"], code="C1", name="Cellar 地窖")
    obeys(group, group.there)
    first = await hub.ask(DIRECTOR, LISTED, first=2)
    second = await hub.ask(DIRECTOR, LISTED, first=2, after=first["directives"]["pageInfo"]["endCursor"])
    nodes = first["directives"]["nodes"] + second["directives"]["nodes"]
    assert first["directives"]["totalCount"] == 3
    common: JSON = {"metVersion": None, "refusal": None, "waitingFor": [], "answer": None}
    sent, defined, rejected = nodes
    assert sent == common | {
        "index": 0, "type": "HoldDirected", "about": milk, "state": "SENT", "plant": {"code": "SH1"},
        "entry": {"type": "HoldDirected"},
    }  # fmt: skip
    assert defined == common | {
        "index": 1, "type": "MasterDirected", "about": "C1", "state": "APPLIED", "plant": {"code": "NB1"},
        "answer": {"type": "DirectiveApplied"}, "entry": {"type": "MasterDirected"},
    }  # fmt: skip
    assert rejected == common | {
        "index": 0, "type": "HoldDirected", "about": milk, "state": "REJECTED", "refusal": "BATCH_UNKNOWN",
        "waitingFor": [milk], "plant": {"code": "NB1"}, "answer": {"type": "DirectiveRejected"},
        "entry": {"type": "HoldDirected"},
    }  # fmt: skip
    for wanted, found in (
        ({"state": "SENT"}, [sent]), ({"state": "APPLIED"}, [defined]), ({"state": "REJECTED"}, [rejected]),
        ({"plant": "SH1"}, [sent]), ({"type": "MasterDirected"}, [defined]), ({"key": milk}, [sent, rejected]),
        ({"plant": "ZZ9"}, []),
    ):  # fmt: skip
        answer = (await hub.ask(DIRECTOR, LISTED, filter=wanted))["directives"]
        assert (answer["nodes"], answer["totalCount"]) == (found, len(found)), wanted
    assert (await here_node.ask(MANAGER, LISTED))["directives"]["nodes"] == [], "none has come"
    obeys(group, group.here)
    (at_plant,) = (await here_node.ask(MANAGER, LISTED))["directives"]["nodes"]
    assert (at_plant["state"], at_plant["answer"]) == ("APPLIED", {"type": "DirectiveApplied"})
    assert (await hub.ask(MANAGER, LISTED))["directives"]["nodes"] == [at_plant], "a person of SH1 sees SH1's alone"
    assert (await hub.ask(person(4), LISTED))["directives"]["totalCount"] == 0


async def test_master_data_recall_and_unit_directed_then_defined_and_held(group: Group, hub: Served) -> None:
    made = chain(group)
    both = ["SH1", "NB1"]
    unit = await hub.do(
        DIRECTOR, "directUnit", SENT, plantCodes=both, code="SACK", name="Sack", baseUnitCode="KGM", factor="25"
    )
    material = await hub.do(
        DIRECTOR, "directMaterial", SENT, plantCodes=both, code="RM-GOAT", name="Goat milk 羊奶", unitCode="SACK",
        shelfLifeDays=20, conversions=[{"unitCode": "BG", "factor": "2"}],
    )  # fmt: skip
    for mutation in ("directSupplier", "directCustomer", "directEquipment"):
        sent = await direct(hub, DIRECTOR, mutation, SENT, plantCodes=both, code="X1", name="New one")
        assert [one["about"] for one in sent["directives"]] == ["X1", "X1"]
    recall = await hub.do(DIRECTOR, "openRecall", SENT, batchCodes=[made.milk, made.yoghurt], reason="Salmonella")
    assert [(one["type"], one["about"], one["batches"]) for one in recall["directives"]] == [
        ("RecallDirected", recall["directives"][0]["hold"], [made.milk, made.yoghurt])
    ] * 2
    assert [one["index"] for sent in (unit, material) for one in sent["directives"]] == [0, 0, 1, 1]
    for plant in (group.here, group.there):
        obeys(group, plant)
    defined = await hub.ask(
        DIRECTOR, '{ materials(filter: { text: "RM-GOAT" }) { nodes { unit { code } plant { code } } } }'
    )
    assert defined["materials"]["nodes"] == [
        {"unit": {"code": "SACK"}, "plant": {"code": "SH1"}}, {"unit": {"code": "SACK"}, "plant": {"code": "NB1"}},
    ]  # fmt: skip
    held = "query($code: BatchCode!) { batch(code: $code) { holds { kind inForceAtPlant plant { code } } } }"
    answer = await hub.ask(DIRECTOR, held, code=made.milk)
    assert answer["batch"]["holds"] == [
        {"kind": "RECALL", "inForceAtPlant": True, "plant": {"code": "SH1"}},
        {"kind": "RECALL", "inForceAtPlant": False, "plant": {"code": "NB1"}},
    ]


async def test_same_request_again_then_the_same_directives(group: Group, hub: Served) -> None:
    given = {"requestId": new_id(), "batchCode": chain(group).yoghurt, "reason": "Glass"}
    first = await hub.do(DIRECTOR, "placeHold", SENT, **given)
    before = group.hub.desk(group.here).everything()
    assert await hub.do(DIRECTOR, "placeHold", SENT, **given) == first
    other = await hub.do(DIRECTOR, "placeHold", "", **given | {"reason": "Metal"})
    assert other["code"] == "REQUEST_REUSED"
    assert group.hub.desk(group.here).everything() == before


async def test_not_of_headquarters_or_wrong_then_refused_and_nothing_changed(group: Group, hub: Served) -> None:
    made = chain(group)
    (sent, _) = (await hub.do(DIRECTOR, "placeHold", SENT, batchCode=made.yoghurt, reason="Glass"))["directives"]
    before = group.hub.desk(group.here).everything()
    wanted: dict[str, JSON] = {
        "placeHold": {"batchCode": made.yoghurt, "reason": "Why not"},
        "openRecall": {"batchCodes": [made.yoghurt], "reason": "Why not"},
        "liftHold": {"hold": sent["hold"], "reason": "Why not"},
        "directMaterial": {"plantCodes": ["SH1"], "code": "C1", "name": "Cellar", "unitCode": "KGM"},
        "directUnit": {"plantCodes": ["SH1"], "code": "C1", "name": "Cellar", "baseUnitCode": "KGM", "factor": "1"},
    }
    for mutation, given in wanted.items():
        for actor in NOT_ALLOWED:
            assert (await hub.do(actor, mutation, "", **given))["code"] == "NOT_PERMITTED", (mutation, actor)
    for actor in NOT_ALLOWED:
        answer = await direct(hub, actor, "directLocation", "", plantCodes=["SH1"], code="C1", name="Cellar")
        assert answer["code"] == "NOT_PERMITTED", actor
    for mutation, given, code, text in (
        ("placeHold", {"batchCode": made.yoghurt, "reason": "x", "plantCodes": ["ZZ9"]}, "NOT_DEFINED",
         "此处未定义代码为 ZZ9 的工厂，请先定义。"),
        ("liftHold", {"hold": "none", "reason": "x"}, "DIRECTED_HOLD_UNKNOWN",
         "总部没有生效中的冻结或召回 none，请重新查看指令。"),
    ):  # fmt: skip
        answer = await hub.do(DIRECTOR, mutation, "", "zh", **given)
        assert (answer["code"], answer["message"]) == (code, text)
    assert group.hub.desk(group.here).everything() == before


async def test_release_of_a_hold_of_headquarters_asked_for_at_the_plant_then_refused(
    group: Group, hub: Served, here_node: Served
) -> None:
    yoghurt = chain(group).yoghurt
    await hub.do(DIRECTOR, "placeHold", SENT, batchCode=yoghurt, reason="Glass")
    obeys(group, group.here)
    before = group.here.everything()
    index = group.here.entry(-2).index
    answer = await here_node.do(
        MANAGER,
        "requestRelease",
        "... on HoldDirected { batchCode holdId }",
        "zh",
        batchCode=yoghurt,
        hold=index,
        reason="Fine",
    )
    assert answer == {
        "__typename": "HoldDirected", "code": "HOLD_DIRECTED", "batchCode": yoghurt, "holdId": str(index),
        "message": f"批次 {yoghurt} 的冻结 {index} 由总部下达，只能由总部解除，请联系总部。",
    }  # fmt: skip
    assert group.here.everything() == before
