"""Change requests over GraphQL: one asks, another decides, at the plant or at the hub; every “no” changes nothing."""

from collections.abc import Iterator

import pytest

from auth.actors import Actor, Role
from infra.ids import new_id
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.ledger.events import Entry
from plants.store.ledger.entries import fence
from schema.audit.differences import OtherChange, difference
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.plants.replicas import answer_next
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, QUALITY, Served, person, served
from tests.schema.group import Group

ASKED = """... on ChangeRequested { entry { index type leafHash } changeRequest { id index kind state batchVersion
  proposal levels reason requestedBy { code kind } expiresAt expired differences { field before after }
  batch { code } plant { code }
  decisions { verdict } viewerCanDecide { allowed blockedBy { code } } } }"""
DECIDED = """... on ChangeRequestDecided { entry { index type } changeRequest { closedIndex
  state refusal { code message }
  decisions { verdict level decidedBy { code } printedName comment ledger index applied refusal { code } } } }"""
LISTED = """query($filter: ChangeRequestFilter, $order: ChangeRequestOrder) {
  changeRequests(filter: $filter, orderBy: $order) {
  totalCount nodes { index plant { code } } } }"""
THERE = person(6, (2, Role.MANAGER))


@pytest.fixture
def asked(here: Plant) -> Entry:
    """A release that person-1 asked for, of a hold on 100 kg of milk."""
    return release_asked(here)


@pytest.fixture
def plant_node(group: Group) -> Iterator[Served]:
    """The node of the first plant of the group."""
    node = served(group.here)
    yield node
    node.close()


def release_asked(plant: Plant) -> Entry:
    code = plant.receive()
    plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    return plant.do(request_change, ReleaseRequest(code, "Tested, good"))


def decision(asked: Entry, **other: object) -> JSON:
    given = {"changeRequestId": node_id("change", asked.envelope["plant"], asked.index)}
    return {**given, "proposal": asked.leaf.hex(), "verdict": "APPROVED", **other}


async def test_release_asked_and_approved_by_another_then_the_hold_is_lifted(here: Plant, node: Served) -> None:
    code = here.receive()
    hold = here.do(quarantine_batch, Quarantine(code, "Seal broken"))
    hold_id = node_id("hold", 1, here.batch_id(code), str(hold.index))
    given = {"requestId": new_id(), "batchCode": code, "holdId": hold_id, "reason": "Tested, good 检验合格"}
    answer = await node.do(OPERATOR, "requestRelease", ASKED, **given)
    index, leaf = answer["entry"]["index"], answer["entry"]["leafHash"]
    assert answer["changeRequest"] == {
        "id": node_id("change", 1, index), "index": index, "kind": "RELEASE", "state": "REQUESTED",
        "batchVersion": hold.index,
        "proposal": leaf, "levels": ["HUB", "PLANT"], "reason": "Tested, good 检验合格",
        "requestedBy": {"code": "person-1", "kind": "PERSON"},
        "expiresAt": "2026-04-13T08:00:00.000000Z", "expired": False,
        "differences": [{"field": f"hold:{hold.index}", "before": "QUALITY: Seal broken", "after": "LIFTED"}],
        "batch": {"code": code}, "plant": {"code": "SH1"}, "decisions": [],
        "viewerCanDecide": {"allowed": False, "blockedBy": {"code": "NOT_PERMITTED"}},
    }  # fmt: skip
    assert await node.do(OPERATOR, "requestRelease", ASKED, **given) == answer
    decided = {
        "requestId": new_id(), "changeRequestId": answer["changeRequest"]["id"], "proposal": leaf,
        "verdict": "APPROVED", "comment": "Good",
    }  # fmt: skip
    done = await node.do(QUALITY, "decideChangeRequest", DECIDED, **decided)
    assert done == {
        "__typename": "ChangeRequestDecided",
        "entry": {"index": index + 1, "type": "ChangeDecided"},
        "changeRequest": {
            "state": "APPLIED", "refusal": None, "closedIndex": index + 2,
            "decisions": [
                {"verdict": "APPROVED", "level": "PLANT", "decidedBy": {"code": "person-2"}, "printedName": "Person 2",
                 "comment": "Good", "ledger": "PLANT", "index": index + 1, "applied": None, "refusal": None}
            ],
        },
    }  # fmt: skip
    before = here.everything()
    assert await node.do(QUALITY, "decideChangeRequest", DECIDED, **decided) == done
    assert here.everything() == before
    document = "query($code: BatchCode!) { batch(code: $code) { atPlants { usable } } }"
    assert (await node.ask(OPERATOR, document, code=code))["batch"] == {"atPlants": [{"usable": True}]}


async def test_expiry_and_count_asked_for_then_what_each_would_change(here: Plant, node: Served) -> None:
    code = here.receive()
    later = await node.do(
        QUALITY, "requestExpiryExtension", ASKED, batchCode=code, expiresOn="2026-05-01", reason="Retested"
    )
    request = later["changeRequest"]
    assert (request["kind"], request["levels"]) == ("EXPIRY_EXTENSION", ["HUB"])
    assert request["differences"] == [{"field": "expires_on", "before": "2026-04-13", "after": "2026-05-01"}]
    counted = {"amount": "0", "unit": "KGM"}
    fewer = await node.do(
        OPERATOR, "requestStockAdjustment", ASKED, batchCode=code, locationCode="A1", counted=counted, reason="Spilled"
    )
    request = fewer["changeRequest"]
    assert (request["kind"], request["expiresAt"]) == ("STOCK_ADJUSTMENT", "2026-03-21T08:00:00.000000Z")
    assert request["differences"] == [{"field": "stock:A1", "before": "100 KGM", "after": "0 KGM"}]
    decided = decision(here.entry())
    assert (await node.do(MANAGER, "decideChangeRequest", DECIDED, **decided))["changeRequest"]["state"] == "APPLIED"
    assert here.stock() == {}


async def test_requests_refused_then_nothing_changed(here: Plant, node: Served) -> None:
    code = here.receive()
    before = here.everything()
    nothing = {"amount": "100", "unit": "KGM"}
    for mutation, given, refusal in (
        ("requestRelease", {"batchCode": code}, "HOLD_UNKNOWN"),
        ("requestRelease", {"batchCode": "SH1-NONE"}, "BATCH_UNKNOWN"),
        ("requestRelease", {"batchCode": code, "reason": ""}, "TEXT_INVALID"),
        ("requestExpiryExtension", {"batchCode": code, "expiresOn": "2026-04-13"}, "EXPIRY_NOT_LATER"),
        ("requestStockAdjustment", {"batchCode": code, "locationCode": "A1", "counted": nothing}, "NOTHING_CHANGES"),
        ("requestStockAdjustment", {"batchCode": code, "locationCode": "Z9", "counted": nothing}, "NOT_DEFINED"),
        ("requestStockAdjustment", {"batchCode": code, "locationCode": "A1", "counted": nothing | {"amount": "-1"}},
         "AMOUNT_NOT_POSITIVE"),
        ("requestStockAdjustment", {"batchCode": code, "locationCode": "A1", "counted": nothing | {"unit": "MTR"}},
         "UNIT_NOT_CONVERTIBLE"),
    ):  # fmt: skip
        answer = await node.do(OPERATOR, mutation, "", **{"reason": "Because", **given})
        assert (mutation, answer["code"]) == (mutation, refusal)
        refused = await node.do(AUDITOR, mutation, "", **{"reason": "Because", **given})
        assert refused["code"] == "NOT_PERMITTED"
    assert here.everything() == before


async def test_decisions_refused_then_nothing_changed_and_each_says_why(
    here: Plant, node: Served, asked: Entry
) -> None:
    before = here.everything()
    own = person(1, (1, Role.MANAGER))
    for actor, given, refusal, text in (
        (own, {}, "CHANGE_OWN_REQUEST", f"变更申请 {asked.index} 由您本人提出，须由他人审批。"),
        (QUALITY, {"proposal": "00" * 32}, "PROPOSAL_DIFFERS",
         f"变更申请 {asked.index} 与您所见内容不一致，请重新查看后再审批。"),
        (QUALITY, {"changeRequestId": node_id("change", 1, 999)}, "CHANGE_UNKNOWN",
         "此处没有变更申请 999，请重新查看申请列表。"),
        (QUALITY, {"changeRequestId": "nothing"}, "CHANGE_UNKNOWN", "此处没有变更申请 nothing，请重新查看申请列表。"),
        (QUALITY, {"changeRequestId": node_id("change", 2, asked.index)}, "CHANGE_UNKNOWN",
         f"此处没有变更申请 {asked.index}，请重新查看申请列表。"),
        (QUALITY, {"verdict": "REJECTED"}, "TEXT_INVALID", "审批意见必须为：1-500 个可打印字符。"),
        (OPERATOR, {}, "NOT_PERMITTED", "未找到该内容，或您无权在此操作。"),
    ):  # fmt: skip
        answer = await node.do(actor, "decideChangeRequest", "", "zh", **decision(asked, **given))
        assert (answer["code"], answer["message"]) == (refusal, text)
    here.clock.advance(days=31)
    assert (await node.do(QUALITY, "decideChangeRequest", "", **decision(asked)))["code"] == "CHANGE_EXPIRED"
    document = "query($id: ID!) { changeRequest(id: $id) { state expired } }"
    found = await node.ask(QUALITY, document, id=node_id("change", 1, asked.index))
    assert found == {"changeRequest": {"state": "REQUESTED", "expired": True}}
    assert here.everything() == before


async def test_rejected_then_decided_for_good(node: Served, asked: Entry) -> None:
    done = await node.do(
        QUALITY, "decideChangeRequest", DECIDED, **decision(asked, verdict="REJECTED", comment="Retest")
    )
    assert done["changeRequest"]["state"] == "REJECTED"
    again = await node.do(
        MANAGER, "decideChangeRequest", "... on ChangeAlreadyDecided { changeState }", **decision(asked)
    )
    assert (again["code"], again["changeState"]) == ("CHANGE_ALREADY_DECIDED", "REJECTED")


async def test_approved_after_the_batch_changed_then_refused_and_says_why(
    here: Plant, node: Served, asked: Entry
) -> None:
    here.do(move_batch, Move(asked.envelope["key"], "A1", "B1", "1", "KGM"))
    done = await node.do(QUALITY, "decideChangeRequest", DECIDED, **decision(asked))
    assert (done["changeRequest"]["state"], done["changeRequest"]["refusal"]["code"]) == ("REFUSED", "CHANGE_STALE")
    document = """query($id: ID!) { changeRequest(id: $id) {
      refusal { message ... on ChangeStale { batchCode proposedVersion currentVersion } } } }"""
    kept = await node.answer(OPERATOR, document, "zh", id=decision(asked)["changeRequestId"])
    versions = {"proposedVersion": asked.index - 1, "currentVersion": asked.index + 1}
    refusal = kept["data"]["changeRequest"]["refusal"]
    assert refusal.pop("message").startswith(f"批次 {asked.envelope['key']}")
    assert refusal == {"batchCode": asked.envelope["key"], **versions}


async def test_decided_at_the_hub_then_the_plant_applies_it_and_says_so(
    group: Group, hub: Served, plant_node: Served
) -> None:
    plant = group.here
    asked = release_asked(plant)
    group.hears()
    given = decision(asked, requestId=new_id(), comment="Seen 已阅")
    done = await hub.do(DIRECTOR, "decideChangeRequest", DECIDED, **given)
    directive = {
        "verdict": "APPROVED", "level": "HUB", "decidedBy": {"code": "person-9"}, "printedName": "Person 9",
        "comment": "Seen 已阅", "ledger": "DIRECTIVES", "index": 0, "applied": None, "refusal": None,
    }  # fmt: skip
    request = {"state": "REQUESTED", "refusal": None, "closedIndex": None, "decisions": [directive]}
    assert done["entry"] == {"index": 0, "type": "ChangeDecided"}
    assert done["changeRequest"] == request
    assert await hub.do(DIRECTOR, "decideChangeRequest", DECIDED, **given) == done
    group.hub.tells(plant)
    answer_next(plant)
    group.hears()
    document = "query($id: ID!) { changeRequest(id: $id) { state decisions { ledger level applied } } }"
    found = (await hub.ask(AUDITOR, document, id=given["changeRequestId"]))["changeRequest"]
    copy = {"ledger": "PLANT", "level": "HUB", "applied": None}
    assert found["state"] == "APPLIED"
    assert found["decisions"] == [{"ledger": "DIRECTIVES", "level": "HUB", "applied": True}, copy]
    local = await plant_node.ask(MANAGER, document, id=given["changeRequestId"])
    assert local == {"changeRequest": {"state": "APPLIED", "decisions": [copy]}}


async def test_refused_at_the_hub_then_no_directive_is_written(group: Group, hub: Served) -> None:
    asked = release_asked(group.here)
    group.hears()
    for actor, given, refusal in (
        (MANAGER, {}, "NOT_PERMITTED"),  # may decide at the plant, not for the group
        (AUDITOR, {}, "NOT_PERMITTED"),
        (DIRECTOR, {"changeRequestId": node_id("change", 9, asked.index)}, "CHANGE_UNKNOWN"),
        (DIRECTOR, {"changeRequestId": node_id("change", 2, asked.index)}, "CHANGE_UNKNOWN"),
        (DIRECTOR, {"changeRequestId": node_id("entry", 1, asked.index)}, "CHANGE_UNKNOWN"),
        (person(1, (0, Role.HEADQUARTERS)), {}, "CHANGE_OWN_REQUEST"),
    ):
        answer = await hub.do(actor, "decideChangeRequest", "", **decision(asked, **given))
        assert answer["code"] == refusal
    assert group.hub.desk(group.here).rows("SELECT size FROM logs WHERE log_id < 0 ORDER BY log_id") == [(0,), (0,)]
    await hub.do(DIRECTOR, "decideChangeRequest", DECIDED, **decision(asked))
    again = await hub.do(DIRECTOR, "decideChangeRequest", "", **decision(asked))
    assert again["code"] == "CHANGE_ALREADY_DECIDED"


async def test_extension_decided_at_the_plant_then_it_is_for_the_hub(here: Plant, node: Served) -> None:
    code = here.receive()
    await node.do(QUALITY, "requestExpiryExtension", "", batchCode=code, expiresOn="2026-05-01", reason="Retested")
    before = here.everything()
    answer = await node.do(
        MANAGER, "decideChangeRequest", "... on ChangeLevelWrong { levels }", **decision(here.entry())
    )
    assert (answer["code"], answer["levels"]) == ("CHANGE_LEVEL_WRONG", ["HUB"])
    assert here.everything() == before


async def test_lists_then_each_sees_the_requests_of_their_plants_alone(group: Group, hub: Served) -> None:
    first, second = release_asked(group.here), release_asked(group.there)
    again = release_asked(group.here)
    group.hears()
    here, there = [again.index, first.index], [second.index]
    for actor, given, expected in (
        (DIRECTOR, {}, there + here),
        (DIRECTOR, {"plantCode": {"eq": "SH1"}}, here),
        (DIRECTOR, {"batchCode": {"eq": first.envelope["key"]}}, [first.index]),
        (DIRECTOR, {"batchCode": {"beginsWith": "SH1-"}}, here),
        (DIRECTOR, {"state": {"in": ["APPLIED", "REFUSED"]}}, []),
        (DIRECTOR, {"state": {"notIn": ["APPLIED"]}}, there + here),
        (DIRECTOR, {"kind": {"eq": "RELEASE"}, "levels": {"eq": "HUB"}}, there + here),
        (DIRECTOR, {"levels": {"in": []}}, []),
        (DIRECTOR, {"requestedByCode": {"eq": "person-1"}}, there + here),
        (DIRECTOR, {"kind": {"eq": "EXPIRY_EXTENSION"}}, []),
        (DIRECTOR, {"requestedByCode": {"eq": "person-2"}}, []),
        (DIRECTOR, {"requestedAt": {"from": "2026-03-14T08:00:00Z"}}, there + here),
        (DIRECTOR, {"requestedAt": {"before": "2026-03-14T08:00:00Z"}}, []),
        (THERE, {}, there),
        (THERE, {"plantCode": {"eq": "SH1"}}, []),
        (THERE, {"batchCode": {"eq": first.envelope["key"]}}, []),
    ):
        found = (await hub.ask(actor, LISTED, filter=given))["changeRequests"]
        assert (given, [one["index"] for one in found["nodes"]]) == (given, expected)
        assert found["totalCount"] == len(expected)
    assert await hub.refuses(person(4), LISTED) == ["changeRequests"]
    document = "query($id: ID!) { changeRequest(id: $id) { index } node(id: $id) { id } }"
    for one in (node_id("change", 1, first.index), node_id("change", 9, first.index), "nothing"):
        found = await hub.ask(THERE, document, id=one)
        assert found == {"changeRequest": None, "node": None}


async def test_viewer_asked_what_they_may_decide_then_the_same_refusals_as_the_mutation(
    here: Plant, node: Served, asked: Entry
) -> None:
    document = """query($id: ID!) { changeRequest(id: $id) {
      viewerCanDecide { allowed blockedBy { code message ... on ChangeOwnRequest { changeRequestNumber } } } } }"""
    given = decision(asked)
    own = person(1, (1, Role.MANAGER))

    async def can(actor: Actor) -> JSON:
        found = (await node.ask(actor, document, id=given["changeRequestId"]))["changeRequest"]["viewerCanDecide"]
        assert found["allowed"] is (found["blockedBy"] is None)
        return dict(found["blockedBy"] or {})

    before = here.everything()
    assert await can(QUALITY) == {}
    for actor in (own, OPERATOR, AUDITOR):
        blocked, refused = await can(actor), await node.do(actor, "decideChangeRequest", "", **given)
        assert (blocked["code"], blocked["message"]) == (refused["code"], refused["message"])
    assert (await can(own))["changeRequestNumber"] == asked.index
    with here.store.transaction() as session:
        fence(session, here.number, fenced=True)
    assert (await can(QUALITY))["code"] == "PLANT_FENCED"
    assert (await can(OPERATOR))["code"] == "NOT_PERMITTED"
    with here.store.transaction() as session:
        fence(session, here.number, fenced=False)
    assert here.everything() == before
    await node.do(QUALITY, "decideChangeRequest", "", **given)
    assert (await can(MANAGER))["code"] == "CHANGE_ALREADY_DECIDED"


async def test_viewer_at_the_hub_then_its_own_level_and_directives_count(group: Group, hub: Served) -> None:
    asked = release_asked(group.here)
    group.hears()
    document = "query($id: ID!) { changeRequest(id: $id) { viewerCanDecide { allowed blockedBy { code } } } }"
    given = decision(asked)

    async def can(actor: Actor) -> object:
        found = await hub.ask(actor, document, id=given["changeRequestId"])
        return found["changeRequest"]["viewerCanDecide"]["blockedBy"]

    assert await can(DIRECTOR) is None
    assert await can(MANAGER) == {"code": "NOT_PERMITTED"}
    assert await can(person(1, (0, Role.HEADQUARTERS))) == {"code": "CHANGE_OWN_REQUEST"}
    await hub.do(DIRECTOR, "decideChangeRequest", "", **given)
    assert await can(DIRECTOR) == {"code": "CHANGE_ALREADY_DECIDED"}


async def test_differences_then_typed_as_their_field(here: Plant, node: Served) -> None:
    code = here.receive()
    hold = here.do(quarantine_batch, Quarantine(code, "Seal: broken")).index
    document = """... on ChangeRequested { changeRequest { differences { __typename field before after
      ... on HoldLift { holdIndex kind reason } ... on ExpiryChange { expiresOnBefore expiresOnAfter }
      ... on StockChange { locationCode quantityBefore { amount unit } quantityAfter { amount unit } } } } }"""

    async def differences(mutation: str, **given: object) -> list[JSON]:
        answer = await node.do(OPERATOR, mutation, document, batchCode=code, reason="Checked", **given)
        return list(answer["changeRequest"]["differences"])

    assert await differences("requestRelease") == [
        {"__typename": "HoldLift", "field": f"hold:{hold}", "before": "QUALITY: Seal: broken", "after": "LIFTED",
         "holdIndex": hold, "kind": "QUALITY", "reason": "Seal: broken"}
    ]  # fmt: skip
    assert await differences("requestExpiryExtension", expiresOn="2026-05-01") == [
        {"__typename": "ExpiryChange", "field": "expires_on", "before": "2026-04-13", "after": "2026-05-01",
         "expiresOnBefore": "2026-04-13", "expiresOnAfter": "2026-05-01"}
    ]  # fmt: skip
    counted = {"amount": "2.5", "unit": "KGM"}
    assert await differences("requestStockAdjustment", locationCode="A1", counted=counted) == [
        {"__typename": "StockChange", "field": "stock:A1", "before": "100 KGM", "after": "2.5 KGM",
         "locationCode": "A1", "quantityBefore": {"amount": "100", "unit": "KGM"}, "quantityAfter": counted}
    ]  # fmt: skip


@pytest.mark.parametrize(
    "field, before, after",
    [("colour", "red", "blue"), ("hold:7", "BROKEN", "LIFTED"), ("hold:x", "QUALITY: a", "LIFTED"),
     ("hold:7", "NOVEL: a", "LIFTED"), ("expires_on", "soon", "2026-05-01"), ("stock:A1", "5", "6 KGM")],
)  # fmt: skip
def test_difference_in_another_form_then_its_texts_alone(field: str, before: str, after: str) -> None:
    found = difference({"field": field, "before": before, "after": after})
    assert found == OtherChange(field=field, before=before, after=after)


async def test_ordered_then_each_request_once_in_that_order(group: Group, hub: Served) -> None:
    asked = []
    for plant in (group.here, group.there, group.here):
        for clock in (group.here.clock, group.there.clock):
            clock.advance(minutes=1)
        asked.append((plant.number, release_asked(plant).index))
    group.hears()
    document = """query($order: ChangeRequestOrder, $after: String) {
      changeRequests(orderBy: $order, first: 2, after: $after) {
        pageInfo { endCursor hasNextPage } nodes { id } } }"""
    for field, expected in (("REQUESTED_AT", asked), ("INDEX", sorted(asked))):
        for direction, ids in (("ASCENDING", expected), ("DESCENDING", expected[::-1])):
            order, found, after, page = {"field": field, "direction": direction}, [], None, {}
            for _ in range(2):
                page = (await hub.ask(DIRECTOR, document, order=order, after=after))["changeRequests"]
                found += [one["id"] for one in page["nodes"]]
                after = page["pageInfo"]["endCursor"]
            assert found == [node_id("change", *one) for one in ids], order
            assert (len(found), page["pageInfo"]["hasNextPage"]) == (3, False)
