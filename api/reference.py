"""Reference pages that are generated from the declarations: one function for each page.

`batchloom reference --write` writes them; a house test compares the committed pages with the generated ones.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from api.http.routes import ROUTES
from auth.actors import Role
from auth.permissions import Permission
from infra.roles import Role as NodeRole
from schema.engine.operations import Operation, OperationKind, operations

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"

PERMISSIONS: Final = """# Permissions

A role is granted at one plant or in the whole group. A user may do something at a plant if one of the roles there has
the permission. `batchloom reference --write` generates this page from the declarations.

Queries and subscriptions return only the plants at which the caller has the permission. A mutation without it is
refused with `NOT_PERMITTED`. At the hub, mutations need a role in the group. `node` returns each kind of thing under
the permission of that kind.
"""
SECTIONS: Final = {
    OperationKind.QUERY: "## Queries",
    OperationKind.MUTATION: "## Mutations",
    OperationKind.SUBSCRIPTION: "## Subscriptions",
}


def permissions() -> str:
    """Return the page of roles, permissions, operations and HTTP routes."""
    roles = [role for role in Role if any(role in one.roles for one in Permission)]
    matrix = _table(
        ["permission", "allows", *(role.value for role in roles)],
        ([f"`{one}`", one.description, *("✓" if role in one.roles else "" for role in roles)] for one in Permission),
    )
    found = list(operations())
    parts = [PERMISSIONS, "## Roles", matrix]
    for kind, heading in SECTIONS.items():
        parts += [heading, _operations([one for one in found if one.kind is kind], roles)]
    routes = (
        [f"`{one.path}`", ", ".join(one.methods), _nodes(one.roles), one.caller.value]
        for one in sorted(ROUTES, key=lambda one: (one.path, one.methods))
    )
    parts += ["## HTTP routes", _table(["route", "methods", "nodes", "callers"], routes)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {"permissions.md": permissions}
"""The generated pages by file name in docs/reference."""


def _operations(found: Iterable[Operation], roles: Iterable[Role]) -> str:
    return _table(
        ["operation", "nodes", "permission", "roles"],
        (
            [
                f"`{one.name}`",
                _nodes(one.roles),
                " or ".join(f"`{permission}`" for permission in one.permissions) or "—",
                ", ".join(role.value for role in roles if _may(role, one)),
            ]
            for one in sorted(found, key=lambda one: one.name)
        ),
    )


def _may(role: Role, operation: Operation) -> bool:
    """Return True if the role has a permission that the operation asks for."""
    return not operation.permissions or any(role in one.roles for one in operation.permissions)


def _nodes(roles: Iterable[NodeRole]) -> str:
    return ", ".join(role.value for role in NodeRole if role in roles)


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])
