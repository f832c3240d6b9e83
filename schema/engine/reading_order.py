"""The order of types and root fields in the SDL: by area, then as the modules declare them."""

from collections.abc import Iterable
from inspect import getsourcelines
from typing import Any, Final

from graphql import DefinitionNode, SchemaDefinitionNode, parse
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.lazy_type import LazyType
from strawberry.types.union import StrawberryUnion

from schema.engine.contracts import Contract
from schema.engine.operations import Operation, OperationKind
from schema.engine.refusals import REFUSALS

AREAS: Final = (
    "group",
    "people",
    "materials",
    "inventory",
    "quality",
    "production",
    "logistics",
    "traceability",
    "approvals",
    "directives",
    "audit",
    "replication",
    "monitoring",
)
"""The areas in the order in which a reader meets them. Shared types follow, and refusals come last."""

ROOTS: Final = tuple(kind.value for kind in OperationKind)

Place = tuple[int, str, int, str]


def in_reading_order(operations: Iterable[Operation]) -> list[Operation]:
    """Return operations by area and module, and as each module declares them. The order of imports does not matter."""
    return sorted(operations, key=lambda one: (_area(_module(one)), _module(one)))


def sorted_sdl(contract: Contract, text: str) -> str:
    """Return an SDL text with its definitions in reading order. Definitions keep their wording."""
    definitions = parse(text).definitions
    ordered = sorted(definitions, key=lambda one: place_of(contract, one))
    return "\n\n".join(_text(one, text) for one in ordered) + "\n"


def place_of(contract: Contract, definition: DefinitionNode) -> Place:
    """Return the place of a definition in the SDL."""
    name = getattr(definition, "name", None)
    if isinstance(definition, SchemaDefinitionNode) or name is None:
        return (-2, "", 0, "")
    if name.value in ROOTS:
        return (-1, "", ROOTS.index(name.value), "")
    if name.value.startswith("_"):  # of federation
        return (len(AREAS) + 1, "", 0, name.value)
    declared = contract.schema_converter.type_map.get(name.value)
    made = None if declared is None else declared.definition
    if isinstance(made, StrawberryObjectDefinition):
        nodes = list(made.type_var_map.values())
        return _place_of_class(nodes[0] if nodes else made.origin, name.value)
    if isinstance(made, StrawberryUnion | StrawberryEnumDefinition):
        return _place_of_class(made, name.value)
    return (len(AREAS) + 1, "", 0, name.value)


def _place_of_class(origin: Any, name: str) -> Place:
    """Return the place of a type by its class. A union lies with its first member."""
    if isinstance(origin, StrawberryEnumDefinition):
        origin = origin.wrapped_cls
    elif isinstance(origin, LazyType):  # the node of a connection whose module is imported later
        origin = origin.resolve_type()
    elif isinstance(origin, StrawberryUnion):
        origin = origin.types[0]
    origin = getattr(origin, "origin", origin)
    if origin in REFUSALS.values():
        return (len(AREAS) + 2, "", 0, name)
    module: str = origin.__module__
    try:
        line = getsourcelines(origin)[1]
    except OSError:  # a class that a function makes has no source of its own
        line = 0
    return (_area(module), module.rpartition(".")[2], line, name)


def _module(operation: Operation) -> str:
    resolver = operation.field.base_resolver
    assert resolver is not None
    return resolver.wrapped_func.__module__


def _area(module: str) -> int:
    """Return the number of the area that a module lies in. Modules of the engine follow all areas."""
    return next((AREAS.index(part) for part in module.split(".") if part in AREAS), len(AREAS))


def _text(definition: DefinitionNode, text: str) -> str:
    assert definition.loc is not None
    return text[definition.loc.start : definition.loc.end]
