"""The static cost of an operation.

The cost is the type cost of the GraphQL cost specification (section 5.3.2.1) plus the weights of the fields that have
@cost. It is an upper bound of the objects in the answer. A page counts with the `first` of the request. The lists in
the input of a mutation count with their lengths. A field that @skip or @include leaves out costs nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from schema.engine.cost_directives import ListSize, directives_of, output_fields, returns_list, weight_of
from schema.engine.given_costs import COUNTED_MAX, given_cost
from schema.engine.limits import PAGE_MAX, KeptDocument

CACHED_COSTS: Final = 2_048
LIST_ASSUMED: Final = 100  # without @listSize
INTROSPECTION: Final = {"__schema": 100, "__type": 10}

Value = int | bool | None
Values = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Price:
    """Cost of one field: its weight, the weight of its type, and the size of its list, 1 where it returns no list.

    An argument with the name in `slicing` replaces the size. With `sized`, the size is that of these fields of the
    returned object.
    """

    weight: int
    type_weight: int
    kind: GraphQLNamedType
    size: int
    slicing: str | None
    sized: tuple[str, ...]


@lru_cache(8)
def prices(schema: GraphQLSchema) -> Mapping[str, Mapping[str, Price]]:
    """Return the prices of all fields, by type and name, from the directives of their declarations."""
    found: dict[str, dict[str, Price]] = {}
    for owner, name, field in output_fields(schema):
        found.setdefault(owner.name, {})[name] = _price(field)
    return found


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
) -> int:
    """Return the cost of an operation of a valid document."""
    values = _sizes(_operation(document, name), variables)
    return _cost(schema, document, name, values) + _given_cost(schema, document, name, variables, values)


def kept_cost(schema: GraphQLSchema, kept: KeptDocument, name: str | None, variables: Mapping[str, Any]) -> int:
    """Return the cost of an operation of a valid document, kept for the document and the sizes in its variables."""
    values = _sizes(_operation(kept.node, name), variables)
    return _kept_cost(schema, kept, name, values) + _given_cost(schema, kept.node, name, variables, values)


@lru_cache(CACHED_COSTS)
def _kept_cost(schema: GraphQLSchema, kept: KeptDocument, name: str | None, values: Values) -> int:
    return _cost(schema, kept.node, name, values)


def _cost(schema: GraphQLSchema, document: DocumentNode, name: str | None, values: Values) -> int:
    operation = _operation(document, name)
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return _Count(schema, document, dict(values)).of([operation.selection_set], root, {})


def _given_cost(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: Mapping[str, Any], values: Values
) -> int:
    """Return the cost of the inputs of a mutation; of any other operation it is 0."""
    operation, kind = _operation(document, name), schema.mutation_type
    if operation.operation is not OperationType.MUTATION or kind is None:
        return 0
    defaults = ((one.variable.name.value, _default(one.default_value)) for one in operation.variable_definitions or ())
    nodes = _Count(schema, document, dict(values)).nodes(operation.selection_set, kind)
    return given_cost(kind, nodes, dict(defaults) | dict(variables))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    return next(
        one
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode) and (name is None or (one.name and one.name.value == name))
    )


def _sizes(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Values:
    """Return the values of the variables that can change a cost: of the types Int and Boolean, and lengths of lists."""
    found: list[tuple[str, Value]] = []
    for one in operation.variable_definitions or ():
        kind, name = one.type.type if isinstance(one.type, NonNullTypeNode) else one.type, one.variable.name.value
        given = variables[name] if name in variables else _default(one.default_value)
        if isinstance(kind, ListTypeNode):
            found.append((name, _length(given)))
            continue
        assert isinstance(kind, NamedTypeNode)
        if kind.name.value in {"Int", "Boolean"}:
            found.append((name, _plain(given)))
    return tuple(found)


def _length(given: object) -> int | None:
    """Return the length of a given list. A single value becomes a list of one; null has no length."""
    if given is None:
        return None
    return min(len(given), COUNTED_MAX) if isinstance(given, list) else 1


def _default(node: ValueNode | None) -> object:
    return None if node is None else value_from_ast_untyped(node)


def _plain(value: object) -> Value:
    """Return a JSON value as a size or a flag; None for any other, which the execution refuses."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        return value
    # No list returns more than a page, and the list itself refuses a larger one.
    return max(0, min(value, PAGE_MAX)) if isinstance(value, int) else None


def _literal(node: ValueNode | None) -> Value:
    if isinstance(node, IntValueNode):
        return _plain(int(node.value))
    if isinstance(node, ListValueNode):
        return len(node.values)
    return node.value if isinstance(node, BooleanValueNode) else None


@dataclass(frozen=True, slots=True)
class DearestList:
    """The list of an operation with the most cost of its own, without the lists inside it: its path and its size."""

    own_cost: int
    path: str
    size: int


def dearest_list(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
) -> DearestList:
    """Return the dearest list of an operation of a valid document."""
    operation = _operation(document, name)
    root = schema.get_root_type(operation.operation)
    assert root is not None
    count = _Count(schema, document, dict(_sizes(operation, variables)))
    count.of([operation.selection_set], root, {})
    return count.dearest


class _Count:
    """Adds up the cost of selections. Fields with one response name count once, as they are answered once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, values: Mapping[str, Value]) -> None:
        self._schema = schema
        self._prices = prices(schema)
        self._values = values
        self._path: tuple[str, ...] = ()
        self._times = 1
        self.dearest = DearestList(0, "", 0)
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def of(self, selections: Iterable[SelectionSetNode], kind: GraphQLNamedType, sized: Mapping[str, int]) -> int:
        """Return the cost of selections on one object. Of fragments on different object types only one applies."""
        fields: dict[tuple[str, str], list[FieldNode]] = {}
        for selection in selections:
            for condition, node in self._fields(selection.selections, kind):
                fields.setdefault((condition.name, (node.alias or node.name).value), []).append(node)
        costs: Counter[str] = Counter()
        for (owner, _), nodes in fields.items():
            costs[owner] += self._field(owner, nodes, sized)
        several = [costs.pop(name) for name in [*costs] if name != kind.name and self._is_object(name)]
        return costs.total() + max(several, default=0)

    def nodes(self, selection: SelectionSetNode, kind: GraphQLNamedType) -> Iterable[FieldNode]:
        """Return one node of each field that is answered, without those of introspection."""
        found = {(node.alias or node.name).value: node for _, node in self._fields(selection.selections, kind)}
        return [node for node in found.values() if not node.name.value.startswith("__")]

    def _is_object(self, name: str) -> bool:
        return isinstance(self._schema.type_map[name], GraphQLObjectType)

    def _fields(
        self, selections: Iterable[SelectionNode], owner: GraphQLNamedType
    ) -> Iterator[tuple[GraphQLNamedType, FieldNode]]:
        """Yield the fields of selections, each with the type that its fragments narrow its owner to."""
        for node in selections:
            if self._is_left_out(node):
                continue
            if isinstance(node, FieldNode):
                yield owner, node
                continue
            fragment: Any = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            condition = fragment.type_condition
            narrowed = owner if condition is None else self._schema.type_map[condition.name.value]
            within = owner if isinstance(owner, GraphQLObjectType) else narrowed
            yield from self._fields(fragment.selection_set.selections, within)

    def _is_left_out(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name in {"skip", "include"} and directive.arguments:
                value = self._value(directive.arguments[0].value)
                if value is not None and value is (name == "skip"):
                    return True
        return False

    def _value(self, node: ValueNode) -> Value:
        return self._values.get(node.name.value) if isinstance(node, VariableNode) else _literal(node)

    def _field(self, owner: str, nodes: Sequence[FieldNode], sized: Mapping[str, int]) -> int:
        name = nodes[0].name.value
        if name.startswith("__"):
            return INTROSPECTION.get(name, 0)
        price = self._prices[owner][name]
        size = sized[name] if name in sized else self._size(price, nodes[0])
        within = [one.selection_set for one in nodes if one.selection_set is not None]
        path, times = self._path, self._times
        self._path = (*path, (nodes[0].alias or nodes[0].name).value)
        if price.sized:
            cost = price.type_weight + self.of(within, price.kind, dict.fromkeys(price.sized, size))
        else:
            self._times = times * size
            own = self._times * price.type_weight
            if own > self.dearest.own_cost:
                self.dearest = DearestList(own, ".".join(self._path), size)
            cost = size * (price.type_weight + self.of(within, price.kind, {}))
        self._path, self._times = path, times
        return price.weight + cost

    def _size(self, price: Price, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == price.slicing:
                value = self._value(argument.value)
                return price.size if value is None else min(value, PAGE_MAX)
        return price.size


def _price(field: GraphQLField) -> Price:
    kind = get_named_type(field.type)
    weights = weight_of(field, 0), weight_of(kind, 0 if is_leaf_type(kind) else 1)
    size = next((one for one in directives_of(field) if isinstance(one, ListSize)), None)
    if size is None:
        return Price(*weights, kind, LIST_ASSUMED if returns_list(field.type) else 1, None, ())
    # An absent argument of a directive is UNSET, and false.
    (slicing,) = size.slicing_arguments or (None,)
    return Price(*weights, kind, size.assumed_size or LIST_ASSUMED, slicing, tuple(size.sized_fields or ()))
