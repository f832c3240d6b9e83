"""Declared operations: each name once for each root, and root fields in the order of the committed SDL."""

from collections.abc import Iterable

import pytest
from graphql import TypeDefinitionNode, parse

from infra.roles import Role
from schema.engine.context import Info
from schema.engine.contracts import build, contract
from schema.engine.operations import Operation, OperationKind, operations, query
from schema.engine.reading_order import in_reading_order
from schema.engine.refusals import REFUSALS, type_name
from schema.engine.sdl import sdl


def test_name_declared_twice_then_refused_and_the_first_declaration_stays() -> None:
    before = list(operations())

    async def viewer(_info: Info) -> str:
        return ""

    with pytest.raises(TypeError, match=r"Query\.viewer is declared twice"):
        query("Returns nothing.", permission=None)(viewer)

    assert list(operations()) == before


@pytest.mark.parametrize("role", Role)
def test_operations_in_any_order_then_each_area_together_in_reading_order(role: Role) -> None:
    mine = [one for one in operations() if role in one.roles]

    ordered = in_reading_order(reversed(mine))

    queries = [one.name for one in ordered if one.kind is OperationKind.QUERY]
    places = [queries.index(name) for name in ("server", "viewer", "materials", "batches", "trace", "ledger")]
    assert places == sorted(places)


@pytest.mark.parametrize("role", Role)
def test_modules_imported_in_another_order_then_the_same_reading_order(role: Role) -> None:
    mine = [one for one in operations() if role in one.roles]
    modules = {one.declared.__module__: one for one in mine}
    imported_later = [one for module in reversed(modules) for one in mine if one.declared.__module__ == module]

    assert [one.name for one in in_reading_order(imported_later)] == [one.name for one in in_reading_order(mine)]


@pytest.mark.parametrize("role", Role)
def test_sdl_then_roots_first_refusals_last_and_a_connection_behind_its_node(role: Role) -> None:
    kinds = [one for one in parse(sdl(role)).definitions if isinstance(one, TypeDefinitionNode)]
    names = [one.name.value for one in kinds]

    assert names[:3] == ["Query", "Mutation", "Subscription"]
    refusals = [one.name.value for one in kinds if one.name.value in {type_name(code) for code in REFUSALS}]
    assert names[-len(refusals) :] == refusals
    assert names.index("Batch") < names.index("BatchConnection") < names.index("BatchEdge") < names.index("Stock")


@pytest.mark.parametrize("role", Role)
def test_contract_then_it_has_the_same_fields_in_every_order(role: Role) -> None:
    printed = [set(build(role, order).as_str().splitlines()) for order in (sorted_by_name, list)]

    assert printed[0] == printed[1]


def sorted_by_name(found: Iterable[Operation]) -> list[Operation]:
    return sorted(found, key=lambda one: one.name)


def test_contract_asked_for_twice_then_built_once() -> None:
    assert contract(Role.PLANT) is contract(Role.PLANT)
