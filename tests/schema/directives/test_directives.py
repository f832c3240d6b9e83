"""Directives over GraphQL: headquarters alone sends them, and what is in force where is said by who says it."""

from collections.abc import Iterator

import pytest

from auth.actors import Actor, Role
from infra.ids import new_id
from plants.rules.identification.codes import HUB
from schema.engine.node_ids import node_id, read_parts
from tests.factories import Plant
from tests.plants.replicas import answer_next, pending
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, Served, person, served
from tests.schema.group import Group, chain

SENT = """... on DirectivesSent { directives { id index type key directedHoldId batchCodes batches { code } reason
  directedBy { code } state metVersion refusal { code } waitingBatchCodes plant { code } answer { index } } }"""
LISTED = """query($filter: HubDirectiveFilter, $order: HubDirectiveOrder, $first: Int, $after: String) {
  hubDirectives(filter: $filter, orderBy: $order, first: $first, after: $after) {
  totalCount pageInfo { endCursor hasNextPage }
  nodes { index type key state metVersion refusal { code } waitingBatchCodes plant { code }
  answer { type } entry { type } } } }"""
HELD = """query($code: BatchCode!) { batch(code: $code) {
  holds(filter: { open: true }) { nodes {
    id kind reason placedBy { code } placedIndex directedHoldId inForceAtPlant plant { code } } }
  atPlants { plant { code } usable blockedBy { code ... on BatchOnHold { holdIndex } } } } }"""
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
    hold = first["directedHoldId"]
    assert first == {
        "id": node_id("directive", 1, 0), "index": 0, "type": "HoldDirected", "key": yoghurt, "directedHoldId": hold,
        "batchCodes": [yoghurt], "batches": [{"code": yoghurt}], "reason": "Glass found 发现玻璃",
        "directedBy": {"code": "person-9"}, "state": "SENT",
        "metVersion": None, "refusal": None, "waitingBatchCodes": [], "plant": {"code": "SH1"}, "answer": None,
    }  # fmt: skip
    assert second == first | {"id": node_id("directive", 2, 0), "plant": {"code": "NB1"}}

    async def seen(node: Served, actor: Actor = DIRECTOR) -> JSON:
        return dict((await node.ask(actor, HELD, code=yoghurt))["batch"])

    batch = group.here.batch_id(yoghurt)
    (placed_id,) = read_parts("directed-hold", (str,), hold) or ()
    on_its_way = {
        "id": node_id("hold", 1, batch, placed_id), "kind": "QUALITY", "reason": "Glass found 发现玻璃",
        "placedBy": {"code": "person-9"}, "placedIndex": None, "directedHoldId": hold,
        "inForceAtPlant": False, "plant": {"code": "SH1"},
    }  # fmt: skip
    there = on_its_way | {"id": node_id("hold", 2, batch, placed_id), "plant": {"code": "NB1"}}
    blocked = {"code": "BATCH_ON_HOLD", "holdIndex": None}
    before = await seen(hub)
    assert before["holds"] == {"nodes": [on_its_way, there]}
    assert [(one["usable"], one["blockedBy"]) for one in before["atPlants"]] == [(False, blocked)] * 2
    assert (await seen(here_node, MANAGER))["holds"] == {"nodes": []}, "SH1 has not heard of it"
    assert await listed(hub, held=True) == {yoghurt}
    assert yoghurt not in await listed(hub, held=False)

    obeys(group, group.here)
    placed = group.here.entry(-2).index
    in_force = on_its_way | {"placedIndex": placed, "inForceAtPlant": True}
    after = await seen(hub)
    assert after["holds"] == {"nodes": [in_force, there]}
    known = [blocked | {"holdIndex": placed}, blocked]
    assert [one["blockedBy"] for one in after["atPlants"]] == known, "the index is the `placedIndex` of the hold"
    assert (await seen(here_node, MANAGER))["holds"] == {"nodes": [in_force]}
    advice = "query($code: BatchCode!) { batch(code: $code) { atPlants { blockedBy { message } } } }"
    for node, actor in ((hub, DIRECTOR), (here_node, MANAGER)):
        for place in (await node.ask(actor, advice, code=yoghurt))["batch"]["atPlants"]:
            assert place["blockedBy"]["message"].endswith("Ask headquarters to release it.")
    document = "query($id: ID!) { node(id: $id) { ... on BatchHold { id placedIndex } } }"
    for hold_id, index in ((in_force["id"], placed), (there["id"], None)):
        found = await hub.ask(DIRECTOR, document, id=hold_id)
        assert found == {"node": {"id": hold_id, "placedIndex": index}}, "a directed hold keeps its id when placed"

    released = await hub.do(DIRECTOR, "liftHold", SENT, holdId=hold, reason="Was sugar")
    assert [(one["type"], one["key"], one["directedHoldId"]) for one in released["directives"]] == [
        ("ReleaseDirected", yoghurt, hold)
    ] * 2
    assert (await seen(hub))["holds"] == {"nodes": [in_force]}, "SH1 has not lifted it; NB1 never placed it"
    obeys(group, group.here)
    assert (await seen(hub))["holds"] == {"nodes": []}
    assert await listed(hub, held=True) == set()
    assert yoghurt in await listed(hub, held=False)


async def test_answered_and_not_then_listed_by_state_page_by_page_at_hub_and_plant(
    group: Group, hub: Served, here_node: Served
) -> None:
    milk = chain(group).milk
    await hub.do(DIRECTOR, "placeHold", SENT, plantCodes=["SH1", "NB1"], batchCode=milk, reason="Glass")
    await hub.do(DIRECTOR, "saveLocation", SENT, plantCodes=["NB1"], code="C1", name="Cellar 地窖")
    obeys(group, group.there)
    first = await hub.ask(DIRECTOR, LISTED, first=2)
    second = await hub.ask(DIRECTOR, LISTED, first=2, after=first["hubDirectives"]["pageInfo"]["endCursor"])
    nodes = first["hubDirectives"]["nodes"] + second["hubDirectives"]["nodes"]
    assert first["hubDirectives"]["totalCount"] == 3
    common: JSON = {"metVersion": None, "refusal": None, "waitingBatchCodes": [], "answer": None}
    sent, defined, rejected = nodes
    assert sent == common | {
        "index": 0, "type": "HoldDirected", "key": milk, "state": "SENT", "plant": {"code": "SH1"},
        "entry": {"type": "HoldDirected"},
    }  # fmt: skip
    assert defined == common | {
        "index": 1, "type": "MasterChangeDirected", "key": "C1", "state": "APPLIED", "plant": {"code": "NB1"},
        "answer": {"type": "DirectiveApplied"}, "entry": {"type": "MasterChangeDirected"},
    }  # fmt: skip
    assert rejected == common | {
        "index": 0, "type": "HoldDirected", "key": milk, "state": "REJECTED", "refusal": {"code": "BATCH_UNKNOWN"},
        "waitingBatchCodes": [milk], "plant": {"code": "NB1"}, "answer": {"type": "DirectiveRejected"},
        "entry": {"type": "HoldDirected"},
    }  # fmt: skip
    for wanted, found in (
        ({"state": {"eq": "SENT"}}, [sent]), ({"state": {"eq": "APPLIED"}}, [defined]),
        ({"state": {"eq": "REJECTED"}}, [rejected]), ({"state": {"notIn": ["SENT", "APPLIED"]}}, [rejected]),
        ({"state": {"in": ["SENT", "REJECTED"]}}, [sent, rejected]), ({"state": {"in": []}}, []),
        ({"plantCode": {"eq": "SH1"}}, [sent]), ({"type": {"eq": "MasterChangeDirected"}}, [defined]),
        ({"key": {"eq": milk}}, [sent, rejected]), ({"directedByCode": {"eq": "person-9"}}, [sent, defined, rejected]),
        ({"directedByCode": {"eq": "person-1"}}, []), ({"plantCode": {"eq": "ZZ9"}}, []),
        ({"directedAt": {"from": "2026-03-14T08:00:00Z", "before": "2026-03-15T08:00:00Z"}}, [sent, defined, rejected]),
        ({"directedAt": {"before": "2026-03-14T08:00:00Z"}}, []),
    ):  # fmt: skip
        answer = (await hub.ask(DIRECTOR, LISTED, filter=wanted))["hubDirectives"]
        assert (answer["nodes"], answer["totalCount"]) == (found, len(found)), wanted
    by_time = {"field": "DIRECTED_AT", "direction": "ASCENDING"}
    answer = (await hub.ask(DIRECTOR, LISTED, order=by_time))["hubDirectives"]
    assert [one["key"] for one in answer["nodes"]] == [milk, "C1", milk]
    document = "query($id: ID!) { hubDirective(id: $id) { type } }"
    for one, expected in ((node_id("directive", 1, 0), {"type": "HoldDirected"}), (node_id("directive", 1, 9), None)):
        assert await hub.ask(DIRECTOR, document, id=one) == {"hubDirective": expected}
    assert (await here_node.ask(MANAGER, LISTED))["hubDirectives"]["nodes"] == [], "none has come"
    obeys(group, group.here)
    (at_plant,) = (await here_node.ask(MANAGER, LISTED))["hubDirectives"]["nodes"]
    assert (at_plant["state"], at_plant["answer"]) == ("APPLIED", {"type": "DirectiveApplied"})
    assert (await hub.ask(MANAGER, LISTED))["hubDirectives"]["nodes"] == [at_plant], "a person of SH1 sees SH1's alone"
    assert await hub.refuses(person(4), LISTED) == ["hubDirectives"]


async def test_master_data_recall_and_unit_directed_then_defined_and_held(group: Group, hub: Served) -> None:
    made = chain(group)
    both = ["SH1", "NB1"]
    unit = await hub.do(
        DIRECTOR, "saveUnit", SENT, plantCodes=both, code="SACK", name="Sack", baseUnitCode="KGM", factor="25"
    )
    material = await hub.do(
        DIRECTOR, "saveMaterial", SENT, plantCodes=both, code="RM-GOAT", name="Goat milk 羊奶", unitCode="SACK",
        shelfLifeDays=20, conversions=[{"unitCode": "BG", "factor": "2"}],
    )  # fmt: skip
    for mutation in ("saveSupplier", "saveCustomer", "saveEquipment"):
        sent = await hub.do(DIRECTOR, mutation, SENT, plantCodes=both, code="X1", name="New one")
        assert [one["key"] for one in sent["directives"]] == ["X1", "X1"]
    recall = await hub.do(DIRECTOR, "openRecall", SENT, batchCodes=[made.milk, made.yoghurt], reason="Salmonella")
    (name,) = read_parts("directed-hold", (str,), recall["directives"][0]["directedHoldId"]) or ()
    assert [(one["type"], one["key"], one["batchCodes"]) for one in recall["directives"]] == [
        ("RecallDirected", name, [made.milk, made.yoghurt])
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
    held = "query($code: BatchCode!) { batch(code: $code) { holds { nodes { kind inForceAtPlant plant { code } } } } }"
    answer = await hub.ask(DIRECTOR, held, code=made.milk)
    assert answer["batch"]["holds"]["nodes"] == [
        {"kind": "RECALL", "inForceAtPlant": True, "plant": {"code": "SH1"}},
        {"kind": "RECALL", "inForceAtPlant": False, "plant": {"code": "NB1"}},
    ]


JOB = """... on JobAccepted { job { id state validateOnly plant { code } addressedPlants { code }
  progress { total done recorded unchanged refused rejected notRun }
  rows(first: 500) { nodes { index outcome refusal { code path } entry { type }
    directives { plant { code } type key state } } } } }"""
ROWS_OF_JOB = """query($id: ID!) { node(id: $id) { ... on Job {
  rows { nodes { outcome entry { type } directives { key } } } } } }"""
GOODS = '{ materials(filter: { code: { beginsWith: "G-" } }, first: 1) { totalCount } }'


def goods(count: int, **more: object) -> list[JSON]:
    return [{"code": f"G-{n:03}", "name": f"Goods 货物 {n}", "unitCode": "KGM", **more} for n in range(count)]


async def test_many_materials_then_they_reach_two_plants(group: Group, hub: Served) -> None:
    wanted = goods(300)
    wanted[7]["conversions"] = [{"unitCode": "BG", "factor": "0"}]
    wanted[8]["code"] = "G-001"
    given = {"requestId": new_id(), "plantCodes": ["SH1", "NB1"], "onRefusal": "SKIP_ROW", "rows": wanted}

    job = (await hub.do(DIRECTOR, "saveMaterials", JOB, **given))["job"]

    assert (job["state"], job["plant"], job["addressedPlants"]) == ("DONE", None, [{"code": "SH1"}, {"code": "NB1"}])
    assert job["progress"] == {
        "total": 300, "done": 300, "recorded": 298, "unchanged": 0, "refused": 2, "rejected": 0, "notRun": 0,
    }  # fmt: skip
    rows = job["rows"]["nodes"]
    assert [(one["index"], one["refusal"]) for one in rows if one["outcome"] == "REFUSED"] == [
        (7, {"code": "AMOUNT_NOT_POSITIVE", "path": ["rows", "7", "conversions", "0", "factor"]}),
        (8, {"code": "ROW_REPEATED", "path": ["rows", "8", "code"]}),
    ]
    assert (rows[7]["directives"], rows[7]["entry"]) == ([], None)
    assert rows[299]["entry"] == {"type": "MasterChangeDirected"}
    assert [(one["plant"]["code"], one["key"], one["state"]) for one in rows[299]["directives"]] == [
        ("SH1", "G-299", "SENT"), ("NB1", "G-299", "SENT"),
    ]  # fmt: skip
    for plant in (group.here, group.there):
        obeys(group, plant)
    assert (await hub.ask(DIRECTOR, GOODS))["materials"]["totalCount"] == 2 * 298
    before = group.hub.desk(group.here).everything()
    again = (await hub.do(DIRECTOR, "saveMaterials", JOB, **given))["job"]
    assert again["id"] == job["id"]
    assert {one["state"] for row in again["rows"]["nodes"] for one in row["directives"]} == {"APPLIED"}
    assert group.hub.desk(group.here).everything() == before


async def test_many_rows_wrong_or_only_validated_then_nothing_is_sent(group: Group, hub: Served) -> None:
    both, before = ["SH1", "NB1"], group.hub.desk(group.here).everything()

    rejected = await hub.do(
        DIRECTOR, "saveMaterials", JOB, plantCodes=both, onRefusal="REJECT_ALL", rows=[*goods(150), *goods(1)]
    )
    versions = await hub.do(
        DIRECTOR, "saveMaterials", JOB, plantCodes=both, onRefusal="SKIP_ROW", rows=goods(1, expectedVersion=3)
    )
    validated = await hub.do(
        DIRECTOR, "saveMaterials", JOB, plantCodes=both, onRefusal="SKIP_ROW", rows=goods(150), validateOnly=True
    )
    unknown = await hub.do(
        DIRECTOR, "saveMaterials", "... on Refusal { code path }",
        plantCodes=["SH1", "ZZ9"], onRefusal="SKIP_ROW", rows=goods(1),
    )  # fmt: skip
    denied = await hub.do(MANAGER, "saveMaterials", "", plantCodes=both, onRefusal="SKIP_ROW", rows=goods(1))

    assert rejected["job"]["progress"]["rejected"] == 150
    (row,) = versions["job"]["rows"]["nodes"]
    assert row["refusal"] == {"code": "VERSION_OF_ONE_PLANT", "path": ["rows", "0", "expectedVersion"]}
    assert {(one["outcome"], one["entry"]) for one in validated["job"]["rows"]["nodes"]} == {("RECORDED", None)}
    assert (unknown["code"], unknown["path"], denied["code"]) == ("NOT_DEFINED", ["plantCodes", "1"], "NOT_PERMITTED")
    assert group.hub.desk(group.here).everything() == before


async def test_validated_and_others_sent_later_then_its_rows_have_no_directives(hub: Served) -> None:
    given = {"plantCodes": ["SH1", "NB1"], "onRefusal": "SKIP_ROW"}
    validated = (await hub.do(DIRECTOR, "saveMaterials", JOB, rows=goods(2), validateOnly=True, **given))["job"]

    sent = (await hub.do(DIRECTOR, "saveMaterials", JOB, rows=goods(3)[1:], **given))["job"]

    assert [len(one["directives"]) for one in sent["rows"]["nodes"]] == [2, 2]
    found = (await hub.ask(DIRECTOR, ROWS_OF_JOB, id=validated["id"]))["node"]["rows"]["nodes"]
    assert [(one["outcome"], one["entry"], one["directives"]) for one in found] == [("RECORDED", None, [])] * 2


async def test_request_ids_of_jobs_and_commands_at_the_hub_then_one_space(group: Group, hub: Served) -> None:
    of_job, of_command = new_id(), new_id()
    many = {"plantCodes": ["SH1"], "onRefusal": "SKIP_ROW", "rows": goods(1)}
    one = {"plantCodes": ["SH1"], "code": "C1", "name": "Cellar"}
    await hub.do(DIRECTOR, "saveMaterials", JOB, requestId=of_job, **many)
    await hub.do(DIRECTOR, "saveLocation", SENT, requestId=of_command, **one)
    before = group.hub.desk(group.here).everything()

    answers = (
        await hub.do(DIRECTOR, "saveLocation", "... on Refusal { path }", requestId=of_job, **one),
        await hub.do(DIRECTOR, "saveMaterials", "... on Refusal { path }", requestId=of_command, **many),
    )

    assert [(said["code"], said["path"]) for said in answers] == [("REQUEST_REUSED", ["requestId"])] * 2
    assert group.hub.desk(group.here).everything() == before


async def test_expected_version_and_several_plants_then_refused(group: Group, hub: Served) -> None:
    before = group.hub.desk(group.here).everything()
    given = {"code": "RM-MILK", "name": "Milk", "expectedVersion": 3}
    wanted = "... on VersionOfOnePlant { path plantCount }"

    answer = await hub.do(DIRECTOR, "saveMaterial", wanted, plantCodes=["SH1", "NB1"], **given)

    assert answer["code"] == "VERSION_OF_ONE_PLANT"
    assert (answer["path"], answer["plantCount"]) == (["expectedVersion"], 2)
    assert group.hub.desk(group.here).everything() == before
    sent = await hub.do(DIRECTOR, "saveMaterial", SENT, plantCodes=["SH1"], **given)
    assert len(sent["directives"]) == 1


async def test_conversion_impossible_then_the_plant_rejects_the_directive(group: Group, hub: Served) -> None:
    for conversions in ([{"unitCode": "TNE", "factor": "5"}], [{"unitCode": "BG", "factor": "5"}]):
        await hub.do(DIRECTOR, "saveMaterial", SENT, plantCodes=["SH1"], code="RM-MILK", conversions=conversions)
    await hub.do(DIRECTOR, "saveMaterial", SENT, plantCodes=["SH1"], code="RM-MILK", unitCode="TNE")
    obeys(group, group.here)

    listed = (await hub.ask(DIRECTOR, LISTED, order={"field": "DIRECTED_AT"}))["hubDirectives"]["nodes"]

    assert [(one["index"], one["state"], one["refusal"] and one["refusal"]["code"]) for one in listed] == [
        (0, "REJECTED", "CONVERSION_IMPOSSIBLE"),
        (1, "APPLIED", None),
        (2, "REJECTED", "CONVERSIONS_OUTDATED"),
    ]


async def test_held_at_one_plant_by_headquarters_then_the_list_filters_by_that_plants_goods(
    group: Group, hub: Served
) -> None:
    yoghurt = chain(group).yoghurt
    await hub.do(DIRECTOR, "placeHold", SENT, batchCode=yoghurt, reason="Glass found", plantCodes=["NB1"])
    document = """query($plant: String, $code: String, $held: Boolean) {
      batches(filter: { plantCode: { eq: $plant }, code: { eq: $code }, onHold: $held }) { nodes { code } } }"""
    for plant, held in (("SH1", False), ("NB1", True)):
        for wanted in (True, False):
            found = await hub.ask(DIRECTOR, document, plant=plant, held=wanted, code=yoghurt)
            assert found["batches"]["nodes"] == ([{"code": yoghurt}] if held is wanted else [])


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
        "liftHold": {"holdId": sent["directedHoldId"], "reason": "Why not"},
        "saveMaterial": {"plantCodes": ["SH1"], "code": "C1", "name": "Cellar", "unitCode": "KGM"},
        "saveUnit": {"plantCodes": ["SH1"], "code": "C1", "name": "Cellar", "baseUnitCode": "KGM", "factor": "1"},
    }
    for mutation, given in wanted.items():
        for actor in NOT_ALLOWED:
            assert (await hub.do(actor, mutation, "", **given))["code"] == "NOT_PERMITTED", (mutation, actor)
    for actor in NOT_ALLOWED:
        answer = await hub.do(actor, "saveLocation", "", plantCodes=["SH1"], code="C1", name="Cellar")
        assert answer["code"] == "NOT_PERMITTED", actor
    for mutation, given, code, text in (
        ("liftHold", {"holdId": "none", "reason": "x"}, "DIRECTED_HOLD_UNKNOWN",
         "总部没有生效中的冻结或召回 none，请重新查看指令。"),
        ("liftHold", {"holdId": node_id("directed-hold", "none"), "reason": "x"}, "DIRECTED_HOLD_UNKNOWN",
         "总部没有生效中的冻结或召回 none，请重新查看指令。"),
    ):  # fmt: skip
        answer = await hub.do(DIRECTOR, mutation, "", "zh", **given)
        assert (answer["code"], answer["message"]) == (code, text)
    for mutation, given in (
        ("placeHold", {"batchCode": made.yoghurt, "reason": "x"}),
        ("openRecall", {"batchCodes": [made.yoghurt], "reason": "x"}),
    ):
        answer = await hub.do(DIRECTOR, mutation, SENT, plantCodes=["ZZ9"], **given)
        assert (answer["code"], answer["message"]) == (
            "NOT_DEFINED",
            "No plant with the code ZZ9 is defined here. Define it first.",
        )
    assert group.hub.desk(group.here).everything() == before


async def test_release_of_a_hold_of_headquarters_asked_for_at_the_plant_then_refused(
    group: Group, hub: Served, here_node: Served
) -> None:
    yoghurt = chain(group).yoghurt
    await hub.do(DIRECTOR, "placeHold", SENT, batchCode=yoghurt, reason="Glass")
    obeys(group, group.here)
    before = group.here.everything()
    index = group.here.entry(-2).index
    document = "query($code: BatchCode!) { batch(code: $code) { holds { nodes { id } } } }"
    (hold,) = (await here_node.ask(MANAGER, document, code=yoghurt))["batch"]["holds"]["nodes"]
    answer = await here_node.do(
        MANAGER,
        "requestRelease",
        "... on HoldDirectedRefusal { batchCode holdIndex }",
        "zh",
        batchCode=yoghurt,
        holdId=hold["id"],
        reason="Fine",
    )
    assert answer == {
        "__typename": "HoldDirectedRefusal", "code": "HOLD_DIRECTED", "batchCode": yoghurt, "holdIndex": index,
        "message": f"批次 {yoghurt} 的冻结 {index} 由总部下达，只能由总部解除，请联系总部。",
    }  # fmt: skip
    assert group.here.everything() == before
