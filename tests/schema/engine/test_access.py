"""Access of fields: a resolver that uses a permission or a command that its field does not declare is a bug."""

import json
from collections.abc import Sequence

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from auth.permissions import READ_PERMISSIONS, Permission
from infra.database import ReadSession
from plants.commands.inventory.movements import move_batch
from plants.commands.quality.holds import quarantine_batch
from plants.rules.values.scope import PlantScope
from schema.engine.access import UNDECLARED, UndeclaredAccess, access_of
from schema.engine.context import Context, Info
from schema.engine.fields import field, object_type
from schema.engine.operations import OperationKind, operations
from tests.schema.asking import MANAGER, Served


def visible(_reads: ReadSession, scope: PlantScope) -> str:
    return json.dumps(sorted(scope))


def ones(_reads: ReadSession, _scope: PlantScope, keys: Sequence[int]) -> dict[int, int]:
    return dict.fromkeys(keys, 1)


@object_type
class Query:
    """Planted fields."""

    @field("Reads under its one permission.", permission=Permission.TRACE_READ)
    async def declared(self, info: Info) -> str:
        return await info.read(visible)

    @field("Reads under another permission.", permission=Permission.TRACE_READ)
    async def other(self, info: Info) -> str:
        return await info.read_under(Permission.BATCH_READ, visible)

    @field("Loads under another permission.", permission=Permission.TRACE_READ)
    async def loaded(self, info: Info) -> int | None:
        return await info.load(Permission.LEDGER_READ, ones, 1)

    @field("Reads without any permission.")
    async def undeclared(self, info: Info) -> str:
        return await info.read(visible)

    @field("Reads under a permission that a write needs.")
    async def writing(self, info: Info) -> str:
        return await info.read_under(Permission.TRANSFER_RUN, visible)


SCHEMA = strawberry.Schema(query=Query, config=StrawberryConfig(info_class=Info))


async def ask(node: Served, name: str) -> tuple[object, list[str]]:
    """Return what a field answers, and the names of the exceptions."""
    context = Context(node.services, MANAGER, language="en")
    try:
        result = await SCHEMA.execute(f"{{ {name} }}", context_value=context)
    finally:
        await context.close()
    causes = [type(error.original_error).__name__ for error in result.errors or []]
    return (result.data or {}).get(name), causes


async def test_declared_permission_then_the_field_reads_the_callers_plants(node: Served) -> None:
    assert await ask(node, "declared") == ("[1]", [])


@pytest.mark.parametrize("name", ["other", "loaded", "undeclared", "writing"])
async def test_permission_that_is_not_declared_then_nothing_is_read(node: Served, name: str) -> None:
    assert await ask(node, name) == (None, [UndeclaredAccess.__name__])


def test_command_that_is_not_declared_then_refused() -> None:
    access = access_of(Permission.STOCK_MOVE, commands=(move_batch,))

    access.check_command(move_batch)
    with pytest.raises(UndeclaredAccess):
        access.check_command(quarantine_batch)


def test_mutation_then_it_also_reads_what_it_answers() -> None:
    access = access_of(Permission.STOCK_MOVE, commands=(move_batch,))

    assert access.reads == READ_PERMISSIONS | {Permission.STOCK_MOVE}
    assert access_of(Permission.BATCH_READ).reads == {Permission.BATCH_READ}
    assert UNDECLARED.reads == READ_PERMISSIONS


def test_operations_then_each_is_for_signed_in_users_or_declares_a_permission() -> None:
    open_to_all = {one.name for one in operations() if not one.permissions}

    assert open_to_all == {"viewer", "server", "node", "nodes", "submit", "_entities"}, (
        "about the caller, the program, each thing as allowed, and each command under its own permission"
    )
    mutations = [one for one in operations() if one.kind is OperationKind.MUTATION and one.name != "submit"]
    assert [one.name for one in mutations if len(one.permissions) != 1] == []
