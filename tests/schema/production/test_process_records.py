"""Process records over GraphQL: filters, orders page by page, and what the viewer may do with one."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest

from auth.actors import Actor
from plants.commands.production.process_records import Closing, ProcessOrder, close_process, open_process
from plants.rules.production.process_records import RunKind
from plants.store.production.process_listings import ProcessRecordOrderField
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import AUDITOR, JSON, MANAGER, OPERATOR, Served

LISTED = """query($filter: ProcessRecordFilter, $orderBy: ProcessRecordOrder, $after: String) {
  processRecords(filter: $filter, orderBy: $orderBy, first: 2, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id } } }"""
ABLE = "allowed blockedBy { code message }"
OUTPUT = {"materialCode": "FP-YOG", "quantity": {"amount": "1", "unit": "KGM"}, "locationCode": "A1"}
ABILITIES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "viewerCanAddInputs": ("addProcessInputs", {"lines": []}),
    "viewerCanAddOutputs": ("addProcessOutputs", {"outputs": [OUTPUT]}),
    "viewerCanClose": ("closeProcess", {}),
}
"""The mutation of each ability, with its input beside the process record."""


def opened(here: Plant, order: ProcessOrder) -> int:
    return int(here.do(open_process, order).payload["process"]["id"])


@pytest.fixture
def runs(here: Plant) -> list[int]:
    """Four process records, opened a day apart; the second and then the first are closed."""
    orders = (
        ProcessOrder(job_order="JO-1", segment="MIX", equipment="MIX1"),
        ProcessOrder(RunKind.REWORK, job_order="JO-2"),
        ProcessOrder(job_order="JO-3"),
        ProcessOrder(RunKind.REPACK, segment="FILL"),
    )
    found = []
    for order in orders:
        found.append(opened(here, order))
        here.clock.advance(days=1)
    for number in (found[1], found[0]):
        here.do(close_process, Closing(number))
        here.clock.advance(days=1)
    return found


async def pages(node: Served, **given: Any) -> list[str]:
    """Return the ids of a list, page by page."""
    found: list[str] = []
    after, more = None, True
    page: JSON = {}
    while more:
        page = (await node.ask(MANAGER, LISTED, after=after, **given))["processRecords"]
        found += [one["id"] for one in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert page["totalCount"] == len(found)
    return found


@pytest.mark.parametrize(
    "filter_, expected",
    [
        ({}, [3, 2, 1, 0]),
        ({"plantCode": {"eq": "SH1"}}, [3, 2, 1, 0]),
        ({"plantCode": {"eq": "NB1"}}, []),
        ({"kind": {"in": ["REWORK", "REPACK"]}}, [3, 1]),
        ({"kind": {"notIn": ["PRODUCTION"]}, "state": {"eq": "OPEN"}}, [3]),
        ({"state": {"eq": "CLOSED"}}, [1, 0]),
        ({"jobOrder": {"beginsWith": "JO-"}}, [2, 1, 0]),
        ({"jobOrder": {"in": ["JO-3", "JO-1"]}}, [2, 0]),
        ({"segment": {"eq": "FILL"}}, [3]),
        ({"equipmentCode": {"eq": "MIX1"}}, [0]),
        ({"openedAt": {"from": "2026-03-15T08:00:00Z", "before": "2026-03-17T08:00:00Z"}}, [2, 1]),
        ({"closedAt": {"before": "2026-03-19T08:00:00Z"}}, [1]),
    ],
)
async def test_filter_then_exactly_what_fits(
    runs: list[int], node: Served, filter_: dict[str, Any], expected: list[int]
) -> None:
    assert await pages(node, filter=filter_) == [node_id("process", runs[one]) for one in expected]


@pytest.mark.parametrize(
    "field, ascending, descending",
    [
        (ProcessRecordOrderField.ORIGIN, [0, 1, 2, 3], [3, 2, 1, 0]),
        (ProcessRecordOrderField.OPENED_AT, [0, 1, 2, 3], [3, 2, 1, 0]),
        (ProcessRecordOrderField.CLOSED_AT, [1, 0, 2, 3], [0, 1, 3, 2]),
    ],
)
async def test_order_then_page_by_page_in_both_directions_and_open_ones_last(
    runs: list[int], node: Served, field: str, ascending: list[int], descending: list[int]
) -> None:
    for direction, expected in (("ASCENDING", ascending), ("DESCENDING", descending)):
        found = await pages(node, orderBy={"field": field, "direction": direction})
        assert found == [node_id("process", runs[one]) for one in expected]


@pytest.mark.parametrize("actor, code", [(OPERATOR, "PROCESS_CLOSED"), (AUDITOR, "NOT_PERMITTED")])
async def test_closed_then_blocked_as_the_mutation_is(runs: list[int], node: Served, actor: Actor, code: str) -> None:
    document = "query($id: ID!) { processRecord(id: $id) { " + " ".join(f"{one} {{ {ABLE} }}" for one in ABILITIES)
    closed, open_ = (node_id("process", runs[one]) for one in (0, 2))
    seen = (await node.ask(actor, f"{document} }} }}", id=closed))["processRecord"]
    for ability, (mutation, given) in ABILITIES.items():
        refused = await node.do(actor, mutation, "", processId=closed, **given)
        assert refused["code"] == code
        assert seen[ability] == {"allowed": False, "blockedBy": {"code": code, "message": refused["message"]}}
    seen = (await node.ask(OPERATOR, f"{document} }} }}", id=open_))["processRecord"]
    assert seen == {one: {"allowed": True, "blockedBy": None} for one in ABILITIES}


async def test_opened_by_a_clock_that_is_ahead_then_it_cannot_be_closed_before(here: Plant, node: Served) -> None:
    ahead = here.do(open_process, ProcessOrder(), occurred_at=here.clock.now() + timedelta(minutes=4))
    shown = f"viewerCanAddInputs {{ {ABLE} }} viewerCanClose {{ {ABLE} }}"
    document = f"query($id: ID!) {{ processRecord(id: $id) {{ {shown} }} }}"
    process, allowed = node_id("process", int(ahead.envelope["key"])), {"allowed": True, "blockedBy": None}
    refused = await node.do(OPERATOR, "closeProcess", "", processId=process)
    assert refused["code"] == "TEXT_INVALID"
    blocked = {"allowed": False, "blockedBy": {"code": "TEXT_INVALID", "message": refused["message"]}}
    seen = (await node.ask(OPERATOR, document, id=process))["processRecord"]
    assert seen == {"viewerCanAddInputs": allowed, "viewerCanClose": blocked}

    here.clock.advance(minutes=4)
    seen = (await node.ask(OPERATOR, document, id=process))["processRecord"]
    assert seen == {"viewerCanAddInputs": allowed, "viewerCanClose": allowed}
