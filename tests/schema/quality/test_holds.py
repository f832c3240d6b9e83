"""Quarantine over GraphQL: independent holds, one for each request; refusals change nothing."""

from infra.ids import new_id
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import AUDITOR, MANAGER, OPERATOR, QUALITY, Served, person

WANTED = """... on HoldPlaced { entry { index type } hold {
  id placedIndex kind reason open placedBy { code } liftedAt plant { code } }
  batch { code holds { nodes { placedIndex } } atPlants { usable onHold blockedBy { code } } } }"""


async def test_held_then_the_goods_may_not_be_used_and_other_holds_stay(here: Plant, node: Served) -> None:
    code = here.receive()
    first = await node.do(OPERATOR, "placeHold", WANTED, batchCode=code, reason="Seal broken 封口破损")
    index = first["entry"]["index"]
    assert first == {
        "__typename": "HoldPlaced",
        "entry": {"index": index, "type": "BatchQuarantined"},
        "hold": {
            "id": node_id("hold", 1, here.batch_id(code), str(index)), "placedIndex": index, "kind": "QUALITY",
            "reason": "Seal broken 封口破损", "placedBy": {"code": "person-1"}, "open": True,
            "liftedAt": None, "plant": {"code": "SH1"},
        },
        "batch": {
            "code": code, "holds": {"nodes": [{"placedIndex": index}]},
            "atPlants": [{"usable": False, "onHold": True, "blockedBy": {"code": "BATCH_ON_HOLD"}}],
        },
    }  # fmt: skip
    second = await node.do(QUALITY, "placeHold", WANTED, batchCode=code, kind="PARAMETER_BREACH", reason="pH 7.9")
    assert second["batch"]["holds"] == {"nodes": [{"placedIndex": index}, {"placedIndex": index + 1}]}
    found = await node.ask(
        MANAGER, "query($id: ID!) { node(id: $id) { ... on BatchHold { kind } } }", id=second["hold"]["id"]
    )
    assert found == {"node": {"kind": "PARAMETER_BREACH"}}


async def test_same_request_again_then_the_same_hold_and_another_use_is_refused(here: Plant, node: Served) -> None:
    code = here.receive()
    given = {"requestId": new_id(), "batchCode": code, "reason": "Seal broken"}
    first = await node.do(OPERATOR, "placeHold", WANTED, **given)
    before = here.everything()
    assert await node.do(OPERATOR, "placeHold", WANTED, **given) == first
    other = await node.do(OPERATOR, "placeHold", "", **given | {"reason": "Dented"})
    assert other["code"] == "REQUEST_REUSED"
    assert here.everything() == before


async def test_refused_then_nothing_changed_and_said_in_the_callers_language(here: Plant, node: Served) -> None:
    code = here.receive()
    before = here.everything()
    for actor, given, refusal, text in (
        (OPERATOR, {"batchCode": "SH1-NONE", "reason": "x"}, "BATCH_UNKNOWN",
         "此处没有批次 SH1-NONE，请核对批次号或重新扫描标签。"),
        (OPERATOR, {"batchCode": code, "reason": " "}, "TEXT_INVALID", "原因必须为：1-500 个可打印字符。"),
        (AUDITOR, {"batchCode": code, "reason": "x"}, "NOT_PERMITTED", "未找到该内容，或您无权在此操作。"),
        (person(4), {"batchCode": code, "reason": "x"}, "NOT_PERMITTED", "未找到该内容，或您无权在此操作。"),
    ):  # fmt: skip
        answer = await node.do(actor, "placeHold", "", "zh", **given)
        assert (answer["code"], answer["message"]) == (refusal, text)
    assert here.everything() == before
