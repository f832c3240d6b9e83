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
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, Served, person
from tests.sync_jobs.group import CLOCK, Group, running_group, stand
from tests.sync_jobs.projection.test_parking import poison
from tests.sync_jobs.projection.test_projecting import faults, write_raw

ADMINISTRATOR = person(12, (0, Role.ADMINISTRATOR))
LIST = """query($state: ParkedState, $first: Int, $after: String) {
  parkedEntries(state: $state, first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
  nodes { index state type about error attempts nextAttemptAt leafHash plant { code } entry { type } } } }"""
SKIPPED = """{ skippedEntries { totalCount nodes {
  index type error reason skippedBy printedName leafHash plant { code } decision { type reason } } } }"""


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
        found = (await self.served.ask(ADMINISTRATOR, LIST, state=state))["parkedEntries"]
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
    given = {"plant": "SH1", "index": entry.index, "leafHash": entry.leaf.hex(), "reason": "Wrong scale, note 17"}
    return {**given, **more}


async def test_parked_then_listed_with_why_each_waits(waiting: Waiting) -> None:
    failed, behind, newer = await waiting.listed()
    assert failed == {
        "index": waiting.broken.index, "state": "FAILED", "type": "BatchMoved", "about": "elsewhere",
        "error": failed["error"], "attempts": 1, "nextAttemptAt": failed["nextAttemptAt"],
        "leafHash": waiting.broken.leaf.hex(), "plant": {"code": "SH1"}, "entry": None,
    }  # fmt: skip
    assert failed["error"]
    assert failed["nextAttemptAt"] is not None
    assert (behind["state"], behind["error"], behind["index"]) == ("WAITS_BEHIND", None, waiting.behind.index)
    assert (newer["state"], newer["type"], newer["nextAttemptAt"]) == ("NEEDS_UPGRADE", "BatchBlessed", None)
    for one in (failed, behind, newer):
        assert await waiting.listed(one["state"]) == [one]
    seen = (await waiting.served.ask(DIRECTOR, LIST, first=1))["parkedEntries"]
    assert seen["nodes"] == [failed | {"entry": {"type": "BatchMoved"}}], "headquarters may read the ledger"
    assert (seen["totalCount"], seen["pageInfo"]["hasNextPage"]) == (3, True)
    rest = await waiting.served.ask(ADMINISTRATOR, LIST, first=9, after=seen["pageInfo"]["endCursor"])
    assert rest["parkedEntries"]["nodes"] == [behind, newer]
    nobody = {"totalCount": 0, "pageInfo": {"endCursor": None, "hasNextPage": False}, "nodes": []}
    for actor in (person(3, (1, Role.OPERATOR)), person(4, (2, Role.MANAGER)), person(5)):
        assert await waiting.served.ask(actor, LIST) == {"parkedEntries": nobody}


async def test_halted_then_listed_and_not_to_be_decided_on(waiting: Waiting) -> None:
    before = len(await waiting.listed())
    with waiting.store.transaction() as session:
        session.run(
            "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us)"
            " VALUES (1, :idx, :key, '', 'too many', 1, 0)",
            {"idx": 0, "key": HALTED},
        )
    (halted,) = await waiting.listed("HALTED")
    assert (halted["index"], halted["about"], halted["error"], halted["type"]) == (0, "", "too many", None)
    assert len(await waiting.listed()) == before + 1
    untouched = waiting.everything()
    for mutation in ("skipParkedEntry", "retryParkedEntry"):
        given = {"plant": "SH1", "index": 0, "leafHash": halted["leafHash"], "reason": "Go on"}
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
                    "index": waiting.broken.index, "type": "BatchMoved", "error": error,
                    "reason": "Wrong scale, note 17", "skippedBy": "person-12", "printedName": "Person 12",
                    "leafHash": waiting.broken.leaf.hex(), "plant": {"code": "SH1"},
                    "decision": {"type": "EntrySkipped", "reason": "Wrong scale, note 17"},
                }
            ],
        }
    }  # fmt: skip
    foreign = person(4, (2, Role.MANAGER))
    assert await waiting.served.ask(foreign, SKIPPED) == {"skippedEntries": {"totalCount": 0, "nodes": []}}


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
async def test_refused_then_nothing_has_changed(waiting: Waiting, mutation: str) -> None:
    before = waiting.everything()
    for actor in (DIRECTOR, AUDITOR, person(3, (0, Role.MANAGER)), person(4, (1, Role.ADMINISTRATOR)), person(5)):
        answers = [
            await waiting.served.do(actor, mutation, "", **shown(waiting.broken, plant=plant))
            for plant in ("SH1", "ZZ9")
        ]
        assert answers[0] == answers[1], "whether there is such a plant is not told"
        assert answers[0]["code"] == "NOT_PERMITTED"
    for more, plant in (
        ({"index": waiting.behind.index, "leafHash": waiting.behind.leaf.hex()}, "SH1"),
        ({"leafHash": waiting.behind.leaf.hex()}, "SH1"),
        ({"index": -1}, "SH1"),
        ({"plant": "ZZ9"}, "0"),
    ):
        given = shown(waiting.broken, **more)
        answer = await waiting.served.do(
            ADMINISTRATOR, mutation, "... on EntryNotParked { plantCode entryIndex }", "zh", **given
        )
        assert (answer["code"], answer["plantCode"]) == ("ENTRY_NOT_PARKED", plant)
        assert answer["message"] == (
            f"工厂 {plant} 的条目 {given['index']} 不是因自身原因而待处理，或与所示内容不符，请重新列出。"
        )
    for reason in ("", " ", "x" * 501):
        given = shown(waiting.broken, reason=reason)
        assert (await waiting.served.do(ADMINISTRATOR, mutation, "", **given))["code"] == "TEXT_INVALID"
    assert waiting.everything() == before
