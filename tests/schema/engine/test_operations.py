"""Declared operations: each name once for each root, and root fields in the order of the committed SDL."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from infra.roles import Role
from schema.engine.context import Info
from schema.engine.contracts import build, contract
from schema.engine.operations import Operation, OperationKind, operations, query
from schema.engine.sdl import in_committed_order


def test_name_declared_twice_then_refused_and_the_first_declaration_stays() -> None:
    before = list(operations())

    async def viewer(_info: Info) -> str:
        return ""

    with pytest.raises(TypeError, match=r"Query\.viewer is declared twice"):
        query("Returns nothing.", permission=None)(viewer)

    assert list(operations()) == before


@pytest.mark.parametrize("role", Role)
def test_operations_in_any_order_then_the_committed_order_and_new_ones_last(role: Role) -> None:
    mine = [one for one in operations() if role in one.roles]
    new = replace(mine[0], name="aNewQuery")

    ordered = in_committed_order(role, mine)

    assert in_committed_order(role, [new, *reversed(mine)]) == [*ordered, new]
    queries = [one.name for one in ordered if one.kind is OperationKind.QUERY]
    assert queries[:2] == ["viewer", "node"]


@pytest.mark.parametrize("role", Role)
def test_contract_then_it_has_the_same_fields_in_every_order(role: Role) -> None:
    printed = [set(build(role, order).as_str().splitlines()) for order in (sorted_by_name, list)]

    assert printed[0] == printed[1]


def sorted_by_name(found: Iterable[Operation]) -> list[Operation]:
    return sorted(found, key=lambda one: one.name)


def test_contract_asked_for_twice_then_built_once() -> None:
    assert contract(Role.PLANT) is contract(Role.PLANT)
