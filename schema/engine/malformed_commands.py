"""Malformed commands of a queue: each is refused in its place, and the others are run.

A variable that holds a list of commands is read element by element before the operation is executed. Elements that do
not fit their type are put aside with their refusals, and the resolver of the queue answers them in their places. A
malformed literal in the document stays an error of the whole document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    TypeNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.utilities import coerce_input_value
from strawberry.extensions import SchemaExtension

from plants.rules.values.refusals import (
    FURTHER_MAX,
    NOT_STATED,
    RULE_FIELD_KNOWN,
    RULE_FIELD_REQUIRED,
    RULE_ONE_COMMAND,
    RULE_ONE_OF,
    RULE_TYPE,
    VALUE_INVALID,
    Phrase,
    Refusal,
    Refusals,
    phrase,
    shortened,
)
from schema.engine.errors import notice_of
from schema.engine.limits import COMMANDS_MAX
from schema.engine.scalars import RequestId, read_request

QUEUED: Final = "CommandInput"
"""The input type whose lists are queues."""

INPUT: Final = "input"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A command that does not fit its type: its request id, where that can be read, and its refusal."""

    request_id: RequestId | None
    refusal: Refusal


UNREAD: Final = Malformed(None, Refusal(VALUE_INVALID, value=NOT_STATED, rule=RULE_ONE_COMMAND()))
"""A command of a queue that is too long to be read."""

Aside = Mapping[str, Mapping[int, Malformed]]
"""The malformed commands of a request, by variable and place in its list."""


class MalformedCommands(SchemaExtension):
    """Puts the malformed commands of a request's queues aside before the operation is executed."""

    def on_execute(self) -> Iterator[None]:
        """Take them out of the variables. They are answered by the resolver that reads `aside`."""
        running = self.execution_context
        document, given = running.graphql_document, running.variables
        if document is not None and given:
            schema = running.schema._schema  # noqa: SLF001 -- Strawberry keeps the schema of graphql-core private.
            for one in document.definitions:
                if isinstance(one, OperationDefinitionNode) and _is_chosen(one, running.operation_name):
                    running.variables, running.context.aside = _without_malformed(schema, one, given)
        yield


def _is_chosen(operation: OperationDefinitionNode, name: str | None) -> bool:
    return name is None or (operation.name is not None and operation.name.value == name)


def aside_of(info: Any, argument: str) -> Mapping[int, Malformed]:
    """Return the malformed commands of the list that this argument of a field gives as a variable, by place."""
    nodes = info._raw_info.field_nodes[0].arguments or ()  # noqa: SLF001 -- Strawberry keeps the info of graphql-core private.
    given = next((one.value for one in nodes if one.name.value == argument), None)
    aside: Aside = info.context.aside
    return aside.get(given.name.value, {}) if isinstance(given, VariableNode) else {}


def _without_malformed(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> tuple[dict[str, Any], Aside]:
    left, aside = dict(variables), {}
    kind = schema.type_map.get(QUEUED)
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if isinstance(kind, GraphQLInputObjectType) and _is_queue(definition.type) and left.get(name) is not None:
            given = left[name] if isinstance(left[name], list) else [left[name]]
            if len(given) > COMMANDS_MAX:
                # The resolver refuses their number. To read them all would hold up everybody.
                left[name], aside[name] = [], dict.fromkeys(range(len(given)), UNREAD)
                continue
            found = {
                place: _malformed(one, kind) for place, one in enumerate(given) if one is None or not _fits(one, kind)
            }
            left[name] = [one for place, one in enumerate(given) if place not in found]
            aside[name] = found
    return left, aside


def _is_queue(node: TypeNode) -> bool:
    outer = node.type if isinstance(node, NonNullTypeNode) else node
    if not isinstance(outer, ListTypeNode):
        return False
    inner = outer.type.type if isinstance(outer.type, NonNullTypeNode) else outer.type
    return isinstance(inner, NamedTypeNode) and inner.name.value == QUEUED


def _malformed(command: object, kind: GraphQLInputObjectType) -> Malformed:
    refusals = Refusals()
    if not isinstance(command, dict) or len(command) != 1 or command.keys() - kind.fields.keys():
        with refusals.at():
            raise invalid(command, RULE_ONE_COMMAND())
        request_id = None
    else:
        ((name, given),) = command.items()
        _check_type(given, GraphQLNonNull(kind.fields[name].type), refusals, ())
        request_id = _request_id(given)
    try:
        refusals.raise_any()
    except Refusal as refusal:
        for one in (refusal, *refusal.further):
            # Like the path of any other refusal of a mutation, it begins below `input`.
            one.path = one.path[1:] if one.path[:1] == (INPUT,) else one.path
        return Malformed(request_id, refusal)
    raise AssertionError(command)


def _fits(value: object, kind: GraphQLInputType) -> bool:
    try:
        return coerce_input_value(value, kind) is not Undefined
    except GraphQLError:  # Strawberry raises it for a @oneOf input
        return False


def _request_id(given: object) -> RequestId | None:
    """Return the request id of a command's input, or None where it cannot be read."""
    if isinstance(given, dict) and isinstance(given.get(INPUT), dict):
        given = given[INPUT]
    try:
        return RequestId(read_request(given.get("requestId"))) if isinstance(given, dict) else None
    except GraphQLError:
        return None


def invalid(value: object, rule: Phrase) -> Refusal:
    """Return the refusal of a value that does not fit its type."""
    return Refusal(VALUE_INVALID, value=shortened(_text(value)), rule=rule)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_type(value: object, kind: GraphQLInputType, refusals: Refusals, path: tuple[str | int, ...]) -> None:
    """Collect the refusals of a value by the rules that graphql-core coerces it by."""
    if refusals.full:
        return
    if is_non_null_type(kind):
        if value is None:
            with refusals.at(*path):
                raise invalid(value, RULE_FIELD_REQUIRED())
        kind = kind.of_type
    if value is None:
        return
    if is_list_type(kind):
        for index, one in enumerate(value if isinstance(value, list) else [value]):
            _check_type(one, kind.of_type, refusals, (*path, index))
    elif isinstance(kind, GraphQLInputObjectType):
        _check_object(value, kind, refusals, path)
    elif not _fits(value, kind):
        with refusals.at(*path):
            raise invalid(value, _rule(value, kind))


def _check_object(value: object, kind: GraphQLInputObjectType, refusals: Refusals, path: tuple[str | int, ...]) -> None:
    if not isinstance(value, dict):
        with refusals.at(*path):
            raise invalid(value, RULE_TYPE(type=kind.name))
        return
    for name in islice((one for one in value if one not in kind.fields), FURTHER_MAX + 1):
        with refusals.at(*path, name):
            raise invalid(name, RULE_FIELD_KNOWN(type=kind.name))
    for name, field in kind.fields.items():
        if name in value:
            _check_type(value[name], field.type, refusals, (*path, name))
        elif is_required_input_field(field):
            with refusals.at(*path, name):
                raise invalid(None, RULE_FIELD_REQUIRED())


def _rule(value: object, kind: GraphQLInputType) -> Phrase:
    """Return the form of a scalar or an enum that a value does not have."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLEnumType):
        return RULE_ONE_OF(values=", ".join(named.values))
    assert isinstance(named, GraphQLScalarType)
    try:
        named.coerce_input_value(value)
    except GraphQLError as error:
        notice = notice_of(error)
        if notice is not None and "rule" in notice.data:
            rule: Any = notice.data["rule"]
            return phrase(rule)
    return RULE_TYPE(type=named.name)
