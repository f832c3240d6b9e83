"""Connections: below a list the parents share one query, cursors are valid for one list, and every row is counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.commands.inventory.issues import StockLine
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.rules.quality.dispositions import Disposition
from plants.store.genealogy.edges import Edge
from plants.store.production.process_records import ProcessRow
from schema.engine.connections import canonical
from schema.engine.limits import COST_MAX, PAGE_MAX, ROWS_MAX
from schema.engine.node_ids import node_id, read_parts
from tests.factories import Plant, plant_store, postgres_plant
from tests.schema.asking import MANAGER, Served, served

LINES = """query($first: Int, $lines: Int, $after: String) { processRecords(first: $first) { nodes {
  id inputs(first: $lines, after: $after) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
    nodes { id quantity { amount } } } outputs(first: $lines) { totalCount nodes { id } } } } }"""


@pytest.fixture(params=["sqlite", "postgres_18"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """A plant on each database."""
    if request.param == "sqlite":
        plant = plant_store(tmp_path)
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        plant = postgres_plant(server)
    yield plant
    plant.close()


@pytest.fixture
def asked(plant: Plant) -> Iterator[Served]:
    node = served(plant)
    yield node
    node.close()


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Yield the list of statements that are sent to a store meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def fed(plant: Plant, *amounts: str) -> int:
    """Open a process record, feed these amounts of milk, and return its number."""
    process = int(plant.do(open_process, ProcessOrder()).envelope["key"])
    if amounts:
        milk = plant.receive(amount="1000")
        plant.do(feed_process, Feed(process, tuple(StockLine(milk, one, "KGM", "A1") for one in amounts)))
    return process


def amounts(inputs: Any) -> list[str]:
    return [one["quantity"]["amount"] for one in inputs["nodes"]]


async def test_children_of_one_parent_and_of_fifty_then_as_many_queries(plant: Plant, asked: Served) -> None:
    for number in range(50):
        fed(plant, *(str(number + line + 1) for line in range(number % 4)))
    with statements(plant.store) as few:
        await asked.ask(MANAGER, LINES, first=1, lines=2)
    with statements(plant.store) as many:
        found = (await asked.ask(MANAGER, LINES, first=50, lines=2))["processRecords"]["nodes"]
    assert len(few) == len(many)
    assert sum("edges" in one for one in many) == 4, "two lists, and the count of each"
    for number, one in zip(reversed(range(50)), found, strict=True):
        expected = [str(number + line + 1) for line in range(number % 4)]
        assert one["inputs"]["totalCount"] == len(expected)
        assert amounts(one["inputs"]) == expected[:2]
        assert one["inputs"]["pageInfo"]["hasNextPage"] is (len(expected) > 2)
        assert one["outputs"] == {"totalCount": 0, "nodes": []}


async def test_later_page_of_a_parent_then_it_goes_on_after_the_cursor(plant: Plant, asked: Served) -> None:
    given = [str(number + 1) for number in range(5)]
    fed(plant, *given)
    seen: list[str] = []
    after: str | None = None
    for size in (2, 2, 1):
        (one,) = (await asked.ask(MANAGER, LINES, first=1, lines=2, after=after))["processRecords"]["nodes"]
        page = one["inputs"]
        assert len(page["nodes"]) == size
        assert page["pageInfo"]["hasNextPage"] is (size == 2)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["totalCount"] == 5
        seen += amounts(page)
        after = page["pageInfo"]["endCursor"]
    assert seen == given


async def test_list_asked_twice_in_pages_of_two_sizes_then_each_has_its_own_size(here: Plant, node: Served) -> None:
    fed(here, "1", "2", "3")
    page = "pageInfo { hasNextPage } nodes { quantity { amount } }"
    document = (
        f"{{ processRecords {{ nodes {{ a: inputs(first: 1) {{ {page} }} b: inputs(first: 3) {{ {page} }} }} }} }}"
    )
    (found,) = (await node.ask(MANAGER, document))["processRecords"]["nodes"]
    assert [amounts(found[name]) for name in ("a", "b")] == [["1"], ["1", "2", "3"]]
    assert [found[name]["pageInfo"]["hasNextPage"] for name in ("a", "b")] == [True, False]


async def test_page_of_no_nodes_then_the_total_alone(here: Plant, node: Served) -> None:
    fed(here, "1", "2")
    (record,) = (await node.ask(MANAGER, LINES, first=1, lines=0))["processRecords"]["nodes"]
    page = {"hasNextPage": True, "hasPreviousPage": False, "endCursor": None}
    assert record["inputs"] == {"totalCount": 2, "pageInfo": page, "nodes": []}
    assert record["outputs"] == {"totalCount": 0, "nodes": []}
    assert await node.ask(MANAGER, "{ stock(first: 0) { totalCount nodes { id } } }") == {
        "stock": {"totalCount": 1, "nodes": []}
    }


async def test_cursor_of_another_parent_or_list_then_refused(here: Plant, node: Served) -> None:
    older = fed(here, "1", "2")
    newer = fed(here, "3", "4")
    found = (await node.ask(MANAGER, LINES, first=2, lines=1))["processRecords"]["nodes"]
    cursor = found[1]["inputs"]["pageInfo"]["endCursor"]
    answer = await node.answer(MANAGER, LINES, first=1, lines=1, after=cursor)
    assert answer["errors"][0]["extensions"]["code"] == "CURSOR_INVALID"
    outputs = "query($id: ID!, $after: String) { processRecord(id: $id) { outputs(after: $after) { nodes { id } } } }"
    own = found[0]["inputs"]["pageInfo"]["endCursor"]
    answer = await node.answer(MANAGER, outputs, id=found[0]["id"], after=own)
    assert answer["errors"][0]["extensions"]["code"] == "CURSOR_INVALID"
    inputs = outputs.replace("outputs", "inputs")
    (line,) = (await node.ask(MANAGER, inputs, id=found[0]["id"], after=own))["processRecord"]["inputs"]["nodes"]
    assert here.process(newer)["id"] == newer
    document = "query($id: ID!) { node(id: $id) { ... on ProcessLine { quantity { amount } } } }"
    assert await node.ask(MANAGER, document, id=line["id"]) == {"node": {"quantity": {"amount": "4"}}}
    parts = read_parts("process-line", (int,) * 4, line["id"])
    assert parts is not None
    assert parts[0] == newer
    assert await node.ask(MANAGER, document, id=node_id("process-line", older, *parts[1:])) == {"node": None}


async def test_all_lines_of_a_page_of_parents_then_refused_and_in_smaller_pages_answered(
    here: Plant, node: Served
) -> None:
    each = ROWS_MAX // PAGE_MAX + 1
    fill(here, PAGE_MAX, each)
    (too_dear,) = (await node.answer(MANAGER, LINES, first=PAGE_MAX, lines=PAGE_MAX))["errors"]
    assert too_dear["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert too_dear["extensions"]["cost"] > too_dear["extensions"]["limit"] == COST_MAX
    inputs = "query($first: Int, $lines: Int) { processRecords(first: $first) { nodes { inputs(first: $lines) { edges {"
    answer = await node.answer(MANAGER, f"{inputs} cursor }} }} }} }} }}", first=PAGE_MAX, lines=each)
    assert answer["data"] is None
    assert answer["errors"][0]["message"].startswith(f"The answer has more than {ROWS_MAX} rows.")
    total = 0
    paged = """query($after: String) { processRecords(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor } nodes { inputs(first: 100) { nodes { id } } } } }"""
    after, more = None, True
    while more:
        page = (await node.ask(MANAGER, paged, after=after))["processRecords"]
        total += sum(len(one["inputs"]["nodes"]) for one in page["nodes"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert total == PAGE_MAX * each


def fill(plant: Plant, processes: int, lines: int) -> None:
    """Write process records with inputs as a projection would, for the size of an answer."""
    first = fed(plant)
    with plant.store.transaction() as session:
        for number in range(first + 1, first + 1 + processes):
            session.add(ProcessRow(id=number, kind="PRODUCTION", state="OPEN", opened_us=number, loss="{}", plant_id=1))
            session.add_all(
                Edge(
                    plant_id=1, entry_idx=number, line=line, source_id=1, target_id=number,
                    quantity=1_000_000, unit="KGM", use="CONSUMED", occurred_us=number,
                )
                for line in range(lines)
            )  # fmt: skip


@dataclass(frozen=True)
class Criteria:
    """Criteria of a list, with a value that its cursors do not depend on."""

    code: str | None = None
    disposition: Disposition | None = None
    places: frozenset[str] = frozenset()
    now: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Renamed(Criteria):
    """The same criteria under another name."""


def test_filters_then_their_form_has_no_class_and_nothing_that_is_not_given() -> None:
    given = Criteria(disposition=Disposition.RESTRICTED, places=frozenset({"B", "A"}), now=1)
    text = '[{"disposition":"RESTRICTED","places":["A","B"]},"2026-03-14","0.50","2026-03-14T08:00:00+00:00",null]'
    for one in (given, Renamed(disposition=Disposition.RESTRICTED, places=frozenset({"A", "B"}), now=2)):
        moment = datetime(2026, 3, 14, 8, tzinfo=UTC)
        assert canonical([one, date(2026, 3, 14), Decimal("0.50"), moment, None]) == text
    assert canonical(Criteria(code="A")) != canonical(Criteria(code="B"))
    with pytest.raises(TypeError, match="object has no canonical form"):
        canonical([object()])
