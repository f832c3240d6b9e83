"""Costs of operations: counted from the sizes of the request, refused above a limit, and spent from a budget."""

import timeit
from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, parse, validate

from infra.roles import Role
from schema.engine.budgets import CostBudgets
from schema.engine.contracts import contract
from schema.engine.cost_directives import stated_maximum
from schema.engine.costs import kept_cost, operation_cost
from schema.engine.limits import COMMANDS_MAX, COST_MAX, COST_PER_MINUTE, PAGE_MAX, kept_document
from tests.factories import Plant
from tests.schema.asking import MANAGER, OPERATOR, Served

HISTORY = """query($batches: Int, $entries: Int, $after: String) {
  batches(first: $batches, after: $after) { pageInfo { endCursor hasNextPage } nodes {
    code history(first: $entries) { nodes { index } } } } }"""

LINES = """query($records: Int) { processRecords(first: $records) { nodes {
  inputs(first: 50) { nodes { id quantity { amount } } }
  outputs(first: 50) { nodes { id quantity { amount } } } } } }"""
SKIPPING = """query($no: Boolean!, $is: Boolean!) {
  batches(first: 7) { nodes { code material @skip(if: $no) { code } } ...F @include(if: $is) } }
  fragment F on BatchConnection { nodes { origin { code } } }"""


def graphql_schema(role: Role) -> GraphQLSchema:
    return contract(role)._schema  # noqa: SLF001


def cost(document: str, /, **variables: Any) -> int:
    """Return the cost of a document's only operation at a plant. It is the same when it is asked for again."""
    schema, parsed = graphql_schema(Role.PLANT), parse(document)
    assert validate(schema, parsed) == []
    found, kept = operation_cost(schema, parsed, None, variables), kept_document(document)
    assert kept is not None
    assert [kept_cost(schema, kept, None, variables) for _ in range(2)] == [found, found]
    return found


@pytest.mark.parametrize(
    "document, variables, expected",
    [
        ("{ viewer { name } }", {}, 1),
        ("{ __typename }", {}, 0),
        ("{ batches { nodes { code } } }", {}, 50),
        ("{ batches(first: 7) { nodes { code } pageInfo { endCursor } } }", {}, 7),
        ("{ batches(first: 7) { edges { cursor node { code } } } }", {}, 7),
        ("{ batches(first: 7) { totalCount nodes { code material { code } } } }", {}, 7 + 7 + 5),
        ("{ batches(first: 7) { nodes { history(first: 3) { nodes { index } } } } }", {}, 7 + 7 * 3),
        ("{ batches(first: 0) { totalCount } }", {}, 5),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": 7}, 7),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": 7.0}, 7),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": None}, 50),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {}, 50),
        ("query($n: Int = 9) { batches(first: $n) { nodes { code } } }", {}, 9),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": 10**9}, PAGE_MAX),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": -5}, 0),
        ("query($n: Int) { batches(first: $n) { nodes { code } } }", {"n": ["a"]}, 50),
        (SKIPPING, {"no": True, "is": True}, 7 + 7),
        (SKIPPING, {"no": False, "is": False}, 7 + 7),
        (SKIPPING, {"no": True, "is": False}, 7),
        (SKIPPING, {"no": False, "is": True}, 7 + 7 + 7),
        ("{ plants { code } }", {}, 10),
        ('{ nodes(ids: ["a", "b"]) { id } }', {}, 2),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 3}, 3),
        ("{ a: viewer { name } b: viewer { name } }", {}, 2),
        ("{ viewer { name } ...F ...F } fragment F on Query { viewer { label: name } }", {}, 1),
        ("{ viewer { ...F } ...G } fragment F on Viewer { name } fragment G on Query { viewer { ...F } }", {}, 1),
        ('{ node(id: "x") { id ... on Batch { material { code } origin { code } } ... on Transfer { id } } }', {}, 3),
        ("{ __schema { types { name } } }", {}, 100),
    ],
)  # fmt: skip
def test_document_then_the_objects_of_its_largest_answer_are_counted(
    document: str, variables: dict[str, Any], expected: int
) -> None:
    assert cost(document, **variables) == expected


def test_costs_then_they_are_a_small_part_of_validation() -> None:
    """Counted once for a document and its sizes: 3 % of its validation when it is new, 0.1 % when it is kept."""
    schema, kept = graphql_schema(Role.PLANT), kept_document(HISTORY)
    assert kept is not None

    def seconds(run: Callable[[], object]) -> float:
        return min(timeit.repeat(run, number=10, repeat=5))

    validation = seconds(lambda: validate(schema, kept.node))
    assert seconds(lambda: operation_cost(schema, kept.node, None, {"batches": 5})) < validation / 4
    assert seconds(lambda: kept_cost(schema, kept, None, {"batches": 5})) < validation / 40


def test_mutation_then_its_transaction_is_counted() -> None:
    document = """mutation($i: PlaceHoldInput!) { placeHold(input: $i) {
      ... on Recorded { entry { index } } ... on Refusal { message } ... on BatchUnknown { code } } }"""
    assert cost(document) == 10 + 1 + 1


ROW: dict[str, str] = {"code": "M", "name": "Milk"}
SAVE = "mutation($i: SaveMaterialsInput!) { saveMaterials(input: $i) { __typename } }"
SAVE_ROWS = """mutation($rows: [MaterialRowInput!]!) {
  saveMaterials(input: {requestId: "0190d6a1-0000-7000-8000-000000000001", onRefusal: SKIP_ROW, rows: $rows}) {
    __typename } }"""
SAVE_ONE = SAVE_ROWS.replace("rows: $rows", 'rows: {code: "M", name: "Milk"}').replace(
    "($rows: [MaterialRowInput!]!)", ""
)
SAVE_TWO = SAVE_ONE.replace("rows: {", 'rows: [{code: "L", name: "Lemon"}, {').replace("}})", "}]})")
SAVE_DEFAULT = """mutation($i: SaveMaterialsInput! = {
  requestId: "0190d6a1-0000-7000-8000-000000000001", onRefusal: SKIP_ROW, rows: [{code: "M"}]
}) {
  saveMaterials(input: $i) { __typename } }"""


@pytest.mark.parametrize(
    "document, variables, rows",
    [
        (SAVE, {"i": {"rows": [ROW] * 3}}, 3),
        (SAVE, {"i": {"rows": ROW}}, 1),
        (SAVE, {"i": {"rows": []}}, 0),
        (SAVE, {"i": {"rows": None}}, 0),
        (SAVE, {"i": {"rows": [ROW] * 10_000}}, 10_000),
        (SAVE, {"i": {"rows": [ROW] * 10_001}}, 10_000),
        (SAVE, {"i": "no object"}, 0),
        (SAVE, {}, 0),
        (SAVE_ROWS, {"rows": [ROW] * 700}, 700),
        (SAVE_ROWS, {"rows": ROW}, 1),
        (SAVE_ONE, {}, 1),
        (SAVE_TWO, {}, 2),
        (SAVE_DEFAULT, {}, 1),
        (SAVE_DEFAULT, {"i": {"rows": [ROW] * 5}}, 5),
    ],
)
def test_rows_in_an_input_then_each_is_counted(document: str, variables: dict[str, Any], rows: int) -> None:
    assert cost(document, **variables) == 10 + 1 + 4 * rows


def test_most_rows_of_a_save_then_below_the_limits_with_a_page_of_their_results() -> None:
    results = "... on JobAccepted { job { rows { nodes { index refusal { code } } } } }"
    dear = cost(SAVE.replace("__typename", results), i={"rows": [ROW] * 10_000})
    assert dear < COST_MAX
    assert 20 * dear < COST_PER_MINUTE


def test_operator_then_ten_scans_a_second_are_below_the_budget() -> None:
    scan = """mutation($i: ReceiveBatchInput!) { receiveBatch(input: $i) {
      ... on Recorded { entry { id index } } ... on Refusal { code message path furtherRefusals { code message path } }
      ... on BatchReceived { batch { code material { name } origin { code } atPlants { usable } } } } }"""
    assert 600 * cost(scan) < COST_PER_MINUTE


def test_several_operations_then_the_named_one_counts() -> None:
    schema, document = (
        graphql_schema(Role.PLANT),
        parse("query A { viewer { name } } query B { ledger(first: 3) { nodes { id } } }"),
    )
    assert [operation_cost(schema, document, name, {}) for name in ("A", "B")] == [1, 3]


HOUSE = "fragment Told on Refusal { code message path furtherRefusals { code message path } }"
HOUSE_DOCUMENTS = (
    """mutation($given: [CommandInput!]!) { submit(commands: $given) { requestId refusal { ...Told }
    recorded { entry { id index type recordedAt } } } }""",
    "{ batches { nodes { code atPlants { blockedBy { ...Told } } } } }",
    "{ changeRequests { nodes { id decisions { verdict refusal { ...Told } } differences { __typename } } } }",
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("document", HOUSE_DOCUMENTS)
def test_reasonable_document_with_the_fragment_of_refusals_then_within_the_limit(role: Role, document: str) -> None:
    asked = parse(document + HOUSE)

    assert not validate(graphql_schema(role), asked)
    assert operation_cost(graphql_schema(role), asked, None, {"given": [{}] * COMMANDS_MAX}) < COST_MAX / 4


async def test_many_objects_inside_many_then_refused_by_cost_and_paged_answered(here: Plant, node: Served) -> None:
    codes = [here.receive() for _ in range(3)]

    refused = await node.answer(MANAGER, HISTORY, batches=500, entries=100)

    high = 500 + 500 * 100
    assert refused["data"] is None
    (error,) = refused["errors"]
    dearest = {"path": "batches.nodes.history.nodes", "size": 100}
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limitName": "COST_MAX", "limit": COST_MAX, "cost": high, "dearestList": dearest,
    }  # fmt: skip
    assert "The dearest list is `batches.nodes.history.nodes` with 100 elements." in error["message"]
    assert f"The operation can cost {high}; {COST_MAX} is the limit." in error["message"]
    assert node.services.budgets.balance(MANAGER.actor_id, here.clock.now()).spent == 0
    found, after = [], None
    while True:
        page = (await node.ask(MANAGER, HISTORY, batches=2, entries=100, after=after))["batches"]
        found += [(one["code"], len(one["history"]["nodes"])) for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == [(code, 1) for code in codes]


async def test_process_records_with_all_their_lines_then_refused_by_cost_and_paged_answered(
    here: Plant, node: Served
) -> None:
    refused = await node.answer(MANAGER, LINES, records=500)
    dearest = {"path": "processRecords.nodes.inputs.nodes", "size": 50}
    assert refused["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limitName": "COST_MAX", "limit": COST_MAX, "cost": 500 * 201, "dearestList": dearest,
    }  # fmt: skip
    answer = await node.ask(MANAGER, LINES, records=50)
    assert answer == {"processRecords": {"nodes": []}}
    assert node.services.budgets.balance(MANAGER.actor_id, here.clock.now()).spent == 50 * 201


async def test_refusal_in_chinese_then_it_is_worded_so(node: Served) -> None:
    refused = await node.answer(MANAGER, HISTORY, "zh_Hans", batches=500, entries=500)
    assert any("一" <= character <= "鿿" for character in refused["errors"][0]["message"])


async def test_mutation_above_the_limit_then_nothing_is_written(here: Plant, node: Served) -> None:
    history = "history(first: 500) { nodes { differences { field } plant { code } } }"
    wanted = " ".join(f"h{number}: {history}" for number in range(50))
    document = f"""mutation($input: PlaceHoldInput!) {{ placeHold(input: $input) {{
      ... on HoldPlaced {{ batch {{ atPlants {{ plant {{ code }} }} {wanted} }} }} }} }}"""
    given = {"requestId": "0190d6a1-0000-7000-8000-000000000001", "batchCode": here.receive(), "reason": "x"}
    before = here.everything()
    answer = await node.answer(OPERATOR, document, input=given)

    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED", answer
    assert here.everything() == before


async def test_budget_spent_then_refused_until_the_next_minute_and_others_are_answered(
    here: Plant, node: Served
) -> None:
    node.services.budgets = CostBudgets(120)
    for _ in range(2):
        await node.ask(MANAGER, "{ batches { nodes { code } } }")
    here.clock.advance(seconds=20)

    refused = await node.answer(MANAGER, "{ batches { nodes { code } } }")

    assert refused["data"] is None
    assert refused["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limitName": "COST_PER_MINUTE", "limit": 120, "cost": 50, "left": 20,
        "resetAt": "2026-03-14T08:01:00.000000Z",
    }  # fmt: skip
    assert "you have 20 of 120 left until 2026-03-14T08:01:00Z" in refused["errors"][0]["message"]
    assert await node.ask(MANAGER, "{ batches(first: 20) { nodes { code } } }") == {"batches": {"nodes": []}}
    assert await node.ask(OPERATOR, "{ batches { nodes { code } } }") == {"batches": {"nodes": []}}
    here.clock.advance(seconds=40)
    assert await node.ask(MANAGER, "{ batches { nodes { code } } }") == {"batches": {"nodes": []}}


def test_budgets_then_each_actor_has_its_own_and_a_clock_set_back_begins_anew(here: Plant) -> None:
    budgets, now = CostBudgets(10), here.clock.now()
    assert [budgets.spend("a", 6, now), budgets.spend("a", 6, now), budgets.spend("b", 6, now)] == [True, False, True]
    assert (budgets.balance("a", now).spent, budgets.balance("a", now).left) == (6, 4)
    earlier = here.clock.advance(hours=-1)
    assert budgets.spend("a", 10, earlier)
    assert budgets.balance("b", earlier).left == 10


def test_two_processes_then_each_counts_for_itself(here: Plant) -> None:
    one, other, now = CostBudgets(10), CostBudgets(10), here.clock.now()
    assert one.spend("a", 10, now)
    assert not one.spend("a", 1, now)
    assert other.spend("a", 10, now)


@pytest.mark.parametrize(
    "description, size",
    [
        ("Aliases, at most 20.", 20),
        ("Nodes. At most 1,000 are answered.", 1000),
        ("Languages. There are fewer than 100.", 100),
        ("Levels. There are at most two.", 2),
        ("State, one for each plant.", 10),
        ("Aliases.", None),
        (None, None),
    ],
)
def test_description_of_a_list_then_its_maximum_is_read(description: str | None, size: int | None) -> None:
    assert stated_maximum(description) == size


@pytest.mark.parametrize("role", Role)
def test_limits_then_one_page_of_every_list_is_below_them(role: Role) -> None:
    schema = graphql_schema(role)
    assert schema.query_type is not None
    costs = {}
    for name, field in schema.query_type.fields.items():
        if "first" in field.args and "Connection" in str(field.type):
            document = parse(f"{{ {name}(first: {PAGE_MAX}) {{ nodes {{ __typename }} totalCount }} }}")
            assert isinstance(document.definitions[0], OperationDefinitionNode)
            costs[name] = operation_cost(schema, document, None, {})
    assert {*costs.values()} == {PAGE_MAX + 5}
    assert COST_MAX > 10 * PAGE_MAX
    assert COST_PER_MINUTE > 10 * COST_MAX
