"""The worklist of disputed entries over GraphQL: seen by whoever may read the ledger, settled at the plant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auth.actors import Actor, Role
from infra.clock import FixedClock
from infra.ids import new_id
from infra.messages import Language
from infra.postgres import EmbeddedPostgres
from plants.store.projection.rebuilding import table_digests
from schema.engine.node_ids import node_id
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, QUALITY, Served, person
from tests.sync_jobs.group import CLOCK, Group, receive, running_group
from tests.sync_jobs.plant.test_rebasing import part
from tests.sync_jobs.plant.test_restoring import kinds, level

LIST = """query($filter: ConflictingEntryFilter, $order: ConflictingEntryOrder, $first: Int, $after: String) {
  conflictingEntries(filter: $filter, orderBy: $order, first: $first, after: $after) {
    totalCount pageInfo { endCursor hasNextPage } nodes { id index type key actor { code }
    conflicts { kind subject } open settlement settledBy { code } settledAt plant { code } entry { type payload }
    settled { reason } } } }"""
SETTLED = """... on ConflictingEntrySettled { entry { index type }
  conflictingEntry { index open settlement settledBy { code } settled { reason } } }"""
ABLE = """query($id: ID!) { conflictingEntry(id: $id) {
  viewerCanSettle { allowed blockedBy { code message } } } }"""


@pytest.fixture
def parted(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[tuple[Group, PlantNode]]:
    """A plant whose ledger had parted from the hub's and was repaired: two entries are disputed."""
    with running_group(migrated_database(postgres_18), tmp_path) as group:
        node = part(group, tmp_path, lost=2).node
        receive(node, 2)
        assert exchange(node, forced=True).ran
        exchange(node, forced=True)
        level(group, node)
        project_behind(group.hub.node.store, CLOCK, "test")
        yield group, node


def at(node: Any, plant: int) -> Served:
    return Served(node.store, FixedClock(CLOCK.now()), plant)


@pytest.fixture
def plant(parted: tuple[Group, PlantNode]) -> Iterator[Served]:
    served = at(parted[1], 1)
    yield served
    served.close()


@pytest.fixture
def hub(parted: tuple[Group, PlantNode]) -> Iterator[Served]:
    served = at(parted[0].hub.node, 0)
    yield served
    served.close()


async def listed(node: Served, actor: Actor, **given: Any) -> list[JSON]:
    found = (await node.ask(actor, LIST, **given))["conflictingEntries"]
    assert found["totalCount"] == len(found["nodes"])
    return list(found["nodes"])


async def settle(plant: Served, actor: Actor, dispute: int, language: Language = "en", **said: Any) -> JSON:
    given = {"reason": "Relabelled as a new batch", **said}
    named = {"conflictingEntryId": node_id("dispute", 1, dispute), **given}
    return await plant.do(actor, "settleConflictingEntry", SETTLED, language, **named)


async def test_repaired_then_on_the_worklist_of_the_plant_and_of_headquarters(plant: Served, hub: Served) -> None:
    first, second = await listed(plant, QUALITY, filter={"open": True})
    code = first["key"]
    assert (first["id"], first["type"], first["actor"], first["plant"]) == (
        node_id("dispute", 1, 6), "BatchReceived", {"code": "li.wei"}, {"code": "SH1"},
    )  # fmt: skip
    assert (first["open"], first["settlement"], first["settledBy"], first["settledAt"]) == (True, None, None, None)
    assert [one["kind"] for one in first["conflicts"]] == ["BATCH_TAKEN", "CODE_TAKEN"]
    assert first["conflicts"][1]["subject"] == code
    assert (second["index"], first["index"]) == (7, 6)
    assert first["entry"]["type"] == "EntryDisputed"
    assert f'"key":"{code}"' in first["entry"]["payload"]
    for node, actor in ((plant, MANAGER), (hub, DIRECTOR), (hub, AUDITOR), (hub, MANAGER)):
        assert await listed(node, actor) == [first, second]
    (page,) = [(await hub.ask(DIRECTOR, LIST, first=1))["conflictingEntries"]]
    assert (page["totalCount"], page["nodes"], page["pageInfo"]["hasNextPage"]) == (2, [first], True)
    rest = (await hub.ask(DIRECTOR, LIST, first=1, after=page["pageInfo"]["endCursor"]))["conflictingEntries"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([second], False)
    backwards = await listed(hub, DIRECTOR, order={"field": "RECORDED", "direction": "DESCENDING"})
    assert backwards == [second, first]
    document = "query($id: ID!) { node(id: $id) { id } conflictingEntry(id: $id) { id } }"
    found = await hub.ask(DIRECTOR, document, id=first["id"])
    assert found == {"node": {"id": first["id"]}, "conflictingEntry": {"id": first["id"]}}
    for wanted, expected in (
        ({"plantCode": {"eq": "SH1"}, "actorCode": {"eq": "li.wei"}}, [first, second]),
        ({"plantCode": {"eq": "NB1"}}, []),
        ({"key": {"eq": code}}, [first]),
        ({"type": {"in": ["BatchMoved"]}}, []),
        ({"occurredAt": {"before": "2001-01-01T00:00:00Z"}}, []),
    ):
        assert await listed(hub, DIRECTOR, filter=wanted) == expected, wanted


async def test_not_allowed_to_read_the_ledger_then_refused(plant: Served, hub: Served) -> None:
    other = person(7, (2, Role.MANAGER))
    for node, actor in ((plant, OPERATOR), (plant, other), (hub, other), (hub, person(8, (0, Role.ADMINISTRATOR)))):
        assert await node.refuses(actor, LIST) == ["conflictingEntries"]
        found = await node.ask(actor, "query($id: ID!) { node(id: $id) { id } }", id="dispute/1/6")
        assert found == {"node": None}


async def test_validated_then_it_stays_on_the_worklist(plant: Served) -> None:
    given = {"requestId": new_id(), "conflictingEntryId": node_id("dispute", 1, 6), "reason": "Relabelled"}

    validated = await plant.validate(QUALITY, "settleConflictingEntry", **given)

    assert (validated["eventType"], validated["alreadyRecorded"]) == ("DisputeSettled", False)
    assert [one["open"] for one in await listed(plant, QUALITY)] == [True, True]
    assert (await plant.do(QUALITY, "settleConflictingEntry", SETTLED, **given))["conflictingEntry"]["open"] is False


async def test_settled_then_off_the_worklist_and_the_alarm_ends_with_the_last(
    plant: Served, hub: Served, parted: tuple[Group, PlantNode]
) -> None:
    group, node = parted
    assert "ENTRY_DISPUTED" in kinds(node.store)
    request = new_id()
    answer = await settle(plant, QUALITY, 6, requestId=request)
    assert answer == {
        "__typename": "ConflictingEntrySettled",
        "entry": {"index": answer["entry"]["index"], "type": "DisputeSettled"},
        "conflictingEntry": {
            "index": 6, "open": False, "settlement": "Relabelled as a new batch", "settledBy": {"code": "person-2"},
            "settled": {"reason": "Relabelled as a new batch"},
        },
    }  # fmt: skip
    assert await settle(plant, QUALITY, 6, requestId=request) == answer, "sent again it does nothing again"
    assert [one["index"] for one in await listed(plant, QUALITY, filter={"open": True})] == [7]
    assert [one["index"] for one in await listed(plant, QUALITY, filter={"open": False})] == [6]
    assert "ENTRY_DISPUTED" in kinds(node.store)
    await settle(plant, MANAGER, 7, reason="Counted 清点")
    assert await listed(plant, QUALITY, filter={"open": True}) == []
    assert "ENTRY_DISPUTED" not in kinds(node.store)
    exchange(node, forced=True)
    level(group, node)
    assert await listed(hub, DIRECTOR) == await listed(plant, QUALITY)


async def test_refused_then_nothing_has_changed(plant: Served, parted: tuple[Group, PlantNode]) -> None:
    store = parted[1].store
    await settle(plant, QUALITY, 6)
    before = table_digests(store), kinds(store)
    wrong: tuple[tuple[Actor, int, dict[str, Any], Language, str, str | None], ...] = (
        (OPERATOR, 7, {}, "en", "NOT_PERMITTED", None),
        (person(7, (2, Role.QUALITY)), 7, {}, "en", "NOT_PERMITTED", None),
        (DIRECTOR, 7, {}, "en", "NOT_PERMITTED", None),
        (QUALITY, 6, {}, "zh", "DISPUTE_SETTLED", "冲突条目 6 已处理，未重复变更。"),
        (QUALITY, 5, {}, "zh", "DISPUTE_UNKNOWN", "此处没有冲突条目 5，请重新查看冲突条目列表。"),
        (
            QUALITY,
            -1,
            {},
            "en",
            "DISPUTE_UNKNOWN",
            "There is no conflicting entry -1 here. Look at the list of conflicting entries again.",
        ),
        (QUALITY, 7, {"reason": " "}, "en", "TEXT_INVALID", None),
    )
    for actor, dispute, said, language, code, text in wrong:
        answer = await settle(plant, actor, dispute, language, **said)
        assert answer["code"] == code
        assert text in (None, answer["message"])
    for other in (node_id("dispute", 2, 7), node_id("entry", 1, 7), "7"):
        for actor, code in ((QUALITY, "DISPUTE_UNKNOWN"), (OPERATOR, "NOT_PERMITTED")):
            assert (await settle(plant, actor, 7, conflictingEntryId=other))["code"] == code
    assert (table_digests(store), kinds(store)) == before


async def test_viewer_asked_what_they_may_settle_then_the_refusals_of_the_mutation(plant: Served, hub: Served) -> None:
    await settle(plant, QUALITY, 6)

    async def can(node: Served, actor: Actor, dispute: int) -> JSON | None:
        found = (await node.ask(actor, ABLE, id=node_id("dispute", 1, dispute)))["conflictingEntry"]["viewerCanSettle"]
        return None if found is None else dict(found)

    assert await can(plant, QUALITY, 7) == {"allowed": True, "blockedBy": None}
    for actor, dispute in ((QUALITY, 6), (AUDITOR, 7), (AUDITOR, 6)):
        refused = await settle(plant, actor, dispute)
        blocked = {"code": refused["code"], "message": refused["message"]}
        assert await can(plant, actor, dispute) == {"allowed": False, "blockedBy": blocked}
    assert await can(hub, DIRECTOR, 7) is None, "settled at the plant alone"


async def test_settled_then_the_entry_is_about_the_thing_of_the_conflicting_entry(plant: Served) -> None:
    await settle(plant, MANAGER, 6)

    document = """query($key: BatchCode!) { batch(code: $key) { id } ledger(filter: {type: {eq: "DisputeSettled"}}) {
      nodes { about { __typename id } } } }"""
    (first, _) = await listed(plant, AUDITOR)
    found = await plant.ask(AUDITOR, document, key=first["key"])
    assert found["ledger"]["nodes"] == [{"about": {"__typename": "Batch", "id": found["batch"]["id"]}}]
