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
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, MANAGER, OPERATOR, QUALITY, Served, person
from tests.sync_jobs.group import CLOCK, Group, receive, running_group
from tests.sync_jobs.plant.test_rebasing import part
from tests.sync_jobs.plant.test_restoring import kinds, level

LIST = """query($open: Boolean, $first: Int, $after: String) { disputes(open: $open, first: $first, after: $after) {
  totalCount pageInfo { endCursor hasNextPage } nodes { id index type about actor collisions { code what } open
  settlement settledBy settledAt plant { code } entry { type payload } settled { reason } } } }"""
SETTLED = """... on ConflictingEntrySettled { entry { index type }
  dispute { index open settlement settledBy { code } settled { reason } } }"""


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
    found = (await node.ask(actor, LIST, **given))["disputes"]
    assert found["totalCount"] == len(found["nodes"])
    return list(found["nodes"])


async def settle(plant: Served, actor: Actor, dispute: int, language: Language = "en", **said: Any) -> JSON:
    given = {"reason": "Relabelled as a new batch", **said}
    return await plant.do(actor, "settleConflictingEntry", SETTLED, language, dispute=dispute, **given)


async def test_repaired_then_on_the_worklist_of_the_plant_and_of_headquarters(plant: Served, hub: Served) -> None:
    first, second = await listed(plant, QUALITY, open=True)
    code = first["about"]
    assert (first["id"], first["type"], first["actor"], first["plant"]) == (
        "dispute/1/6", "BatchReceived", "li.wei", {"code": "SH1"},
    )  # fmt: skip
    assert (first["open"], first["settlement"], first["settledBy"], first["settledAt"]) == (True, None, None, None)
    assert [one["code"] for one in first["collisions"]] == ["BATCH_TAKEN", "CODE_TAKEN"]
    assert first["collisions"][1]["what"] == code
    assert (second["index"], first["index"]) == (7, 6)
    assert first["entry"]["type"] == "EntryDisputed"
    assert f'"key":"{code}"' in first["entry"]["payload"]
    for node, actor in ((plant, MANAGER), (hub, DIRECTOR), (hub, AUDITOR), (hub, MANAGER)):
        assert await listed(node, actor) == [first, second]
    (page,) = [(await hub.ask(DIRECTOR, LIST, first=1))["disputes"]]
    assert (page["totalCount"], page["nodes"], page["pageInfo"]["hasNextPage"]) == (2, [first], True)
    rest = (await hub.ask(DIRECTOR, LIST, first=1, after=page["pageInfo"]["endCursor"]))["disputes"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([second], False)
    found = await hub.ask(DIRECTOR, "query($id: ID!) { node(id: $id) { id } }", id=first["id"])
    assert found == {"node": {"id": first["id"]}}


async def test_not_allowed_to_read_the_ledger_then_there_are_none(plant: Served, hub: Served) -> None:
    other = person(7, (2, Role.MANAGER))
    for node, actor in ((plant, OPERATOR), (plant, other), (hub, other), (hub, person(8, (0, Role.ADMINISTRATOR)))):
        assert await listed(node, actor) == []
        found = await node.ask(actor, "query($id: ID!) { node(id: $id) { id } }", id="dispute/1/6")
        assert found == {"node": None}


async def test_settled_then_off_the_worklist_and_the_alarm_ends_with_the_last(
    plant: Served, hub: Served, parted: tuple[Group, PlantNode]
) -> None:
    group, node = parted
    assert "ENTRY_DISPUTED" in kinds(node.store)
    request = new_id()
    answer = await settle(plant, QUALITY, 6, requestId=request)
    assert answer == {
        "__typename": "DisputeSettled",
        "entry": {"index": answer["entry"]["index"], "type": "DisputeSettled"},
        "dispute": {
            "index": 6, "open": False, "settlement": "Relabelled as a new batch", "settledBy": "person-2",
            "settled": {"reason": "Relabelled as a new batch"},
        },
    }  # fmt: skip
    assert await settle(plant, QUALITY, 6, requestId=request) == answer, "sent again it does nothing again"
    assert [one["index"] for one in await listed(plant, QUALITY, open=True)] == [7]
    assert [one["index"] for one in await listed(plant, QUALITY, open=False)] == [6]
    assert "ENTRY_DISPUTED" in kinds(node.store)
    await settle(plant, MANAGER, 7, reason="Counted 清点")
    assert await listed(plant, QUALITY, open=True) == []
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
        (QUALITY, 6, {}, "zh", "DISPUTE_SETTLED", "争议条目 6 已处理，未重复变更。"),
        (QUALITY, 5, {}, "zh", "DISPUTE_UNKNOWN", "此处没有争议条目 5，请重新查看争议列表。"),
        (
            QUALITY,
            -1,
            {},
            "en",
            "DISPUTE_UNKNOWN",
            "There is no disputed entry -1 here. Look at the list of disputes again.",
        ),
        (QUALITY, 7, {"reason": " "}, "en", "TEXT_INVALID", None),
    )
    for actor, dispute, said, language, code, text in wrong:
        answer = await settle(plant, actor, dispute, language, **said)
        assert answer["code"] == code
        assert text in (None, answer["message"])
    assert (table_digests(store), kinds(store)) == before
