"""The worklist of entries that the hub could not apply, over GraphQL: an administrator of the hub alone decides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auth.actors import Role
from infra.clock import FixedClock
from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.events import Entry
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.projection_faults import HALTED
from schema.engine.node_ids import node_id
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, Served, person
from tests.sync_jobs.group import CLOCK, Group, running_group, stand
from tests.sync_jobs.projection.test_parking import poison
from tests.sync_jobs.projection.test_projecting import faults, write_raw

ADMINISTRATOR = person(12, (0, Role.ADMINISTRATOR))
LIST = """query($filter: ParkedEntryFilter, $order: ParkedEntryOrder, $first: Int, $after: String) {
  parkedEntries(filter: $filter, orderBy: $order, first: $first, after: $after) {
    totalCount pageInfo { endCursor hasNextPage } nodes { id index state type key error neededVersion attempts
    nextAttemptAt leafHash plant { code } entry { type } } } }"""
SKIPPED = """query($filter: SkippedEntryFilter) { skippedEntries(filter: $filter) { totalCount nodes { id
  index type error reason skippedBy { code } printedName leafHash plant { code } decision { type reason } } } }"""
ABLE = """query($id: ID!) { node(id: $id) { ... on ParkedEntry {
  viewerCanRetry { allowed blockedBy { code message } } viewerCanSkip { allowed blockedBy { code message } } } } }"""


class Waiting:
    """A hub at which an entry of SH1 is parked, and another one waits behind it."""

    def __init__(self, group: Group, node: PlantNode) -> None:
        self.group = group
        self.store = group.hub.node.store
        self.broken, self.behind = poison(node)
        self.newer = write_raw(node, "BatchBlessed", "elsewhere else", {})
        exchange(node)
        self.project()
        self.served = Served(self.store, FixedClock(CLOCK.now()), 0)

    def project(self) -> int:
        return project_behind(self.store, CLOCK, "test")

    async def listed(self, state: str | None = None) -> list[JSON]:
        wanted = None if state is None else {"state": {"eq": state}}
        found = (await self.served.ask(ADMINISTRATOR, LIST, filter=wanted))["parkedEntries"]
        assert found["totalCount"] == len(found["nodes"])
        return list(found["nodes"])

    def everything(self) -> tuple[Any, ...]:
        return faults(self.group, 1), stand(self.store, 0), table_digests(self.store)


@pytest.fixture
def waiting(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Waiting]:
    with running_group(migrated_database(postgres_18), tmp_path) as group:
        waiting = Waiting(group, group.plant(1, "SH1"))
        yield waiting
        waiting.served.close()


def shown(entry: Entry, **more: Any) -> dict[str, Any]:
    return {"parkedEntryId": id_of(entry), "reason": "Wrong scale, note 17", **more}


def id_of(entry: Entry, plant: int = 1) -> str:
    """Return the id of an entry of SH1 while it is parked."""
    return node_id("parked", plant, entry.index, entry.leaf.hex())


async def test_parked_then_listed_with_why_each_waits(waiting: Waiting) -> None:
    failed, behind, newer = await waiting.listed()
    assert failed == {
        "id": id_of(waiting.broken), "index": waiting.broken.index, "state": "FAILED", "type": "BatchMoved",
        "key": "elsewhere", "error": failed["error"], "neededVersion": None, "attempts": 1,
        "nextAttemptAt": failed["nextAttemptAt"],
        "leafHash": waiting.broken.leaf.hex(), "plant": {"code": "SH1"}, "entry": None,
    }  # fmt: skip
    assert failed["error"]
    assert failed["nextAttemptAt"] is not None
    assert (behind["state"], behind["error"], behind["index"]) == ("WAITS_BEHIND", None, waiting.behind.index)
    assert (newer["state"], newer["type"], newer["nextAttemptAt"]) == ("NEEDS_UPGRADE", "BatchBlessed", None)
    assert (newer["error"], newer["neededVersion"]) == (None, 1)
    for one in (failed, behind, newer):
        assert await waiting.listed(one["state"]) == [one]
    seen = (await waiting.served.ask(DIRECTOR, LIST, first=1))["parkedEntries"]
    assert seen["nodes"] == [failed | {"entry": {"type": "BatchMoved"}}], "headquarters may read the ledger"
    assert (seen["totalCount"], seen["pageInfo"]["hasNextPage"]) == (3, True)
    rest = await waiting.served.ask(ADMINISTRATOR, LIST, first=9, after=seen["pageInfo"]["endCursor"])
    assert rest["parkedEntries"]["nodes"] == [behind, newer]
    for wanted, expected in (
        ({"state": {"notIn": ["FAILED", "HALTED"]}}, [behind, newer]),
        ({"state": {"in": []}}, []),
        ({"type": {"eq": "BatchBlessed"}}, [newer]),
        ({"key": {"eq": "elsewhere"}}, [failed]),
        ({"plantCode": {"eq": "SH1"}}, [failed, behind, newer]),
        ({"plantCode": {"eq": "NB1"}}, []),
    ):
        found = (await waiting.served.ask(ADMINISTRATOR, LIST, filter=wanted))["parkedEntries"]
        assert (found["nodes"], found["totalCount"]) == (expected, len(expected)), wanted
    backwards = {"field": "INDEX", "direction": "DESCENDING"}
    found = (await waiting.served.ask(ADMINISTRATOR, LIST, order=backwards))["parkedEntries"]
    assert found["nodes"] == [newer, behind, failed]
    for actor in (person(3, (1, Role.OPERATOR)), person(4, (2, Role.MANAGER)), person(5)):
        assert await waiting.served.refuses(actor, LIST) == ["parkedEntries"]


async def test_halted_then_listed_and_not_to_be_decided_on(waiting: Waiting) -> None:
    before = len(await waiting.listed())
    with waiting.store.transaction() as session:
        session.run(
            "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us)"
            " VALUES (1, :idx, :key, '', 'too many', 1, 0)",
            {"idx": 0, "key": HALTED},
        )
    (halted,) = await waiting.listed("HALTED")
    assert (halted["index"], halted["key"], halted["error"], halted["type"]) == (0, "", "too many", None)
    assert len(await waiting.listed()) == before + 1
    untouched = waiting.everything()
    for mutation in ("skipParkedEntry", "retryParkedEntry"):
        given = {"parkedEntryId": halted["id"], "reason": "Go on"}
        assert (await waiting.served.do(ADMINISTRATOR, mutation, "", **given))["code"] == "ENTRY_NOT_PARKED"
    assert waiting.everything() == untouched


async def test_skipped_then_what_waited_goes_on_and_the_decision_is_listed(waiting: Waiting) -> None:
    wanted, request = "... on EntrySkipped { entry { index type } }", new_id()
    given = shown(waiting.broken, requestId=request)
    answer = await waiting.served.do(ADMINISTRATOR, "skipParkedEntry", wanted, **given)
    assert answer["entry"] == {"index": stand(waiting.store, 0)[0] - 1, "type": "EntrySkipped"}
    assert await waiting.served.do(ADMINISTRATOR, "skipParkedEntry", wanted, **given) == answer
    other = await waiting.served.do(ADMINISTRATOR, "retryParkedEntry", "", **given)
    assert other["code"] == "REQUEST_REUSED"
    assert waiting.project() == 1
    assert [one["state"] for one in await waiting.listed()] == ["NEEDS_UPGRADE"]
    (error,) = {one["error"] for one in (await waiting.served.ask(DIRECTOR, SKIPPED))["skippedEntries"]["nodes"]}
    assert await waiting.served.ask(DIRECTOR, SKIPPED) == {
        "skippedEntries": {
            "totalCount": 1,
            "nodes": [
                {
                    "id": node_id("skipped", 1, waiting.broken.index), "index": waiting.broken.index,
                    "type": "BatchMoved", "error": error,
                    "reason": "Wrong scale, note 17", "skippedBy": {"code": "person-12"}, "printedName": "Person 12",
                    "leafHash": waiting.broken.leaf.hex(), "plant": {"code": "SH1"},
                    "decision": {"type": "EntrySkipped", "reason": "Wrong scale, note 17"},
                }
            ],
        }
    }  # fmt: skip
    for chosen, count in (
        ({"skippedByCode": {"eq": "person-12"}, "type": {"eq": "BatchMoved"}}, 1),
        ({"skippedByCode": {"eq": "person-1"}}, 0),
        ({"skippedAt": {"before": "2001-01-01T00:00:00Z"}}, 0),
        ({"plantCode": {"eq": "NB1"}}, 0),
    ):
        assert (await waiting.served.ask(DIRECTOR, SKIPPED, filter=chosen))["skippedEntries"]["totalCount"] == count
    ids = [node_id("skipped", 1, waiting.broken.index), node_id("skipped", 1, waiting.behind.index)]
    found = await waiting.served.ask(DIRECTOR, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert found == {"nodes": [{"id": ids[0]}, None]}
    foreign = person(4, (2, Role.MANAGER))
    assert await waiting.served.refuses(foreign, SKIPPED) == ["skippedEntries"]


async def test_tried_again_then_its_attempts_begin_again(waiting: Waiting) -> None:
    with waiting.store.transaction() as session:
        session.run("UPDATE projection_faults SET attempts = 5, next_attempt_us = NULL WHERE error IS NOT NULL")
    wanted = "... on EntryRetried { entry { type } }"
    answer = await waiting.served.do(ADMINISTRATOR, "retryParkedEntry", wanted, **shown(waiting.broken))
    assert answer["entry"] == {"type": "EntryRetried"}
    (failed,) = await waiting.listed("FAILED")
    assert (failed["attempts"], failed["nextAttemptAt"] is None) == (0, False)
    waiting.project()
    (failed,) = await waiting.listed("FAILED")
    assert failed["attempts"] == 1


@pytest.mark.parametrize("mutation", ["skipParkedEntry", "retryParkedEntry"])
async def test_validated_then_nothing_has_changed_and_it_can_be_done(waiting: Waiting, mutation: str) -> None:
    given = shown(waiting.broken, requestId=new_id())

    validated = await waiting.served.validate(ADMINISTRATOR, mutation, **given)
    done = await waiting.served.do(ADMINISTRATOR, mutation, "... on Recorded { entry { type } }", **given)

    assert (validated["__typename"], validated["alreadyRecorded"]) == ("Validated", False)
    assert done["entry"] == {"type": validated["eventType"]}
    assert (await waiting.served.validate(ADMINISTRATOR, mutation, **given))["alreadyRecorded"] is True


@pytest.mark.parametrize("mutation", ["skipParkedEntry", "retryParkedEntry"])
async def test_refused_then_nothing_has_changed(waiting: Waiting, mutation: str) -> None:
    before = waiting.everything()
    for actor in (DIRECTOR, AUDITOR, person(3, (0, Role.MANAGER)), person(4, (1, Role.ADMINISTRATOR)), person(5)):
        answers = [
            await waiting.served.do(actor, mutation, "", **shown(waiting.broken, parkedEntryId=one))
            for one in (id_of(waiting.broken), id_of(waiting.broken, 9), "nothing")
        ]
        assert answers[0] == answers[1] == answers[2], "whether there is such an entry is not told"
        assert answers[0]["code"] == "NOT_PERMITTED"
    broken, behind = waiting.broken, waiting.behind
    for wrong, plant, index in (
        (id_of(behind), "SH1", behind.index),
        (node_id("parked", 1, broken.index, behind.leaf.hex()), "SH1", broken.index),
        (node_id("parked", 1, -1, broken.leaf.hex()), "SH1", -1),
        (id_of(broken, 9), "9", broken.index),
        (node_id("entry", 1, broken.index), None, None),
        ("nothing", None, None),
    ):
        given = shown(broken, parkedEntryId=wrong)
        answer = await waiting.served.do(
            ADMINISTRATOR, mutation, "... on EntryNotParked { plantCode entryIndex }", "zh", **given
        )
        assert (answer["code"], answer["entryIndex"]) == ("ENTRY_NOT_PARKED", index)
        assert answer["plantCode"] == plant
        if plant is not None:
            assert answer["message"] == (
                f"工厂 {plant} 的条目 {index} 不是因自身原因而待处理，或与所示内容不符，请重新列出。"
            )
    for reason in ("", " ", "x" * 501):
        given = shown(waiting.broken, reason=reason)
        assert (await waiting.served.do(ADMINISTRATOR, mutation, "", **given))["code"] == "TEXT_INVALID"
    assert waiting.everything() == before


async def test_viewer_asked_what_they_may_decide_then_the_refusals_of_the_mutations(waiting: Waiting) -> None:
    before = waiting.everything()
    for actor, entry in ((ADMINISTRATOR, waiting.behind), (DIRECTOR, waiting.broken), (DIRECTOR, waiting.behind)):
        found = (await waiting.served.ask(actor, ABLE, id=id_of(entry)))["node"]
        for able, mutation in (("viewerCanRetry", "retryParkedEntry"), ("viewerCanSkip", "skipParkedEntry")):
            refused = await waiting.served.do(actor, mutation, "", **shown(entry))
            blocked = {"code": refused["code"], "message": refused["message"]}
            assert found[able] == {"allowed": False, "blockedBy": blocked}
    allowed = {"allowed": True, "blockedBy": None}
    found = await waiting.served.ask(ADMINISTRATOR, ABLE, id=id_of(waiting.broken))
    assert found == {"node": {"viewerCanRetry": allowed, "viewerCanSkip": allowed}}
    replaced = node_id("parked", 1, waiting.broken.index, waiting.behind.leaf.hex())
    assert await waiting.served.ask(ADMINISTRATOR, ABLE, id=replaced) == {"node": None}
    assert waiting.everything() == before
