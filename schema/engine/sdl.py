"""The text of each role's schema in GraphQL's schema language (SDL)."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from graphql import ObjectTypeDefinitionNode, parse

from infra.roles import Role
from schema.engine.contracts import build
from schema.engine.operations import Operation

FOLDER: Final = Path(__file__).parent.parent


def committed_file(role: Role) -> Path:
    """Return the file of the committed SDL of a role."""
    return FOLDER / f"{role.value}.graphql"


def sdl(role: Role) -> str:
    """Return the schema of a role as SDL.

    Root fields keep their place in the committed file, and new ones follow: a diff shows only what changed.
    """
    return build(role, partial(in_committed_order, role)).as_str() + "\n"


def in_committed_order(role: Role, operations: Iterable[Operation]) -> list[Operation]:
    """Return operations in the order of the committed file, those that it does not have yet last."""
    file = committed_file(role)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    definitions = parse(text).definitions if text else ()
    fields = [
        (definition.name.value, field.name.value)
        for definition in definitions
        if isinstance(definition, ObjectTypeDefinitionNode)
        for field in definition.fields or ()
    ]
    places = {field: place for place, field in enumerate(fields)}
    return sorted(operations, key=lambda one: places.get((one.kind.value, one.name), len(places)))
