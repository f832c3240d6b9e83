"""Filters by texts: one that names nothing finds nothing, in every list of both contracts."""

from collections.abc import Iterator

from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from auth.actors import Actor, Role
from infra.roles import Role as NodeRole
from plants.rules.identification.codes import HUB
from schema.engine.contracts import contract
from tests.schema.asking import MANAGER, Served, person

EVERYTHING = person(13, (HUB, Role.HEADQUARTERS), (HUB, Role.AUDITOR), (HUB, Role.ADMINISTRATOR))
TESTS = ('{eq: "unknown"}', '{in: ["unknown", "UNKNOWN"]}', '{beginsWith: "unknown"}')


def filtered_lists(role: NodeRole) -> Iterator[str]:
    """Yield each list, filtered by each text that its filter takes, in each way."""
    query = contract(role)._schema.query_type  # noqa: SLF001 -- the built schema.
    assert query is not None
    for name, field in query.fields.items():
        connection = get_named_type(field.type)
        kind = get_named_type(field.args["filter"].type) if "filter" in field.args else None
        if not isinstance(kind, GraphQLInputObjectType) or not isinstance(connection, GraphQLObjectType):
            continue
        for criterion in texts_of(kind):
            assert {"nodes", "totalCount"} <= connection.fields.keys(), name
            yield f"{name}(filter: {criterion}) {{ totalCount nodes {{ __typename }} }}"


def texts_of(kind: GraphQLInputObjectType) -> Iterator[str]:
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLInputObjectType):
            tests = TESTS if inner.name == "CodeFilter" else texts_of(inner)
            yield from (f"{{{name}: {test}}}" for test in tests)


async def check_nothing_found(served: Served, actor: Actor, role: NodeRole) -> None:
    lists = list(filtered_lists(role))
    assert any(one.startswith("alarms(filter: {kind: {eq") for one in lists)
    assert any(one.startswith("ledger(filter: {type: {in") for one in lists)
    for one in lists:
        answer = await served.answer(actor, f"{{ found: {one} }}")
        assert answer == {"data": {"found": {"totalCount": 0, "nodes": []}}}, one


async def test_plant_text_that_names_nothing_then_an_empty_list(node: Served) -> None:
    await check_nothing_found(node, MANAGER, NodeRole.PLANT)


async def test_hub_text_that_names_nothing_then_an_empty_list(hub: Served) -> None:
    await check_nothing_found(hub, EVERYTHING, NodeRole.HUB)
